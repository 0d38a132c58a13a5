//! How long messages waited reaches whoever observes a fence.
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamfence_runtime::core::{Delays, Observer, TopicId, TopicStats};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{Fence, Namespace, Overflow, Payload};

#[derive(Default)]
struct Waits(Mutex<Delays>);

impl Observer for Waits {
    fn on_stats(&self, _topic: TopicId, since_last: &TopicStats) {
        self.0.lock().unwrap().add(&since_last.sent_after);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_its_client_is_told_with_the_next_numbers() {
    let waits = Arc::new(Waits::default());
    let feed = Namespace::new("/feed").topic("tick").best_effort(Overflow::RejectNew);
    let fence = Fence::builder().namespace(feed).observer(waits.clone()).build().unwrap();
    let mut client = MemoryClient::connect(&fence, "/feed", 1);
    client.subscribe("tick").await;
    for number in 0..2 {
        fence.publish("/feed", "tick", Payload::serialize(&number).unwrap()).await.unwrap();
    }
    // One is sent at once, the other when the client has read that.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(client.recv().await.text(), "0");
    assert_eq!(client.recv().await.text(), "1");
    fence.shutdown(Duration::ZERO).await;
    let waits = *waits.0.lock().unwrap();
    assert_eq!(waits.total(), 2);
    assert_eq!((waits.counts[0], waits.counts[12]), (1, 1), "at once, and between 2.5 s and 10 s: {waits:?}");
}
