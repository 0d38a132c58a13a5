//! Telling of what may come in floods.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

/// Tells the first of something at once, and what follows within a second together, for as long as there is some every
/// second. Whoever floods the door does not flood those who listen. What was counted is told whatever happens: where the
/// tokio runtime ends before that second does, then.
///
/// Outside a tokio runtime nobody waits for that second: each is told alone.
#[derive(Debug, Default)]
pub struct Together {
    count: AtomicU64,
    /// Whether somebody tells them later.
    is_awaited: AtomicBool,
}

/// How long they are gathered.
const TOGETHER: Duration = Duration::from_secs(1);

impl Together {
    /// Counts one. `tell` is told how many there were, and whether this one is among them rather than only later ones; it
    /// is kept for those, until there are none for a second or the runtime ends.
    pub fn count(self: &Arc<Self>, tell: impl Fn(u64, bool) + Send + 'static) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.is_awaited.swap(true, Ordering::SeqCst) {
            return;
        }
        self.tell(&tell, true);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(Rest { gathered: self.clone(), tell, is_over: false }.tell_all())),
            Err(_nobody_to_wait) => self.is_awaited.store(false, Ordering::SeqCst),
        }
    }

    /// How many there were that nobody was told of: whoever takes them tells.
    pub(crate) fn take(&self) -> u64 {
        self.count.swap(0, Ordering::SeqCst)
    }

    /// Tells of all that wait, and says whether there were any.
    fn tell(&self, tell: &impl Fn(u64, bool), is_first: bool) -> bool {
        let count = self.take();
        if count > 0 {
            tell(count, is_first);
        }
        count > 0
    }
}

/// What is told of what follows. A runtime that ends drops its tasks: what was counted until then is told by that.
struct Rest<T: Fn(u64, bool)> {
    gathered: Arc<Together>,
    tell: T,
    /// Whether somebody else is trusted in from now on, or nobody.
    is_over: bool,
}

impl<T: Fn(u64, bool)> Rest<T> {
    /// Goes on as long as there is one every second.
    async fn tell_all(mut self) {
        loop {
            tokio::time::sleep(TOGETHER).await;
            if self.tell_more() {
                continue;
            }
            self.gathered.is_awaited.store(false, Ordering::SeqCst);
            // Who came just before that has trusted in this; who comes after it tells of itself.
            if !self.tell_more() || self.gathered.is_awaited.swap(true, Ordering::SeqCst) {
                self.is_over = true;
                return;
            }
        }
    }

    fn tell_more(&self) -> bool {
        self.gathered.tell(&self.tell, false)
    }
}

impl<T: Fn(u64, bool)> Drop for Rest<T> {
    fn drop(&mut self) {
        if !self.is_over {
            self.gathered.is_awaited.store(false, Ordering::SeqCst);
            self.tell_more();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn what_was_counted_is_told_when_the_runtime_ends() {
        let (together, told) = (Arc::new(Together::default()), Arc::new(Mutex::new(Vec::new())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it starts");
        runtime.block_on(async {
            for _ in 0..20 {
                let told = told.clone();
                together.count(move |count, is_first| told.lock().expect("no panic").push((count, is_first)));
            }
        });
        drop((together, runtime));
        assert_eq!(*told.lock().expect("no panic"), [(1, true), (19, false)]);
    }
}
