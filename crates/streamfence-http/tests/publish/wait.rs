//! Publishes that are answered when clients have acked.

use axum::http::StatusCode;
use serde_json::{Value, json};
use streamfence_runtime::memory::MemoryClient;

use crate::common::{Answer, fence, publish, routes, tick};

fn alert(wait: Value) -> Value {
    json!({"namespace": "/alerts", "topic": "alert", "payload": 1, "wait": wait})
}

#[tokio::test]
async fn the_answer_says_who_has_acked() {
    let fence = fence();
    let routes = routes(&fence);
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = MemoryClient::connect(&fence, "/alerts", 8);
        client.subscribe("alert").await;
        clients.push(client);
    }
    let ids: Vec<_> = clients.iter().map(|client| client.id().to_string()).collect();
    for (count, acking) in [(json!("all"), 2), (Value::Null, 2), (json!(1), 1)] {
        let mut wait = json!({"for": "acked", "timeoutMs": 60_000});
        if !count.is_null() {
            wait["count"] = count.clone();
        }
        let asked = tokio::spawn({
            let routes = routes.clone();
            async move { publish(&alert(wait)).of(&routes).await }
        });
        for client in &mut clients[..acking] {
            let heard = client.recv().await;
            assert!(!asked.is_finished());
            client.ack("alert", heard.id);
        }
        let Answer { status, body, .. } = asked.await.expect("no panic");
        assert_eq!((status, &body["matched"]), (StatusCode::OK, &json!(2)), "{count}");
        let acked = &body["acked"];
        let wanted = (&json!(acking), &json!(acking), &json!(false));
        assert_eq!((&acked["wanted"], &acked["count"], &acked["timedOut"]), wanted, "{count}");
        let mut named: Vec<_> = acked["clients"].as_array().expect("a list").iter().map(|id| id.as_str()).collect();
        let mut meant: Vec<_> = ids[..acking].iter().map(|id| Some(id.as_str())).collect();
        named.sort_unstable();
        meant.sort_unstable();
        assert_eq!(named, meant);
        for client in &mut clients[acking..] {
            let heard = client.recv().await;
            client.ack("alert", heard.id);
        }
    }
    let late = publish(&alert(json!({"for": "acked", "timeoutMs": 1}))).of(&routes).await;
    let wanted = json!({"wanted": 2, "count": 0, "clients": [], "timedOut": true});
    assert_eq!((late.status, &late.body["acked"]), (StatusCode::OK, &wanted));
}

#[tokio::test]
async fn without_acks_to_wait_for_it_is_answered_as_any() {
    let routes = routes(&fence());
    let answer = publish(&alert(json!({"for": "enqueued"}))).of(&routes).await;
    assert_eq!((answer.status, &answer.body["acked"]), (StatusCode::ACCEPTED, &Value::Null));
    let answer = publish(&alert(json!({"for": "acked", "timeoutMs": 300_000}))).of(&routes).await;
    let wanted = json!({"wanted": 0, "count": 0, "clients": [], "timedOut": false});
    assert_eq!((answer.status, &answer.body["acked"]), (StatusCode::OK, &wanted));
}

#[tokio::test]
async fn what_cannot_be_waited_for_is_refused_and_nobody_has_it() {
    let fence = fence();
    let routes = routes(&fence);
    let mut unacked = tick(json!(1));
    unacked["wait"] = json!({"for": "acked", "timeoutMs": 1});
    let wrong = [
        (unacked, "is not at-least-once"),
        (alert(json!({"for": "acked"})), "without timeoutMs"),
        (alert(json!({"for": "acked", "timeoutMs": 0})), "nonzero"),
        (alert(json!({"for": "acked", "timeoutMs": 300_001})), "timeoutMs is 300001; wanted at most 300000"),
        (alert(json!({"for": "acked", "timeoutMs": 1, "count": 0})), "count: wanted a number from 1"),
        (alert(json!({"for": "acked", "timeoutMs": 1, "count": "most"})), "count: wanted a number from 1"),
        (alert(json!({"for": "enqueued", "timeoutMs": 1})), "takes no count and no timeoutMs"),
        (alert(json!({"for": "delivered", "timeoutMs": 1})), "delivered"),
        (alert(json!({"for": "acked", "timeoutMs": 1, "colour": 1})), "colour"),
        (alert(json!("acked")), "wait: wanted an object"),
    ];
    for (message, wanted) in wrong {
        let answer = publish(&message).of(&routes).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"), "{message}: {answer:?}");
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains(wanted)), "{message}: {answer:?}");
    }
    let first = publish(&json!({"namespace": "/alerts", "topic": "alert", "payload": 1})).of(&routes).await;
    assert!(first.body["id"].as_str().is_some_and(|id| id.ends_with(":1")), "{first:?}");
}

#[tokio::test]
async fn a_wait_has_a_name_as_any_request_and_goes_on_when_nobody_listens() {
    let fence = fence();
    let routes = routes(&fence);
    let mut client = MemoryClient::connect(&fence, "/alerts", 8);
    client.subscribe("alert").await;
    let mut message = alert(json!({"for": "acked", "timeoutMs": 60_000}));
    message["id"] = json!("a");
    let asked = tokio::spawn({
        let (routes, message) = (routes.clone(), message.clone());
        async move { publish(&message).of(&routes).await }
    });
    let heard = client.recv().await;
    asked.abort();
    assert_eq!(publish(&message).of(&routes).await.code(), "IDEMPOTENCY_IN_FLIGHT");
    client.ack("alert", heard.id);
    let answer = loop {
        let answer = publish(&message).of(&routes).await;
        if answer.code() != "IDEMPOTENCY_IN_FLIGHT" {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((answer.is_replayed(), &answer.body["acked"]["count"]), (true, &json!(1)));
}
