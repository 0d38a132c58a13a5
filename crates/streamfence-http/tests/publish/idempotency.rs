//! Requests that are made twice.

use axum::http::StatusCode;
use serde_json::json;
use streamfence_http::{KeyHolder, Keys, Scope};
use streamfence_runtime::memory::MemoryClient;

use crate::common::{fence, post, publish, routes, routes_with, stuck, tick};

const KEY: &str = "idempotency-key";

#[tokio::test]
async fn the_same_request_is_answered_as_the_first_time_and_published_once() {
    let fence = fence();
    let routes = routes(&fence);
    let mut client = MemoryClient::connect(&fence, "/feed", 100);
    client.subscribe("photo").await;
    let photo = json!({"namespace": "/feed", "topic": "photo", "payload": 1});
    let mut named = photo.clone();
    named["id"] = json!("c");
    let ask = |name: &str| match name {
        "one" => publish(&photo).header(KEY, "a"),
        "raw" => post("/v1/namespaces/feed/topics/photo/messages", "application/json", "1").header(KEY, "b"),
        "id" => publish(&named),
        _ => post("/v1/publish/batch", "application/json", json!({"messages": [photo]}).to_string()).header(KEY, "d"),
    };
    for name in ["one", "raw", "id", "batch"] {
        let first = ask(name).of(&routes).await;
        assert!(first.status.is_success() && !first.is_replayed(), "{name}: {first:?}");
        client.recv().await;
        let second = ask(name).of(&routes).await;
        assert_eq!((second.status, &second.body), (first.status, &first.body), "{name}");
        assert!(second.is_replayed(), "{name}");
    }
    // The next is the next: nothing came twice.
    let last = publish(&photo).of(&routes).await;
    let heard = client.recv().await;
    assert_eq!(Some(heard.id.to_string().as_str()), last.body["id"].as_str());
}

#[tokio::test]
async fn messages_of_batches_and_streams_have_names_of_their_own() {
    let routes = routes(&fence());
    let mut named = tick(json!(1));
    named["id"] = json!("a");
    let batch = json!({"messages": [named, named]}).to_string();
    let answer = post("/v1/publish/batch", "application/json", batch).of(&routes).await;
    assert_eq!(answer.body["results"][0]["id"], answer.body["results"][1]["id"]);
    let line = post("/v1/publish/stream", "application/x-ndjson", named.to_string()).of(&routes).await;
    assert_eq!(line.body["id"], answer.body["results"][0]["id"], "it is the same message in another envelope");
    named["payload"] = json!(2);
    let line = post("/v1/publish/stream", "application/x-ndjson", named.to_string()).of(&routes).await;
    assert_eq!(line.body["code"], "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn who_asks_again_from_another_span_asks_the_same() {
    let routes = routes(&fence());
    let message = |span: u8, payload: u32| {
        let mut message = tick(json!(payload));
        message["id"] = json!("a");
        message["traceparent"] = json!(format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span:016x}-01"));
        message["tracestate"] = json!(format!("span={span}"));
        message
    };
    let ask = |form: &str, span: u8, payload: u32| {
        let message = message(span, payload);
        match form {
            "one" => publish(&message),
            "line" => post("/v1/publish/stream", "application/x-ndjson", message.to_string()),
            _ => post("/v1/publish/batch", "application/json", json!({"messages": [message]}).to_string()),
        }
    };
    let first = ask("one", 1, 1).of(&routes).await;
    let id = first.body["id"].to_string();
    for (span, form) in (2..).zip(["one", "line", "entry"]) {
        let again = ask(form, span, 1).of(&routes).await;
        assert!(again.body.to_string().contains(&id), "{form}: {again:?}");
        let other = ask(form, span, 2).of(&routes).await;
        assert!(other.body.to_string().contains("IDEMPOTENCY_CONFLICT"), "{form}: {other:?}");
    }
    let batch = |span, payload| ask("batch", span, payload).header(KEY, "b").of(&routes);
    let (first, again, other) = (batch(1, 1).await, batch(2, 1).await, batch(2, 2).await);
    assert_eq!((again.is_replayed(), &again.body), (true, &first.body));
    assert_eq!(other.code(), "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn what_was_published_to_some_is_not_published_again_and_what_was_not_is() {
    let fence = fence();
    let routes = routes(&fence);
    let _stuck = stuck(&fence).await;
    assert_eq!(publish(&tick(json!(1))).of(&routes).await.status, StatusCode::ACCEPTED);
    let mut reader = MemoryClient::connect(&fence, "/feed", 100);
    reader.subscribe("tick").await;
    let mut failing = tick(json!(2));
    failing["onFull"] = json!("fail");
    let first = publish(&failing).header(KEY, "a").of(&routes).await;
    let second = publish(&failing).header(KEY, "a").of(&routes).await;
    assert_eq!((first.code(), second.code()), ("QUEUE_FULL", "QUEUE_FULL"));
    assert_eq!((first.is_replayed(), second.is_replayed(), &first.body), (false, true, &second.body));
    assert_eq!(first.headers["retry-after"], "1");
    assert!(!second.headers.contains_key("retry-after"), "it is answered the same for five minutes: {second:?}");
    let nowhere = json!({"namespace": "/feed", "topic": "tock", "payload": 1});
    for _ in 0..2 {
        let unknown = publish(&nowhere).header(KEY, "b").of(&routes).await;
        assert_eq!((unknown.code(), unknown.is_replayed()), ("UNKNOWN_TOPIC", false));
    }
}

#[tokio::test]
async fn what_all_lanes_refused_is_published_when_it_is_asked_for_again() {
    const MESSAGES: &str = "/v1/namespaces/feed/topics/tick/messages?onFull=fail";
    let mut failing = tick(json!(2));
    failing["onFull"] = json!("fail");
    let mut named = failing.clone();
    named["id"] = json!("a");
    let batch = json!({"messages": [failing]}).to_string();
    let ask = |form: &str| match form {
        "one" => publish(&failing).header(KEY, "a"),
        "raw" => post(MESSAGES, "application/json", "2").header(KEY, "a"),
        "batch" => post("/v1/publish/batch", "application/json", batch.clone()).header(KEY, "a"),
        "entry" => post("/v1/publish/batch", "application/json", json!({"messages": [named]}).to_string()),
        _ => post("/v1/publish/stream", "application/x-ndjson", named.to_string()),
    };
    for form in ["one", "raw", "batch", "entry", "line"] {
        let fence = fence();
        let routes = routes(&fence);
        let mut full = stuck(&fence).await;
        assert_eq!(publish(&tick(json!(1))).of(&routes).await.status, StatusCode::ACCEPTED);
        for _ in 0..2 {
            let refused = ask(form).of(&routes).await;
            assert!(
                refused.body.to_string().contains("nobody has it") && !refused.is_replayed(),
                "{form}: {refused:?}"
            );
        }
        full.set_capacity(100);
        full.recv().await;
        let taken = ask(form).of(&routes).await;
        assert!(taken.body.to_string().contains(r#""admitted":1"#) && !taken.is_replayed(), "{form}: {taken:?}");
        full.recv().await;
    }
}

#[tokio::test]
async fn two_callers_may_use_the_same_word() {
    let holder = |name: &str| KeyHolder::new(name, [Scope::Publish]).key(name);
    let keys = Keys::new([holder("one"), holder("two")]).expect("they are sound");
    let routes = routes_with(&fence(), &keys);
    let ask = |who: &str, payload: u32| {
        publish(&tick(json!(payload))).header("authorization", &format!("Bearer {who}")).header(KEY, "a").of(&routes)
    };
    let (first, second) = (ask("one", 1).await, ask("two", 2).await);
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_ne!(first.body["id"], second.body["id"]);
    assert_eq!(ask("one", 2).await.code(), "IDEMPOTENCY_CONFLICT");
}
