//! Messages for as long as it lasts.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::StatusCode;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use streamfence_http::{KeyHolder, Keys, Scope};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::common::{fence, post, routes, routes_with, tick};

const STREAM: &str = "/v1/publish/stream";
const NDJSON: &str = "application/x-ndjson";

/// A stream whose two ends are in this test's hands.
struct Open {
    say: mpsc::Sender<String>,
    hear: BodyDataStream,
    heard: String,
}

impl Open {
    async fn new(routes: &Router, key: &str) -> Self {
        let (say, said) = mpsc::channel(8);
        let body = stream::unfold(said, |mut said| async move {
            let text: String = said.recv().await?;
            Some((Ok::<_, Infallible>(Bytes::from(text)), said))
        });
        let ask = post(STREAM, NDJSON, Body::from_stream(body)).header("authorization", &format!("Bearer {key}"));
        let response = routes.clone().oneshot(ask.request()).await.expect("a router always answers");
        assert_eq!(response.status(), StatusCode::OK);
        Self { say, hear: response.into_body().into_data_stream(), heard: String::new() }
    }

    async fn say(&self, text: impl Into<String>) {
        self.say.send(text.into()).await.expect("the stream is read");
    }

    /// The next line of answer; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        while !self.heard.contains('\n') {
            let more = self.hear.next().await?.expect("it is not cut");
            self.heard.push_str(std::str::from_utf8(&more).expect("it is text"));
        }
        let (line, rest) = self.heard.split_once('\n').expect("there is a line");
        let line = serde_json::from_str(line).expect("each line is JSON");
        self.heard = rest.to_owned();
        Some(line)
    }
}

#[tokio::test]
async fn each_line_is_answered_while_the_next_is_still_unsaid() {
    let fence = fence();
    let mut open = Open::new(&routes(&fence), "").await;
    for number in 0..3 {
        open.say(format!("{}\n", tick(json!(number)))).await;
        let answer = open.next().await.expect("an answer");
        assert_eq!((&answer["status"], &answer["matched"]), (&json!(202), &json!(0)), "{answer}");
    }
    let line = tick(json!("in parts")).to_string();
    open.say(&line[..9]).await;
    open.say(format!("{}\r\n\n  \nnot json\n{}", &line[9..], tick(json!("the last")))).await;
    assert_eq!(open.next().await.expect("an answer")["status"], 202);
    let wrong = open.next().await.expect("an answer");
    assert_eq!((&wrong["status"], &wrong["code"]), (&json!(400), &json!("BAD_REQUEST")));
    open.say = mpsc::channel(8).0;
    assert_eq!(open.next().await.expect("the last line needs no end")["status"], 202);
    assert_eq!(open.next().await, None);
}

#[tokio::test]
async fn many_lines_at_once_are_answered_in_order() {
    let fence = fence();
    let lines: String = (0..500).map(|number| format!("{}\n", tick(json!(number)))).collect();
    let answer = post(STREAM, NDJSON, lines).of(&routes(&fence)).await;
    assert_eq!((answer.status, answer.kind()), (StatusCode::OK, NDJSON));
    let ids: Vec<_> = answer.body.as_array().expect("lines").iter().map(|line| line["id"].to_string()).collect();
    assert_eq!(ids.len(), 500);
    let offset = |id: &String| id.trim_matches('"').split_once(':').expect("an id").1.parse::<u64>().ok();
    assert!(ids.iter().map(offset).eq((1..=500).map(Some)), "{ids:?}");
    let nothing = post(STREAM, NDJSON, "").of(&routes(&fence)).await;
    assert_eq!((nothing.status, nothing.body), (StatusCode::OK, json!([])));
}

#[tokio::test]
async fn a_line_without_end_ends_the_stream() {
    let mut open = Open::new(&routes(&fence()), "").await;
    open.say(format!("{}\n", tick(json!(1)))).await;
    assert_eq!(open.next().await.expect("an answer")["status"], 202);
    open.say("x".repeat((1 << 20) + 1)).await;
    assert_eq!(open.next().await.expect("an answer")["code"], "PAYLOAD_TOO_LARGE");
    assert_eq!(open.next().await, None);
}

#[tokio::test]
async fn a_key_that_is_taken_away_ends_the_stream() {
    let fence = fence();
    let keys = Keys::new([KeyHolder::new("backend", [Scope::Publish]).key("first")]).expect("they are sound");
    let mut open = Open::new(&routes_with(&fence, &keys), "first").await;
    open.say(format!("{}\n", tick(json!(1)))).await;
    assert_eq!(open.next().await.expect("an answer")["status"], 202);
    keys.adopt(&Keys::new([KeyHolder::new("backend", [Scope::Publish]).key("second")]).expect("they are sound"));
    open.say(format!("{}\n", tick(json!(2)))).await;
    assert_eq!(open.next().await.expect("an answer")["code"], "UNAUTHORIZED");
    assert_eq!(open.next().await, None);
}

#[tokio::test]
async fn a_drain_ends_the_stream() {
    let fence = fence();
    let mut open = Open::new(&routes(&fence), "").await;
    fence.shutdown(Duration::ZERO).await;
    open.say(format!("{}\n", tick(json!(1)))).await;
    assert_eq!(open.next().await.expect("an answer")["code"], "SHUTTING_DOWN");
    assert_eq!(open.next().await, None);
}

#[tokio::test]
async fn a_silent_stream_ends_with_its_key_and_with_a_drain() {
    let fence = fence();
    let of = |key: &str| {
        let other = KeyHolder::new("other", [Scope::Publish]).key("other");
        Keys::new([KeyHolder::new("backend", [Scope::Publish]).key(key), other]).expect("they are sound")
    };
    let keys = of("first");
    let routes = routes_with(&fence, &keys);
    let (mut gone, mut kept) = (Open::new(&routes, "first").await, Open::new(&routes, "other").await);
    let replace = async {
        tokio::task::yield_now().await;
        keys.adopt(&of("second"));
    };
    let (last, ()) = tokio::join!(gone.next(), replace);
    assert_eq!(last.expect("a last word")["code"], "UNAUTHORIZED");
    assert_eq!(gone.next().await, None);
    kept.say(format!("{}\n", tick(json!(1)))).await;
    assert_eq!(kept.next().await.expect("an answer")["status"], 202);
    let (last, ()) = tokio::join!(kept.next(), fence.shutdown(Duration::ZERO));
    assert_eq!(last.expect("a last word")["code"], "SHUTTING_DOWN");
    assert_eq!(kept.next().await, None);
}

#[tokio::test]
async fn there_are_only_so_many_streams_and_one_that_ends_makes_room() {
    let routes = routes(&fence());
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(Open::new(&routes, "").await);
    }
    let refused = post(STREAM, NDJSON, "").of(&routes).await;
    assert_eq!((refused.code(), refused.headers["retry-after"].to_str().ok()), ("LIMIT_EXCEEDED", Some("1")));
    open.pop();
    assert_eq!(post(STREAM, NDJSON, "").of(&routes).await.status, StatusCode::OK);
}
