use serde_json::json;
use streamfence_runtime::{AtLeastOnce, Fence, FenceBuilder, Namespace};
use tokio::io::AsyncWriteExt;

use crate::app::start;
use crate::common::client::{Http, POLLING, frame};
use crate::talk::Client;

fn feed() -> FenceBuilder {
    // Longer than it takes to publish them all: nothing is resent.
    let sure = AtLeastOnce::default().window(4000).ack_timeout(std::time::Duration::from_secs(600));
    Fence::builder().namespace(Namespace::new("/feed").topic("tick")).namespace(
        Namespace::new("/sure").topic("alert").at_least_once(sure).max_queued_messages(4000).max_queued_bytes(1 << 22),
    )
}

#[tokio::test]
async fn who_asks_and_never_reads_is_read_no_further() {
    let app = start(feed());
    let stream = app.connector.connect(4096).await.expect("the server listens");
    let mut client = Client::join(stream, "/feed").await;
    let wish = frame(1, br#"42/feed,["subscribe",{"topic":"tick"}]"#);
    let mut taken = 0;
    for _ in 0..100_000 {
        let write = client.socket.stream.write_all(&wish);
        if tokio::time::timeout(std::time::Duration::from_millis(200), write).await.is_err() {
            break;
        }
        taken += 1;
    }
    // The answers unread, the inbox, and what the websocket library reads ahead.
    assert!(taken < 10_000, "{taken} wishes were taken from a client that reads no answer");
}

#[tokio::test]
async fn as_many_acks_as_the_window_holds_are_all_heard() {
    let app = start(feed());
    let mut client = app.subscriber("/sure", "alert").await;
    let mut ids = Vec::new();
    for n in 0..4000 {
        app.publish("/sure", "alert", &n.to_string()).await;
        let (_, arguments) = client.event().await;
        ids.push(arguments[1]["messageId"].clone());
    }
    // In one write, so that the reader finds them all at once.
    let mut acks = Vec::new();
    for id in &ids[..2000] {
        let ack = format!("42/sure,{}", json!(["ack", {"topic": "alert", "messageId": id}]));
        acks.extend(frame(1, ack.as_bytes()));
    }
    let batch = format!("42/sure,{}", json!(["ack", {"topic": "alert", "messageIds": &ids[2000..]}]));
    acks.extend(frame(1, batch.as_bytes()));
    client.socket.stream.write_all(&acks).await.expect("the connection is open");
    // A full lane takes no more: that it is empty again is what the publisher sees.
    client.hears_nothing().await;
    for n in 0..4000 {
        let payload = streamfence_runtime::Payload::serialize(&n).expect("a number is JSON");
        let report = app.fence.publish("/sure", "alert", payload).await.expect("the topic exists");
        assert_eq!(report.rejected, 0, "after {n}: acks were lost");
        client.event().await;
    }
}

#[tokio::test]
async fn a_list_of_topics_is_no_way_to_ask_for_more_than_is_remembered() {
    let app = start(feed());
    let mut client = app.client("/feed").await;
    let topics = vec!["x"; 20_000];
    let answer = client.ask("subscribe", json!({"topics": topics})).await;
    assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!("BAD_REQUEST")));
    assert_eq!(client.refusal().await, "BAD_REQUEST");
    client.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_only_talks_waits_until_it_listens() {
    let app = start(feed());
    let mut http = Http::new(app.dial().await);
    let sid = http.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    http.post(&target, "40/feed,").await;
    let wishes = vec![r#"42/feed,["subscribe",{"topic":"x"}]"#; 1000].join("\u{1e}");
    let mut taken = 0;
    while http.post(&target, &wishes).await.status == 200 {
        taken += 1;
        assert!(taken < 20, "wishes are taken without end");
    }
    assert!(taken >= 1);
}
