//! Keys, as routes ask for them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use streamfence_http::{KeyHolder, Keys, Scope};

use crate::common::{fence, post, publish, routes_with, tick};

fn keys() -> Keys {
    Keys::new([
        KeyHolder::new("backend", [Scope::Publish]).key("publish").topics(["/feed/*"]),
        KeyHolder::new("eyes", [Scope::Read]).key("read"),
    ])
    .expect("they are sound")
}

#[tokio::test]
async fn every_route_that_the_document_says_needs_a_key_does() {
    let routes = routes_with(&fence(), &keys());
    let document = streamfence_http::document();
    let mut open = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let ask = |key: &str| {
                let ask = post(path, "", "").method(method);
                if key.is_empty() { ask } else { ask.header("authorization", &format!("Bearer {key}")) }
            };
            let Some(scope) = operation["security"][0]["key"][0].as_str() else {
                open.push(path.as_str());
                // A file that there is, where any may be asked for.
                let ask = post(&path.replace("{file}", "main.js"), "", "").method(method);
                assert!(ask.of_any(&routes).await.status.is_success(), "{path}");
                continue;
            };
            for (key, wanted) in [("", StatusCode::UNAUTHORIZED), ("wrong", StatusCode::UNAUTHORIZED)] {
                let answer = ask(key).of_any(&routes).await;
                assert_eq!(answer.status, wanted, "{method} {path} {key}");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
            let other = if scope == "publish" { "read" } else { "publish" };
            let answer = ask(other).of(&routes).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "FORBIDDEN"), "{method} {path}");
        }
    }
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert!(open.contains(&path), "{open:?}");
    }
}

#[tokio::test]
async fn a_key_for_some_topics_opens_no_other_whatever_the_route() {
    let routes = routes_with(&fence(), &keys());
    let alert = json!({"namespace": "/alerts", "topic": "alert", "payload": 1});
    let batch = json!({"messages": [tick(json!(1)), alert]}).to_string();
    let lines = format!("{}\n{alert}\n", tick(json!(1)));
    let ask = |ask: crate::common::Ask| ask.header("authorization", "Bearer publish").of(&routes);
    assert_eq!(ask(publish(&tick(json!(1)))).await.status, StatusCode::ACCEPTED);
    assert_eq!(ask(publish(&alert)).await.code(), "FORBIDDEN");
    let raw = ask(post("/v1/namespaces/alerts/topics/alert/messages", "application/json", "1")).await;
    assert_eq!(raw.code(), "FORBIDDEN");
    let codes = |entries: &Value| -> Vec<_> {
        entries
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["code"].as_str().unwrap_or("").to_owned())
            .collect()
    };
    let batch = ask(post("/v1/publish/batch", "application/json", batch)).await;
    assert_eq!(codes(&batch.body["results"]), ["", "FORBIDDEN"]);
    let lines = ask(post("/v1/publish/stream", "application/x-ndjson", lines)).await;
    assert_eq!(codes(&lines.body), ["", "FORBIDDEN"]);
}

#[tokio::test]
async fn with_keys_it_matters_not_how_a_host_is_called_and_without_it_does() {
    let (fence, keys) = (fence(), keys());
    let routes = routes_with(&fence, &keys);
    let ask = || {
        let ask = publish(&tick(json!(1))).header("authorization", "Bearer publish");
        ask.header("host", "admin.example").header("origin", "https://elsewhere.example")
    };
    assert_eq!(ask().of(&routes).await.status, StatusCode::ACCEPTED);
    keys.adopt(&Keys::none());
    assert_eq!(ask().of(&routes).await.code(), "FORBIDDEN_HOST");
    assert_eq!(ask().header("host", "127.0.0.1:1").of(&routes).await.code(), "FORBIDDEN_ORIGIN");
    let same = ask().header("host", "127.0.0.1:1").header("origin", "http://127.0.0.1:1");
    assert_eq!(same.of(&routes).await.status, StatusCode::ACCEPTED);
}
