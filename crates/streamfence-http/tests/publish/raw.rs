//! Messages that are the body itself.

use axum::http::StatusCode;
use serde_json::json;
use streamfence_runtime::memory::MemoryClient;

use crate::common::{fence, post, routes, stuck};

#[tokio::test]
async fn a_body_is_json_if_it_says_so_and_bytes_if_not() {
    let fence = fence();
    let routes = routes(&fence);
    let mut client = MemoryClient::connect(&fence, "/feed", 8);
    client.subscribe("photo").await;
    let photo = "/v1/namespaces/feed/topics/photo/messages";
    for (kind, body, text) in [
        ("application/json; charset=utf-8", r#"{"n":1}"#, r#"{"n":1}"#),
        ("image/png", r#"{"n":1}"#, r#"{"_placeholder":true,"num":0}"#),
        ("", "", r#"{"_placeholder":true,"num":0}"#),
    ] {
        let answer = post(photo, kind, body).of(&routes).await;
        assert_eq!((answer.status, &answer.body["matched"]), (StatusCode::ACCEPTED, &json!(1)), "{kind}");
        let heard = client.recv().await;
        assert_eq!(heard.text(), text, "{kind}");
    }
    let broken = post(photo, "application/json", "{").of(&routes).await;
    assert_eq!((broken.status, broken.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
}

#[tokio::test]
async fn a_payload_that_nests_deep_is_refused_however_it_comes() {
    let routes = routes(&fence());
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (depth, wanted) in
        [(64, StatusCode::ACCEPTED), (65, StatusCode::BAD_REQUEST), (10_000, StatusCode::BAD_REQUEST)]
    {
        let payload = nested(depth);
        let message = format!(r#"{{"namespace":"/feed","topic":"tick","payload":{payload}}}"#);
        let batch = format!(r#"{{"messages":[{message}]}}"#);
        let raw = post("/v1/namespaces/feed/topics/tick/messages", "application/json", payload).of(&routes).await;
        let one = post("/v1/publish", "application/json", message.clone()).of(&routes).await;
        for answer in [&raw, &one] {
            assert_eq!(answer.status, wanted, "{depth}: {answer:?}");
            let is_told = answer.body["detail"].as_str().is_some_and(|why| why.contains("deeper than 64 levels"));
            assert_eq!(is_told, answer.code() == "BAD_REQUEST", "{depth}: {answer:?}");
        }
        let batch = post("/v1/publish/batch", "application/json", batch).of(&routes).await;
        assert_eq!(batch.body["results"][0]["status"], wanted.as_u16(), "{depth}: {batch:?}");
        let stream = post("/v1/publish/stream", "application/x-ndjson", message + "\n").of(&routes).await;
        assert_eq!(stream.body["status"], wanted.as_u16(), "{depth}: {stream:?}");
    }
}

#[tokio::test]
async fn what_stands_beside_a_body_stands_in_the_query() {
    let fence = fence();
    let routes = routes(&fence);
    let _first = stuck(&fence).await;
    let mut second = MemoryClient::connect(&fence, "/feed", 8);
    second.subscribe("tick").await;
    let tick = "/v1/namespaces/feed/topics/tick/messages";
    let ask = |query: String| post(&format!("{tick}{query}"), "application/json", "1").of(&routes);
    assert_eq!(ask(format!("?to={}", second.id())).await.body["matched"], 1);
    assert_eq!(ask(format!("?to={0},{0}&key=a%26b&ttlMs=1000", second.id())).await.body["matched"], 1);
    assert_eq!(ask(String::new()).await.body["matched"], 2);
    let full = ask("?onFull=fail".to_owned()).await;
    assert_eq!((full.code(), &full.body["report"]["rejected"]), ("QUEUE_FULL", &json!(1)));
    for (query, wanted) in
        [("?to=me", "16 characters"), ("?ttlMs=0", "ttlMs"), ("?onFull=burst", "onFull"), ("?colour=1", "colour")]
    {
        let answer = ask(query.to_owned()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"), "{query}");
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains(wanted)), "{query}: {answer:?}");
    }
}

#[tokio::test]
async fn any_name_can_be_said_in_a_path() {
    let fence = fence();
    let routes = routes(&fence);
    for (path, status) in [
        ("/v1/namespaces/alerts/topics/a%20b%2Fc/messages", StatusCode::ACCEPTED),
        ("/v1/namespaces/%2Falerts/topics/alert/messages", StatusCode::ACCEPTED),
        ("/v1/namespaces/alerts/topics/a%20b/messages", StatusCode::NOT_FOUND),
        ("/v1/namespaces/nowhere/topics/alert/messages", StatusCode::NOT_FOUND),
        ("/v1/namespaces/alerts/topics/%ff/messages", StatusCode::BAD_REQUEST),
    ] {
        let answer = post(path, "application/json", "1").of(&routes).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}
