//! Publishers that wait until their message has arrived.

use std::num::NonZeroU32;
use std::time::Duration;

use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{AckWait, Acked, AtLeastOnce, Fence, Namespace, Payload, PublishError, To};
use tokio::task::JoinHandle;

const LONG: Duration = Duration::from_secs(600);

fn fence(promise: AtLeastOnce) -> Fence {
    let alerts = Namespace::new("/alerts").topic("alert").at_least_once(promise).max_queued_messages(100_000);
    let alerts = alerts.max_queued_bytes(1 << 30);
    let feed = Namespace::new("/feed").topic("tick");
    Fence::builder().namespace(alerts).namespace(feed).shards(2).build().expect("the catalog is valid")
}

fn patient() -> AtLeastOnce {
    AtLeastOnce::default().window(2).ack_timeout(LONG).max_retries(1)
}

async fn clients<const N: usize>(fence: &Fence) -> [MemoryClient; N] {
    let mut clients = Vec::new();
    for _ in 0..N {
        let mut client = MemoryClient::connect(fence, "/alerts", 100);
        client.subscribe("alert").await;
        clients.push(client);
    }
    clients.try_into().expect("there are so many")
}

fn payload() -> Payload {
    Payload::serialize(&1).expect("a number is JSON")
}

fn publish(fence: &Fence, count: Option<u32>, timeout: Duration) -> JoinHandle<Acked> {
    let fence = fence.clone();
    let wait = AckWait { count: count.and_then(NonZeroU32::new), timeout };
    tokio::spawn(async move {
        let acked = fence.publish_acked("/alerts", To::everyone(), "alert", payload(), wait).await;
        acked.expect("the topic is there")
    })
}

#[tokio::test]
async fn all_who_admitted_it_are_waited_for_and_named() {
    let fence = fence(patient());
    let mut clients = clients::<3>(&fence).await;
    let publishing = publish(&fence, None, LONG);
    let mut names = Vec::new();
    for client in &mut clients {
        let heard = client.recv().await;
        assert!(!publishing.is_finished());
        client.ack("alert", heard.id);
        names.push(client.id());
    }
    let mut acked = publishing.await.expect("no panic");
    acked.clients.sort_unstable();
    names.sort_unstable();
    assert_eq!((acked.wanted, acked.timed_out, acked.report.admitted), (3, false, 3));
    assert_eq!(acked.clients, names);
}

#[tokio::test]
async fn as_many_as_are_wanted_are_enough() {
    let fence = fence(patient());
    let [mut quick, mut slow] = clients::<2>(&fence).await;
    let publishing = publish(&fence, Some(1), LONG);
    let heard = quick.recv().await;
    quick.ack("alert", heard.id);
    let acked = publishing.await.expect("no panic");
    assert_eq!((acked.wanted, acked.clients, acked.timed_out), (1, vec![quick.id()], false));
    slow.recv().await;
}

#[tokio::test]
async fn an_ack_of_all_up_to_one_counts_and_so_does_one_of_another_message_not() {
    let fence = fence(patient());
    let [mut client] = clients::<1>(&fence).await;
    let before = publish(&fence, None, LONG);
    let first = client.recv().await;
    let publishing = publish(&fence, None, LONG);
    let second = client.recv().await;
    client.ack("alert", second.id);
    assert_eq!(publishing.await.expect("no panic").clients, [client.id()]);
    assert!(!before.is_finished());
    client.ack("alert", first.id);
    assert_eq!(before.await.expect("no panic").clients, [client.id()]);
}

#[tokio::test]
async fn nobody_is_waited_for_who_is_gone_or_was_given_up_on() {
    let fence = fence(patient());
    let [mut stays, goes, mut leaves] = clients::<3>(&fence).await;
    let publishing = publish(&fence, None, LONG);
    let heard = stays.recv().await;
    stays.ack("alert", heard.id);
    fence.disconnect(goes.id()).await;
    assert!(!publishing.is_finished());
    leaves.unsubscribe("alert").await;
    let acked = publishing.await.expect("no panic");
    assert_eq!((acked.wanted, acked.clients, acked.timed_out), (3, vec![stays.id()], false));

    let hasty = self::fence(AtLeastOnce::default().ack_timeout(Duration::from_millis(1)).max_retries(1));
    let [_silent] = clients::<1>(&hasty).await;
    let acked = publish(&hasty, None, LONG).await.expect("no panic");
    assert_eq!((acked.wanted, acked.clients.len(), acked.timed_out), (1, 0, false));
}

#[tokio::test]
async fn nobody_to_wait_for_is_no_wait() {
    let acked = publish(&fence(patient()), None, LONG).await.expect("no panic");
    assert_eq!((acked.report.matched, acked.wanted, acked.clients.len(), acked.timed_out), (0, 0, 0, false));
    let acked = publish(&fence(patient()), Some(2), LONG).await.expect("no panic");
    assert_eq!((acked.wanted, acked.timed_out), (2, false), "no more can come");
}

#[tokio::test]
async fn a_wait_ends_in_time() {
    let fence = fence(patient());
    let [mut silent, mut quick] = clients::<2>(&fence).await;
    let publishing = publish(&fence, None, Duration::from_millis(50));
    let heard = quick.recv().await;
    quick.ack("alert", heard.id);
    let acked = publishing.await.expect("no panic");
    assert_eq!((acked.wanted, acked.clients, acked.timed_out), (2, vec![quick.id()], true));
    silent.recv().await;
    // An ack that comes after it is one as any other.
    silent.ack("alert", heard.id);
    assert!(publish(&fence, Some(1), Duration::ZERO).await.expect("no panic").timed_out);
}

#[tokio::test]
async fn a_shutdown_ends_it() {
    let fence = fence(patient());
    let [mut silent] = clients::<1>(&fence).await;
    let publishing = publish(&fence, None, LONG);
    silent.recv().await;
    fence.shutdown(Duration::ZERO).await;
    assert_eq!(publishing.await.expect("no panic").clients.len(), 0);
}

#[tokio::test]
async fn there_is_nothing_to_wait_for_where_nothing_is_acked() {
    let wait = AckWait { count: None, timeout: LONG };
    let refused = fence(patient()).publish_acked("/feed", To::everyone(), "tick", payload(), wait).await;
    let wanted = "topic `tick` in namespace `/feed` is not at-least-once, so its messages are not acked";
    assert_eq!(refused.expect_err("it is not").to_string(), wanted);
}

#[tokio::test]
async fn only_so_many_wait_and_one_that_gives_up_makes_room() {
    let fence = fence(patient());
    let [mut client] = clients::<1>(&fence).await;
    let mut waiting: Vec<_> = (0..1_024).map(|_| publish(&fence, None, LONG)).collect();
    let wait = AckWait { count: None, timeout: Duration::ZERO };
    let one_more = || fence.publish_acked("/alerts", To::everyone(), "alert", payload(), wait);
    for _ in 0..waiting.len() {
        // Each takes its place when it is first polled.
        tokio::task::yield_now().await;
    }
    assert_eq!(one_more().await, Err(PublishError::TooManyWaits { most: 1_024 }));
    waiting.pop().expect("there are some").abort();
    client.recv().await;
    while let Err(why) = one_more().await {
        assert_eq!(why, PublishError::TooManyWaits { most: 1_024 });
        tokio::task::yield_now().await;
    }
}
