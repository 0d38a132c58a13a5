//! Bodies that take their time.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream;
use serde_json::json;
use streamfence_http::{KeyHolder, Keys, Scope};
use streamfence_runtime::memory::MemoryClient;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::common::{Ask, fence, post, publish, routes, routes_with, tick};

const JSON: &str = "application/json";

/// A body that comes in pieces, and ends when nobody can say more.
fn body() -> (mpsc::Sender<String>, Body) {
    let (say, said) = mpsc::channel(1);
    let body = stream::unfold(said, |mut said: mpsc::Receiver<String>| async move {
        let text = said.recv().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), said))
    });
    (say, Body::from_stream(body))
}

/// Each route that reads its body whole.
fn each(body: impl Fn() -> Body) -> Vec<(&'static str, Ask)> {
    [
        "/v1/publish",
        "/v1/publish/batch",
        "/v1/namespaces/feed/topics/tick/messages",
        "/admin/v1/disconnect",
        "/admin/v1/reload",
        "/admin/v1/drain",
    ]
    .map(|path| (path, post(path, JSON, body())))
    .into()
}

#[tokio::test(start_paused = true)]
async fn a_body_is_waited_for_for_half_a_minute() {
    let routes = routes(&fence());
    let (_say, endless) = body();
    let began = Instant::now();
    let late = post("/v1/publish", JSON, endless).of(&routes).await;
    assert_eq!((late.status, late.code()), (StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT"));
    assert_eq!(began.elapsed().as_secs(), 30);
    for (path, ask) in each(|| Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())) {
        assert_eq!(ask.of(&routes).await.code(), "REQUEST_TIMEOUT", "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_slow_and_there_in_time_is_taken() {
    let routes = routes(&fence());
    let (say, slow) = body();
    let text = tick(json!(1)).to_string();
    let writing = async move {
        for part in [&text[..9], &text[9..]] {
            tokio::time::sleep(Duration::from_secs(14)).await;
            say.send(part.to_owned()).await.expect("it is read");
        }
    };
    let (answer, ()) = tokio::join!(post("/v1/publish", JSON, slow).of(&routes), writing);
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_key_that_goes_while_a_body_is_under_way_opens_nothing() {
    let fence = fence();
    let of = |key: &str| {
        Keys::new([
            KeyHolder::new("backend", [Scope::Publish, Scope::Admin]).key(key),
            KeyHolder::new("other", [Scope::Publish]).key("other"),
        ])
        .expect("they are sound")
    };
    let mut client = MemoryClient::connect(&fence, "/feed", 100);
    client.subscribe("tick").await;
    let (paths, text) = (each(Body::empty), tick(json!("of a key that is gone")).to_string());
    for (path, _) in paths {
        let keys = of("first");
        let routes = routes_with(&fence, &keys);
        let (say, slow) = body();
        let ask = post(path, JSON, slow).header("authorization", "Bearer first");
        let replacing = async {
            // The second piece is taken once the first is read: the key was looked at by then.
            for part in [&text[..9], &text[9..20]] {
                say.send(part.to_owned()).await.expect("it is read");
            }
            keys.adopt(&of("second"));
            say.send(text[20..].to_owned()).await.expect("it is read");
            drop(say);
        };
        let (answer, ()) = tokio::join!(ask.of(&routes), replacing);
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"), "{path}");
    }
    let last = publish(&tick(json!("the first to come"))).of(&routes(&fence)).await;
    assert_eq!(Some(client.recv().await.id.to_string().as_str()), last.body["id"].as_str());
}
