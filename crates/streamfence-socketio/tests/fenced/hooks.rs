//! What an application forbids its clients.

use serde_json::json;
use streamfence_core::{Event, RefusalReason};
use streamfence_runtime::{Asking, ClientPublish, Fence, FenceBuilder, Hooks, Namespace, Payload, Veto};

use crate::app::{App, start};
use crate::talk::{Client, Kind};

/// Forbids by name, and panics where it is told to.
struct House;

impl Hooks for House {
    fn on_connect(&self, asking: &Asking<'_>) -> Result<(), Veto> {
        if asking.namespace == "/closed" { Err(Veto::new("nobody comes in")) } else { Ok(()) }
    }

    fn on_subscribe(&self, asking: &Asking<'_>) -> Result<(), Veto> {
        assert!(asking.client.is_some() && asking.namespace == "/open");
        match asking.topic {
            Some("staff") => Err(Veto::new("staff only")),
            Some("bug") => panic!("a bug"),
            _ => Ok(()),
        }
    }

    fn on_publish(&self, asking: &Asking<'_>, payload: &Payload) -> Result<(), Veto> {
        assert_eq!(asking.topic, Some("talk"));
        if payload.json() == "\"rude\"" { Err(Veto::new("be polite")) } else { Ok(()) }
    }

    fn on_broadcast(&self, _: &str, _: &str, payload: &Payload) -> Result<(), Veto> {
        if payload.json() == "\"secret\"" { Err(Veto::new("not for all")) } else { Ok(()) }
    }
}

fn house() -> FenceBuilder {
    let open = Namespace::new("/open").client_publish(ClientPublish::Relay);
    let open = open.topic("talk").topic("staff").topic("bug");
    Fence::builder().namespace(open).namespace(Namespace::new("/closed").topic("talk")).hooks(House)
}

async fn refused(app: &mut App, wanted: RefusalReason) {
    app.news
        .find(wanted.as_str(), |event| {
            matches!(event, Event::Refused { reason, .. } if *reason == wanted).then_some(())
        })
        .await;
}

#[tokio::test]
async fn hooks_decide_who_comes_in_who_subscribes_and_who_publishes() {
    let mut app = start(house());
    let mut client = Client::open(app.dial().await, "/open").await;
    client.say("40/closed,").await;
    assert_eq!(client.hear().await.kind, Kind::ConnectError(json!({"message": "AUTH_REJECTED"})));
    refused(&mut app, RefusalReason::Veto).await;
    client.enter("/open").await;
    let answer = client.ask("subscribe", json!({"topics": ["talk", "staff"]})).await;
    assert_eq!((&answer["results"][0]["ok"], &answer["results"][1]["code"]), (&json!(true), &json!("AUTH_REJECTED")));
    assert_eq!(answer["results"][1]["message"], "staff only");
    client.expect("subscribed").await;
    assert_eq!(client.refusal().await, "AUTH_REJECTED");
    // A panic is a no, and the connection lives.
    client.emit("subscribe", json!({"topic": "bug"})).await;
    assert_eq!(client.refusal().await, "AUTH_REJECTED");
    refused(&mut app, RefusalReason::HookPanicked).await;
    for (payload, why) in [("rude", "be polite"), ("secret", "vetoed: not for all")] {
        let answer = client.ask("publish", json!({"topic": "talk", "payload": payload})).await;
        assert!(answer["code"] == "PUBLISH_REJECTED" || payload == "secret", "{answer}");
        if payload == "rude" {
            assert_eq!(client.expect("error").await["message"], why);
        } else {
            let reason = app
                .news
                .find("it was rejected", |event| match event {
                    Event::PublishRejected { reason, .. } => Some(reason.to_string()),
                    _ => None,
                })
                .await;
            assert_eq!(reason, why);
        }
    }
    client.emit("publish", json!({"topic": "talk", "payload": "hello"})).await;
    assert_eq!(client.event().await, ("talk".into(), vec![json!("hello")]));
    client.hears_nothing().await;
}
