//! Acks by the callback that Socket.IO gives a client with a message.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use streamfence_core::{AckOutcome, Event, Observer, TopicId, TopicStats};
use streamfence_runtime::{AckStyle, AtLeastOnce, Fence, FenceBuilder, Namespace, Overflow, Payload, Topic, Wire};

use crate::app::{App, options, start, start_with};
use crate::common::client::Message;
use crate::talk::Client;

/// As long as a namespace may be, so that the id of a callback stands behind what is kept of a packet.
const LONG: &str = "/an-alert-in-a-namespace-whose-path-is-longer-than-what-is-kept-of-a-packet-to-tell-it-from-others";

fn topics() -> FenceBuilder {
    let promise = AtLeastOnce::default().window(1).ack_timeout(Duration::from_secs(1)).max_retries(2);
    let alerts = |path| {
        Namespace::new(path)
            .topic("alert")
            .topic_with(Topic::new("sealed").wire(Wire::Envelope))
            .topic_with(Topic::new("seen").best_effort(Overflow::DropOldest).max_queued_messages(2).receipt_window(2))
            .at_least_once(promise)
            .ack(AckStyle::Native)
    };
    Fence::builder().namespace(alerts("/x")).namespace(alerts(LONG))
}

/// Counts what became of acks.
#[derive(Default)]
struct Acks(Mutex<[u64; AckOutcome::ALL.len()]>);

impl Observer for Acks {
    fn on_stats(&self, _: TopicId, since_last: &TopicStats) {
        let mut acks = self.0.lock().expect("no panic");
        acks.iter_mut().zip(since_last.acks).for_each(|(sum, more)| *sum += more);
    }
}

impl Acks {
    async fn count(&self, app: &App, outcome: AckOutcome) -> u64 {
        app.fence.flush_stats().await;
        self.0.lock().expect("no panic")[outcome as usize]
    }
}

/// The next packet of a namespace, as it stands: the id of its callback, and the event with its arguments.
async fn called<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    client: &mut Client<S>,
    namespace: &str,
) -> (u64, Value) {
    let Ok(Message::Text(text)) = client.socket.receive().await else { panic!("wanted a text") };
    let rest = text.strip_prefix(&format!("42{namespace},")).unwrap_or_else(|| panic!("heard {text}"));
    let (id, event) = rest.split_at(rest.find('[').expect("an event is an array"));
    (id.parse().unwrap_or_else(|_| panic!("no callback in {text}")), serde_json::from_str(event).expect("JSON"))
}

#[tokio::test(start_paused = true)]
async fn a_callback_releases_a_message_as_the_event_does() {
    let acks = Arc::new(Acks::default());
    let app = start(topics().observer(acks.clone()));
    let mut client = app.subscriber("/x", "alert").await;
    for n in 1..=4 {
        app.publish("/x", "alert", &n.to_string()).await;
    }
    let (first, event) = called(&mut client, "/x").await;
    assert_eq!((&event[0], &event[1], &event[2]["ackRequired"]), (&json!("alert"), &json!(1), &json!(true)));
    client.say(&format!("43/x,{first}[]")).await;
    let (second, event) = called(&mut client, "/x").await;
    assert_eq!(event[1], 2);
    assert_ne!(second, first);
    // The event is taken too, and the callback after it comes late.
    client.emit("ack", json!({"topic": "alert", "messageId": event[2]["messageId"]})).await;
    let (third, event) = called(&mut client, "/x").await;
    assert_eq!(event[1], 3);
    client.say(&format!("43/x,{second}[]")).await;
    // What the client says with its callback is its own business.
    client.say(&format!(r#"43/x,{third}["handled",{{"by":"me"}}]"#)).await;
    assert_eq!(called(&mut client, "/x").await.1[1], 4);
    assert_eq!(acks.count(&app, AckOutcome::Released).await, 3);
    assert_eq!(acks.count(&app, AckOutcome::Late).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_has_a_callback_of_its_own_and_the_first_still_counts() {
    let acks = Arc::new(Acks::default());
    let mut app = start(topics().observer(acks.clone()));
    let mut client = app.subscriber("/x", "alert").await;
    app.publish("/x", "alert", "1").await;
    app.publish("/x", "alert", "2").await;
    app.publish("/x", "alert", "3").await;
    let (first, event) = called(&mut client, "/x").await;
    let (again, repeated) = called(&mut client, "/x").await;
    assert_eq!(repeated, event);
    assert_ne!(again, first);
    client.say(&format!("43/x,{first}[]")).await;
    let (second, event) = called(&mut client, "/x").await;
    assert_eq!(event[1], 2);
    client.say(&format!("43/x,{again}[]")).await;
    // An id that was never given, and one of another message: neither releases what is open.
    client.say("43/x,4242[]").await;
    client.say(&format!("43/x,{first}[]")).await;
    let (_, repeated) = called(&mut client, "/x").await;
    assert_eq!(repeated[1], 2, "it is sent again: nobody has acked it");
    assert_eq!(acks.count(&app, AckOutcome::Released).await, 1);
    assert_eq!(acks.count(&app, AckOutcome::Late).await, 1);
    client.say(&format!("43/x,{second}[]")).await;
    assert_eq!(called(&mut client, "/x").await.1[1], 3);
    let exhausted = |event: &Event| matches!(event, Event::RetriesExhausted { .. }).then_some(());
    app.news.find("what is never acked is given up", exhausted).await;
}

#[tokio::test]
async fn a_callback_comes_with_envelopes_attachments_and_long_namespaces() {
    let app = start(topics());
    let mut client = app.subscriber("/x", "sealed").await;
    app.publish("/x", "sealed", "1").await;
    let (id, event) = called(&mut client, "/x").await;
    assert_eq!((&event[0], &event[1]["payload"]), (&json!("topic-message"), &json!(1)));
    client.say(&format!("43/x,{id}[]")).await;
    app.fence.publish("/x", "sealed", Payload::binary(&b"abc"[..])).await.expect("the topic exists");
    let Ok(Message::Text(text)) = client.socket.receive().await else { panic!("wanted a text") };
    assert!(text.starts_with("451-/x,") && !text.starts_with("451-/x,["), "{text}");
    assert_eq!(client.socket.receive().await.expect("open"), Message::Binary(b"abc".to_vec()));

    // More than the window of frames: each must be recognised when it leaves, or there would be no room.
    let mut client = app.subscriber(LONG, "alert").await;
    for n in 0..100 {
        app.publish(LONG, "alert", &n.to_string()).await;
        let (id, event) = called(&mut client, LONG).await;
        assert_eq!(event[1], n);
        client.say(&format!("43{LONG},{id}[]")).await;
    }
}

#[tokio::test]
async fn a_callback_is_a_receipt_where_there_is_a_receipt_window() {
    let app = start(topics());
    let mut client = app.subscriber("/x", "seen").await;
    for n in 1..=8 {
        app.publish("/x", "seen", &n.to_string()).await;
    }
    let mut ids = Vec::new();
    for n in 1..=2 {
        let (id, event) = called(&mut client, "/x").await;
        assert_eq!((&event[1], &event[2]["ackRequired"]), (&json!(n), &json!(true)));
        ids.push(id);
    }
    for n in [7, 8] {
        client.say(&format!("43/x,{}[]", ids.remove(0))).await;
        assert_eq!(called(&mut client, "/x").await.1[1], n, "the oldest have given way");
    }
}

#[tokio::test]
async fn the_application_may_ask_for_acks_on_the_same_socket() {
    let (answers, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let app = start_with(topics(), &options(), |server| {
        server.on_connect("/x", async move |socket: SocketRef| {
            socket.on("ask me", async move |socket: SocketRef| {
                let answer = socket.emit_with_ack::<_, String>("question", "well?").expect("there is room");
                let _nobody_listens = answers.send(answer.await);
            });
        })
    });
    let mut client = app.subscriber("/x", "alert").await;
    app.publish("/x", "alert", "1").await;
    let (ours, event) = called(&mut client, "/x").await;
    assert_eq!(event[0], "alert");
    client.say(r#"42/x,["ask me"]"#).await;
    let (theirs, event) = called(&mut client, "/x").await;
    assert_eq!(event, json!(["question", "well?"]));
    assert_ne!(ours, theirs);
    client.say(&format!(r#"43/x,{theirs}["yes"]"#)).await;
    let answer = heard.recv().await.expect("the handler lives").expect("the client answered");
    assert_eq!(answer, "yes");
    app.publish("/x", "alert", "2").await;
    client.say(&format!("43/x,{ours}[]")).await;
    assert_eq!(called(&mut client, "/x").await.1[1], 2);
}
