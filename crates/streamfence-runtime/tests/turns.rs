//! How long a shard goes on handing out before others have their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use streamfence_core::{Batch, NamespaceId, Transport};
use streamfence_runtime::{CloseReason, Fence, Namespace, Outlet, Room, SessionWish};

/// What the outlets of a fence have been asked, all together.
#[derive(Default)]
struct Asked {
    prepared: AtomicUsize,
    sent: AtomicUsize,
    /// How many were prepared when the first was sent something.
    prepared_at_first: AtomicUsize,
}

/// A transport whose calls take their time.
struct Laborious(Arc<Asked>);

impl Outlet for Laborious {
    fn prepare(&self) {
        self.0.prepared.fetch_add(1, Ordering::Relaxed);
    }

    fn send(&mut self, batch: &mut Batch) {
        if self.0.sent.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.prepared_at_first.store(self.0.prepared.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(200) {
            std::hint::spin_loop();
        }
        batch.clear();
    }

    fn room(&self) -> Room {
        Room { frames: 8, bytes: 1 << 16, is_empty: true }
    }

    fn is_blocked(&self) -> bool {
        false
    }

    fn disconnect(&mut self, _: NamespaceId, _: CloseReason) {}

    fn close(&mut self, _: CloseReason) {}
}

#[tokio::test]
async fn others_have_their_turn_while_very_many_calls_take_their_time() {
    const LINKS: usize = 100;
    let namespace = Namespace::new("/feed").topic("tick").session_retention(Duration::from_secs(9));
    let fence = Fence::builder().namespace(namespace).shards(1).build().expect("the catalog is valid");
    let namespace = fence.catalog().namespace("/feed").expect("it is in the catalog");
    let asked = Arc::new(Asked::default());
    let links = [(); LINKS].map(|()| {
        let link = fence.open(|_| ());
        link.start(Box::new(Laborious(asked.clone())));
        link.join(namespace, Transport::Other, Some(SessionWish::New), None);
        link
    });
    let (mut before, mut most_in_a_turn) = (0, 0);
    while before < links.len() {
        tokio::task::yield_now().await;
        let sent = asked.sent.load(Ordering::Relaxed);
        most_in_a_turn = most_in_a_turn.max(sent - before);
        before = sent;
    }
    // One millisecond, looked at every sixteen.
    assert!((1..=16).contains(&most_in_a_turn), "{most_in_a_turn} in one turn");
    assert!(asked.prepared_at_first.load(Ordering::Relaxed) > 1, "several are told before the first is written");
    assert_eq!(asked.prepared.load(Ordering::Relaxed), LINKS, "each is told once");
}
