use std::sync::Arc;

use serde_json::json;
use streamfence_core::{ErrorCode, Event};
use streamfence_runtime::{ClientMessage, ClientPublish, Fence, FenceBuilder, InboundAck, Namespace, Payload, Topic};
use streamfence_socketio::ServerOptions;
use tokio::sync::{Semaphore, mpsc};

use crate::app::{self, App, start, start_with};
use crate::common::patience::in_time;
use crate::talk::Kind;

fn room() -> FenceBuilder {
    Fence::builder().namespace(
        Namespace::new("/room")
            .topic("orders")
            .topic_with(Topic::new("strict").inbound_ack(InboundAck::AfterHandlerSuccess))
            .topic_with(Topic::new("talk").client_publish(ClientPublish::Relay))
            .topic_with(Topic::new("whisper").client_publish(ClientPublish::Relay).echo(false))
            .topic_with(Topic::new("board").client_publish(ClientPublish::Deny)),
    )
}

/// Hands the messages of a topic to the test; `bad` ones fail and `panic` panics.
fn handle(app: &App, topic: &str) -> mpsc::UnboundedReceiver<ClientMessage> {
    let (heard, messages) = mpsc::unbounded_channel();
    let handler = move |message: ClientMessage| {
        let heard = heard.clone();
        async move {
            let text = message.payload.json().clone();
            assert_ne!(&text[..], b"\"panic\"", "wished for");
            if &text[..] == b"\"bad\"" {
                return Err("this is bad");
            }
            heard.send(message).expect("the test listens");
            Ok(())
        }
    };
    app.fence.on_message("/room", topic, handler).expect("the topic exists");
    messages
}

#[tokio::test]
async fn a_handler_hears_messages_in_order_and_the_client_is_answered_on_receipt() {
    let app = start(room());
    let mut messages = handle(&app, "orders");
    let mut client = app.client("/room").await;
    let subscribed = client.subscribe("orders").await;
    for n in 0..50 {
        let answer = client.ask("publish", json!({"topic": "orders", "payload": {"n": n}})).await;
        assert_eq!(answer, json!({"ok": true}));
    }
    for n in 0..50 {
        let message = in_time("a message", messages.recv()).await.expect("the handler lives");
        assert_eq!(message.payload.json(), &format!(r#"{{"n":{n}}}"#));
        assert_eq!((&*message.namespace, &*message.topic), ("/room", "orders"));
        assert_eq!(subscribed["clientId"], message.client.to_string());
    }
    // Answered before it is handled, a failure is nobody's news but the operator's.
    assert_eq!(client.ask("publish", json!({"topic": "orders", "payload": "bad"})).await, json!({"ok": true}));
    client.hears_nothing().await;
}

#[tokio::test]
async fn after_the_handler_the_client_knows_what_it_said() {
    let mut app = start(room());
    let mut messages = handle(&app, "strict");
    let mut client = app.client("/room").await;
    let wish = |payload: &str| json!({"topic": "strict", "payload": payload});
    assert_eq!(client.ask("publish", wish("good")).await, json!({"ok": true}));
    assert!(messages.recv().await.is_some());
    for (payload, why) in [("bad", "this is bad"), ("panic", "the handler failed")] {
        let answer = client.ask("publish", wish(payload)).await;
        let refusal = json!({"ok": false, "code": "PUBLISH_REJECTED", "message": why, "topic": "strict"});
        assert_eq!(answer, refusal);
        assert_eq!(client.refusal().await, "PUBLISH_REJECTED");
        let rejected = app.news.find("the rejection", |event| match event {
            Event::PublishRejected { code, reason, .. } => Some((*code, reason.to_string())),
            _ => None,
        });
        assert_eq!(rejected.await, (ErrorCode::PublishRejected, why.to_owned()));
    }
    // And the one after a panic is handled as before.
    assert_eq!(client.ask("publish", wish("good")).await, json!({"ok": true}));
}

#[tokio::test]
async fn a_topic_without_a_handler_and_one_that_denies_refuse() {
    let app = start(room());
    let mut client = app.client("/room").await;
    for topic in ["orders", "board"] {
        let answer = client.ask("publish", json!({"topic": topic, "payload": 1})).await;
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!("PUBLISH_REJECTED")), "{topic}");
        assert_eq!(client.refusal().await, "PUBLISH_REJECTED");
    }
}

#[tokio::test]
async fn the_last_handler_set_counts_for_clients_that_have_published_already() {
    let app = start(room());
    let _first = handle(&app, "strict");
    let mut client = app.client("/room").await;
    client.ask("publish", json!({"topic": "strict", "payload": 1})).await;
    let mut second = handle(&app, "strict");
    client.ask("publish", json!({"topic": "strict", "payload": 2})).await;
    assert_eq!(second.try_recv().expect("the second handler heard it").payload.json(), "2");
}

#[tokio::test]
async fn a_relay_reaches_everyone_and_the_sender_unless_it_is_told_not_to() {
    let app = start(room());
    let mut alice = app.subscriber("/room", "talk").await;
    let mut bob = app.subscriber("/room", "talk").await;
    alice.emit("publish", json!({"topic": "talk", "payload": {"text": "é \u{1f600}"}})).await;
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.event().await, ("talk".to_owned(), vec![json!({"text": "é \u{1f600}"})]));
    }
    alice.subscribe("whisper").await;
    bob.subscribe("whisper").await;
    assert_eq!(alice.ask("publish", json!({"topic": "whisper", "payload": [1]})).await, json!({"ok": true}));
    assert_eq!(bob.event().await, ("whisper".to_owned(), vec![json!([1])]));
    alice.hears_nothing().await;
}

#[tokio::test]
async fn attachments_go_through_in_both_directions() {
    let app = start(room());
    let mut messages = handle(&app, "orders");
    let mut alice = app.subscriber("/room", "talk").await;
    let mut bob = app.subscriber("/room", "talk").await;
    let photo = vec![7_u8; 40_000];
    alice
        .say(r#"452-/room,9["publish",{"topic":"talk","payload":{"b":{"_placeholder":true,"num":1},"a":{"_placeholder":true,"num":0}}}]"#)
        .await;
    alice.say_binary(b"zero").await;
    alice.say_binary(&photo).await;
    assert_eq!(alice.answer_to(9).await, json!({"ok": true}));
    for client in [&mut alice, &mut bob] {
        let Kind::Event { name, arguments, attachments } = client.hear().await.kind else { panic!("wanted an event") };
        assert_eq!((name.as_str(), attachments), ("talk", vec![b"zero".to_vec(), photo.clone()]));
        assert_eq!(arguments[0]["a"]["num"], 0);
    }
    alice.say(r#"451-/room,["publish",{"topic":"orders","payload":{"_placeholder":true,"num":0}}]"#).await;
    alice.say_binary(b"bytes").await;
    let message = in_time("a message", messages.recv()).await.expect("the handler lives");
    assert_eq!(message.payload.attachments(), ["bytes"]);
    let sent = app.fence.publish("/room", "talk", Payload::binary(&b"from the server"[..])).await;
    assert_eq!(sent.expect("the topic exists").admitted, 2);
    assert!(
        matches!(bob.hear().await.kind, Kind::Event { attachments, .. } if attachments == [b"from the server".to_vec()])
    );
}

#[tokio::test]
async fn each_attachment_is_named_once_or_the_wish_is_refused() {
    let app = start(room());
    let mut client = app.subscriber("/room", "talk").await;
    let zero = r#"{"_placeholder":true,"num":0}"#;
    for payload in ["1", &format!("[{zero},{zero}]"), r#"{"_placeholder":true,"num":1}"#] {
        client.say(&format!(r#"451-/room,["publish",{{"topic":"talk","payload":{payload}}}]"#)).await;
        client.say_binary(b"bytes").await;
        assert_eq!(client.refusal().await, "BAD_REQUEST", "{payload}");
    }
    client.say(&format!(r#"451-/room,["publish",{{"topic":"talk","payload":1,"more":{zero}}}]"#)).await;
    client.say_binary(b"bytes").await;
    assert_eq!(client.refusal().await, "BAD_REQUEST");
    // A wish that has no use for its attachment is heard all the same.
    client.say(&format!(r#"451-/room,["unsubscribe",{{"topic":"talk","more":{zero}}}]"#)).await;
    client.say_binary(b"bytes").await;
    client.expect("unsubscribed").await;
}

#[tokio::test]
async fn a_payload_that_is_too_large_is_refused_and_the_connection_lives() {
    let options = ServerOptions { max_payload_bytes: 1000, ..app::options() };
    let app = start_with(room(), &options, |server| server);
    let mut client = app.subscriber("/room", "talk").await;
    let answer = client.ask("publish", json!({"topic": "talk", "payload": "x".repeat(999)})).await;
    assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!("PAYLOAD_TOO_LARGE")));
    assert_eq!(client.refusal().await, "PAYLOAD_TOO_LARGE");
    client.say(r#"451-/room,["publish",{"topic":"talk","payload":{"_placeholder":true,"num":0}}]"#).await;
    client.say_binary(&[0; 1001]).await;
    assert_eq!(client.refusal().await, "PAYLOAD_TOO_LARGE");
    client.emit("publish", json!({"topic": "talk", "payload": "x".repeat(998)})).await;
    assert_eq!(client.event().await.1, [json!("x".repeat(998))]);
    // Far more is not even read.
    client.emit("publish", json!({"topic": "talk", "payload": "x".repeat(7000)})).await;
    client.ended().await;
}

#[tokio::test]
async fn a_handler_that_is_behind_is_told_by_back_pressure() {
    let app = start(room());
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let handler = move |_: ClientMessage| {
        let held = held.clone();
        async move { held.acquire().await.map(drop) }
    };
    app.fence.on_message("/room", "strict", handler).expect("the topic exists");
    let mut client = app.client("/room").await;
    let mut asked = Vec::new();
    for n in 0..70 {
        asked.push(client.ask_only("publish", json!({"topic": "strict", "payload": n})).await);
    }
    assert_eq!(client.refusal().await, "BACK_PRESSURE");
    gate.add_permits(1);
    let mut taken = 0;
    for id in asked {
        let answer = client.answer_to(id).await;
        assert!(answer["ok"] == true || answer["code"] == "BACK_PRESSURE", "{answer}");
        taken += usize::from(answer["ok"] == true);
    }
    assert!((64..=66).contains(&taken), "{taken}");
}
