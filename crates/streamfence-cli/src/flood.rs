//! Lines of the log of which there may be one for every client or message.

use std::sync::{Arc, Mutex, PoisonError};

use streamfence_runtime::Together;

/// Says the first of something at once, and what follows within a second in one line: how many there were, and which was the
/// last.
pub(crate) struct Flood<T> {
    together: Arc<Together>,
    last: Arc<Mutex<Option<T>>>,
}

// Not derived: that would ask for a default of what is said.
impl<T> Default for Flood<T> {
    fn default() -> Self {
        Self { together: Arc::default(), last: Arc::default() }
    }
}

impl<T: Clone + Send + 'static> Flood<T> {
    /// Notes one, and has it said: `say` is told the last of them, and how many there were.
    pub(crate) fn note(&self, what: T, say: fn(&T, u64)) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        let last = self.last.clone();
        self.together.count(move |count, _| {
            let latest = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(latest) = latest {
                say(&latest, count);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    static SAID: Mutex<Vec<(u32, u64)>> = Mutex::new(Vec::new());

    fn said() -> Vec<(u32, u64)> {
        std::mem::take(&mut SAID.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_said_at_once_and_the_rest_of_a_second_in_one_line_with_its_last() {
        let flood = Flood::default();
        let say = |what: &u32, count| SAID.lock().unwrap_or_else(PoisonError::into_inner).push((*what, count));
        for what in 1..=1_000 {
            flood.note(what, say);
        }
        assert_eq!(said(), [(1, 1)]);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(said(), [(1_000, 999)]);
        flood.note(7, say);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(said(), [(7, 1)]);
        flood.note(8, say);
        assert_eq!(said(), [(8, 1)], "it is quiet again, so the next is said at once");
    }
}
