use serde_json::{Value, json};
use streamfence_runtime::{Fence, FenceBuilder, Namespace, Overflow};
use streamfence_socketio::ServerOptions;

use crate::app::{self, start, start_with};
use crate::talk::Kind;

fn feed() -> FenceBuilder {
    Fence::builder()
        .namespace(Namespace::new("/feed").topic("a").topic("b").topic("c").best_effort(Overflow::DropOldest))
}

#[tokio::test]
async fn a_subscription_is_told_before_its_first_message_and_answered_with_the_same() {
    let app = start(feed());
    app.publish("/feed", "a", "0").await;
    let mut client = app.client("/feed").await;
    let id = client.ask_only("subscribe", json!({"topic": "a"})).await;
    let subscribed = client.expect("subscribed").await;
    let mut answer = client.answer_to(id).await;
    assert_eq!(answer["ok"].take(), json!(true));
    answer.as_object_mut().expect("an object").remove("ok");
    assert_eq!(answer, subscribed);
    assert_eq!((&subscribed["topic"], &subscribed["offset"]), (&json!("a"), &json!(1)));
    assert_eq!(subscribed["clientId"].as_str().map(str::len), Some(16));
    assert_eq!(subscribed["epoch"].as_str().map(str::len), Some(13));
    assert_eq!(subscribed.as_object().expect("an object").len(), 4);
    app.publish("/feed", "a", r#"{"n": 1}"#).await;
    assert_eq!(client.event().await, ("a".to_owned(), vec![json!({"n": 1})]));
}

#[tokio::test]
async fn a_list_is_answered_once_per_topic_and_together() {
    let app = start(feed());
    let mut client = app.client("/feed").await;
    let answer = client.ask("subscribe", json!({"topics": ["a", "nowhere", "c"]})).await;
    assert_eq!(answer["ok"], false);
    let results = answer["results"].as_array().expect("a list");
    let told = |result: &Value| (result["ok"].clone(), result["topic"].clone(), result["code"].clone());
    assert_eq!(
        results.iter().map(told).collect::<Vec<_>>(),
        [
            (json!(true), json!("a"), Value::Null),
            (json!(false), json!("nowhere"), json!("UNKNOWN_TOPIC")),
            (json!(true), json!("c"), Value::Null)
        ]
    );
    let mut events = Vec::new();
    for _ in 0..3 {
        let (name, arguments) = client.event().await;
        events.push((name, arguments[0]["topic"].clone()));
    }
    let wanted = [("subscribed", "a"), ("error", "nowhere"), ("subscribed", "c")];
    assert_eq!(events, wanted.map(|(name, topic)| (name.to_owned(), json!(topic))));
    let good = client.ask("subscribe", json!({"topics": ["a", "b"]})).await;
    assert_eq!((good["ok"].clone(), good["results"].as_array().map(Vec::len)), (json!(true), Some(2)));
}

#[tokio::test]
async fn nothing_comes_after_unsubscribed() {
    let app = start(feed());
    let mut client = app.subscriber("/feed", "a").await;
    client.subscribe("b").await;
    let answer = client.ask("unsubscribe", json!({"topic": "a"})).await;
    assert_eq!(answer, json!({"ok": true, "topic": "a", "reason": "client"}));
    assert_eq!(client.expect("unsubscribed").await, json!({"topic": "a", "reason": "client"}));
    app.publish("/feed", "a", "1").await;
    app.publish("/feed", "b", "2").await;
    assert_eq!(client.event().await, ("b".to_owned(), vec![json!(2)]));
    let answer = client.ask("unsubscribe", json!({"topics": ["a", "b"]})).await;
    assert_eq!((answer["ok"].clone(), answer["results"].as_array().map(Vec::len)), (json!(true), Some(2)));
}

#[tokio::test]
async fn subscriptions_are_limited_and_places_come_back() {
    let options = ServerOptions { max_subscriptions_per_client: 1, ..app::options() };
    let app = start_with(feed(), &options, |server| server);
    let mut client = app.subscriber("/feed", "a").await;
    client.emit("subscribe", json!({"topic": "b"})).await;
    let refused = client.expect("error").await;
    assert_eq!((&refused["code"], &refused["topic"]), (&json!("LIMIT_EXCEEDED"), &json!("b")));
    client.subscribe("a").await;
    client.emit("unsubscribe", json!({"topic": "a"})).await;
    client.expect("unsubscribed").await;
    client.subscribe("b").await;
    client.emit("subscribe", json!({"topic": "c"})).await;
    assert_eq!(client.refusal().await, "LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_place_is_not_lost_to_a_wish_said_before_the_last_answer() {
    let options = ServerOptions { max_subscriptions_per_client: 1, ..app::options() };
    let app = start_with(feed(), &options, |server| server);
    let mut client = app.subscriber("/feed", "a").await;
    client.emit("unsubscribe", json!({"topic": "a"})).await;
    client.emit("subscribe", json!({"topic": "a"})).await;
    client.expect("unsubscribed").await;
    client.expect("subscribed").await;
    client.emit("subscribe", json!({"topic": "b"})).await;
    assert_eq!(client.refusal().await, "LIMIT_EXCEEDED");
    client.emit("unsubscribe", json!({"topic": "a"})).await;
    client.emit("subscribe", json!({"topic": "b"})).await;
    client.expect("unsubscribed").await;
    assert_eq!(client.expect("subscribed").await["topic"], "b");
}

#[tokio::test]
async fn a_malformed_wish_is_refused_and_changes_nothing() {
    let app = start(feed());
    let mut client = app.subscriber("/feed", "a").await;
    let wrong = [
        ("subscribe", json!(7)),
        ("subscribe", json!(null)),
        ("subscribe", json!("a")),
        ("subscribe", json!({})),
        ("subscribe", json!({"topic": 7})),
        ("subscribe", json!({"topic": "b", "topics": ["c"]})),
        ("subscribe", json!({"topics": []})),
        ("subscribe", json!({"topics": ["b", 7]})),
        ("subscribe", json!({"topic": "b", "window": 0})),
        ("subscribe", json!({"topic": "b", "window": 70_000})),
        ("subscribe", json!({"topic": "b", "window": "4"})),
        ("subscribe", json!({"topic": "b", "recover": {"epoch": "0", "offset": 1}})),
        ("subscribe", json!({"topic": "b", "maxFrequency": 0})),
        ("unsubscribe", json!([])),
        ("unsubscribe", json!({"topic": null})),
        ("unsubscribe", json!({"topics": "a"})),
        ("publish", json!({})),
        ("publish", json!({"topic": "a"})),
        ("publish", json!({"payload": 1})),
        ("publish", json!({"topic": ["a"], "payload": 1})),
        ("publish", json!({"topic": "a", "payload": 1, "key": 7})),
        ("publish", json!({"topic": "a", "payload": 1, "ttlMs": "7"})),
        ("publish", json!({"topic": "a", "payload": 1, "ttlMs": 0})),
        ("ack", json!({"topic": "a"})),
        ("ack", json!({"topic": "a", "messageId": 7})),
        ("ack", json!({"topic": "a", "messageId": "x", "messageIds": ["y"]})),
        ("ack", json!({"topic": "a", "messageIds": [7]})),
        ("ack", json!({"topic": "a", "upTo": 7})),
        ("ack", json!({"topic": "a", "upTo": "x", "messageId": "x"})),
        ("nack", json!({"topic": "a"})),
        ("nack", json!({"topic": "a", "messageId": ["x"]})),
        ("nack", json!({"topic": "a", "messageId": "x", "delayMs": -1})),
        ("ack", json!({"messageId": "x"})),
    ];
    for (event, payload) in wrong {
        let answer = client.ask(event, payload.clone()).await;
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!("BAD_REQUEST")), "{event} {payload}");
        assert_eq!(client.refusal().await, "BAD_REQUEST", "{event} {payload}");
    }
    // Not even an argument.
    for event in ["subscribe", "unsubscribe", "publish", "ack", "nack"] {
        client.say(&format!("42/feed,[\"{event}\"]")).await;
        assert_eq!(client.refusal().await, "BAD_REQUEST", "{event}");
    }
    app.publish("/feed", "b", "1").await;
    app.publish("/feed", "a", "2").await;
    assert_eq!(client.event().await, ("a".to_owned(), vec![json!(2)]));
}

#[tokio::test]
async fn an_unknown_topic_is_named_and_a_foreign_event_is_nobodys() {
    let app = start(feed());
    let mut client = app.client("/feed").await;
    for event in ["subscribe", "unsubscribe", "publish", "ack", "nack"] {
        let payload = json!({"topic": "nowhere", "payload": 1, "messageId": "x"});
        client.emit(event, payload).await;
        let refused = client.expect("error").await;
        assert_eq!((&refused["code"], &refused["topic"]), (&json!("UNKNOWN_TOPIC"), &json!("nowhere")), "{event}");
        assert_eq!(refused["message"], "unknown topic `nowhere` in namespace `/feed`");
    }
    client.emit("whatever", json!({"topic": "a"})).await;
    client.hears_nothing().await;
}

#[tokio::test]
async fn an_answer_is_only_for_who_asked() {
    let app = start(feed());
    let mut client = app.client("/feed").await;
    client.subscribe("a").await;
    client.emit("unsubscribe", json!({"topic": "a"})).await;
    client.expect("unsubscribed").await;
    // Ack id 0 is an id like any other.
    client.say(r#"42/feed,0["subscribe",{"topic":"a"}]"#).await;
    client.expect("subscribed").await;
    assert!(matches!(client.hear().await.kind, Kind::Ack { id: 0, .. }));
    client.hears_nothing().await;
}
