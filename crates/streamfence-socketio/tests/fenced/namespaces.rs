use serde_json::json;
use streamfence_core::Event;
use streamfence_runtime::{CloseReason, Fence, FenceBuilder, Namespace};

use crate::app::start;
use crate::talk::{Client, Kind, Packet};

fn two() -> FenceBuilder {
    Fence::builder().namespace(Namespace::new("/feed").topic("tick")).namespace(Namespace::new("/alerts").topic("tick"))
}

fn subscribed(packet: Packet) -> (String, String) {
    match packet.kind {
        Kind::Event { name, arguments, .. } if name == "subscribed" => {
            (packet.namespace, arguments[0]["clientId"].as_str().expect("an id").to_owned())
        }
        other => panic!("wanted subscribed, heard {other:?}"),
    }
}

#[tokio::test]
async fn two_namespaces_of_a_connection_are_two_clients_and_one_may_leave() {
    let mut app = start(two());
    let mut client = app.client("/feed").await;
    client.enter("/alerts").await;
    let mut ids = Vec::new();
    for namespace in ["/feed", "/alerts"] {
        client.say(&format!(r#"42{namespace},["subscribe",{{"topic":"tick"}}]"#)).await;
        let (heard_in, id) = subscribed(client.hear().await);
        assert_eq!(heard_in, namespace);
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    app.publish("/alerts", "tick", "1").await;
    assert_eq!(client.hear().await.namespace, "/alerts");

    client.say("41/feed,").await;
    let left = app.news.find("it leaves", |event| match event {
        Event::Disconnected { namespace, client, reason } => Some((namespace.clone(), client.to_string(), *reason)),
        _ => None,
    });
    let (namespace, id, reason) = left.await;
    assert_eq!((&*namespace, &id, reason), ("/feed", &ids[0], CloseReason::Client));
    app.publish("/feed", "tick", "2").await;
    app.publish("/alerts", "tick", "3").await;
    let packet = client.hear().await;
    assert_eq!(packet.namespace, "/alerts");
    assert!(matches!(packet.kind, Kind::Event { arguments, .. } if arguments == [json!(3)]));

    // Whoever comes back is somebody new, without subscriptions.
    client.enter("/feed").await;
    app.publish("/feed", "tick", "4").await;
    client.say(r#"42/feed,["subscribe",{"topic":"tick"}]"#).await;
    let (heard_in, id) = subscribed(client.hear().await);
    assert_eq!(heard_in, "/feed");
    assert!(!ids.contains(&id));
}

#[tokio::test]
async fn a_namespace_is_ended_by_the_server_and_the_other_goes_on() {
    let mut app = start(two());
    let mut client = app.client("/feed").await;
    client.enter("/alerts").await;
    client.say(r#"42/alerts,["subscribe",{"topic":"tick"}]"#).await;
    client.hear().await;
    let feed = app.news.find("it is there", |event| match event {
        Event::Connected { namespace, client, .. } if &**namespace == "/feed" => Some(*client),
        _ => None,
    });
    let feed = feed.await;
    assert!(app.fence.disconnect(feed).await);
    assert_eq!(client.hear().await, Packet { namespace: "/feed".into(), kind: Kind::Disconnect });
    assert_eq!(app.news.left().await, CloseReason::Server);
    assert!(!app.fence.disconnect(feed).await, "it is gone");
    app.publish("/alerts", "tick", "1").await;
    assert_eq!(client.hear().await.namespace, "/alerts");
    client.enter("/feed").await;
    drop(client);
    // The second life of `/feed`, and `/alerts`.
    for _ in 0..2 {
        assert!(matches!(app.news.left().await, CloseReason::Client | CloseReason::Transport));
    }
}

#[tokio::test]
async fn a_second_connect_to_the_same_namespace_changes_nothing() {
    let app = start(two());
    let mut client = app.subscriber("/feed", "tick").await;
    client.say("40/feed,").await;
    client.hears_nothing().await;
    let payload = streamfence_runtime::Payload::serialize(&1).expect("a number is JSON");
    assert_eq!(app.fence.publish("/feed", "tick", payload).await.expect("the topic exists").matched, 1);
    assert_eq!(client.event().await.0, "tick");
    client.hears_nothing().await;
}

#[tokio::test]
async fn a_namespace_of_nobody_is_refused_and_the_connection_lives() {
    let app = start(two());
    let mut client = Client::open(app.dial().await, "/feed").await;
    client.say("40/nowhere,").await;
    let packet = client.hear().await;
    assert_eq!(packet.namespace, "/nowhere");
    assert!(matches!(packet.kind, Kind::ConnectError(_)));
    client.enter("/feed").await;
    client.hears_nothing().await;
}

#[tokio::test]
async fn an_event_for_a_namespace_that_was_not_entered_ends_the_connection() {
    let mut app = start(two());
    let mut client = app.client("/alerts").await;
    client.say(r#"42/feed,["subscribe",{"topic":"tick"}]"#).await;
    client.ended().await;
    assert!(matches!(app.news.left().await, CloseReason::Client | CloseReason::Protocol));
}
