//! Each error that the document promises of a publish happens, and none that it does not.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use serde_json::{Value, json};
use streamfence_http::{KeyHolder, Keys, Scope};
use streamfence_runtime::{Fence, Hooks, Namespace, Payload, Veto};
use tower::ServiceExt as _;

use crate::common::{Answer, Ask, fence, post, publish, routes, routes_with, stuck, tick};

const ONE: &str = "/v1/publish";
const BATCH: &str = "/v1/publish/batch";
const RAW: &str = "/v1/namespaces/{ns}/topics/{topic}/messages";
const STREAM: &str = "/v1/publish/stream";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const TICK: &str = "/v1/namespaces/feed/topics/tick/messages";
const KEY: &str = "idempotency-key";

/// What happened, by route and code.
#[derive(Default)]
struct Seen(BTreeSet<(String, String)>);

impl Seen {
    /// Asks, and finds the problem that is wanted.
    async fn see(&mut self, path: &str, code: &str, ask: Ask, routes: &Router) -> Answer {
        let answer = ask.of(routes).await;
        assert_eq!((answer.code(), answer.kind()), (code, "application/problem+json"), "{path}: {answer:?}");
        let body = &answer.body;
        assert_eq!(body["status"], answer.status.as_u16(), "{path} {code}");
        assert_eq!(body["title"], answer.status.canonical_reason().unwrap_or_default());
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        self.0.insert((path.to_owned(), code.to_owned()));
        answer
    }
}

/// What the document promises, by route and code.
fn promised() -> BTreeSet<(String, String)> {
    let document = streamfence_http::document();
    let mut promised = BTreeSet::new();
    for path in [ONE, BATCH, RAW, STREAM] {
        let responses = document["paths"][path]["post"]["responses"].as_object().expect("responses");
        for response in responses.values() {
            let codes = &response["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"];
            for code in codes.as_array().into_iter().flatten() {
                promised.insert((path.to_owned(), code.as_str().expect("a code").to_owned()));
            }
        }
    }
    promised
}

fn raw(path: &str) -> Ask {
    post(path, JSON, "1")
}

fn batch() -> Ask {
    post(BATCH, JSON, json!({"messages": [tick(json!(1))]}).to_string())
}

fn stream() -> Ask {
    post(STREAM, NDJSON, "")
}

/// Never lets a message of the topic `photo` through, and keeps one of `tick` waiting until it is told.
struct Picky {
    has_begun: Mutex<mpsc::Sender<()>>,
    may_go: Mutex<mpsc::Receiver<()>>,
}

impl Hooks for Picky {
    fn on_broadcast(&self, _: &str, topic: &str, _: &Payload) -> Result<(), Veto> {
        if topic == "photo" {
            return Err(Veto::new("no photos"));
        }
        self.has_begun.lock().expect("no panic").send(()).expect("the test listens");
        self.may_go.lock().expect("no panic").recv().expect("the test lets it go");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_promised_error_happens() {
    let mut seen = Seen::default();
    let fence = fence();
    let routes = routes(&fence);
    let nowhere = json!({"namespace": "/feed", "topic": "tock", "payload": 1});

    seen.see(ONE, "BAD_REQUEST", post(ONE, JSON, "{"), &routes).await;
    seen.see(BATCH, "BAD_REQUEST", post(BATCH, JSON, "[]"), &routes).await;
    seen.see(RAW, "BAD_REQUEST", raw(&format!("{TICK}?ttlMs=x")), &routes).await;
    seen.see(STREAM, "BAD_REQUEST", stream().header(KEY, "a"), &routes).await;

    seen.see(ONE, "UNKNOWN_TOPIC", publish(&nowhere), &routes).await;
    seen.see(RAW, "UNKNOWN_TOPIC", raw("/v1/namespaces/nowhere/topics/tick/messages"), &routes).await;

    let large = "x".repeat((4 << 20) + 1);
    seen.see(ONE, "PAYLOAD_TOO_LARGE", post(ONE, JSON, large.clone()), &routes).await;
    seen.see(BATCH, "PAYLOAD_TOO_LARGE", post(BATCH, JSON, large.clone()), &routes).await;
    seen.see(RAW, "PAYLOAD_TOO_LARGE", post(TICK, "image/png", large), &routes).await;

    bodies_never_come(&mut seen);

    for path in [ONE, BATCH, STREAM] {
        seen.see(path, "UNSUPPORTED_MEDIA_TYPE", post(path, "text/plain", "{}"), &routes).await;
    }
    for (path, ask) in
        [(ONE, publish as fn(&Value) -> Ask), (BATCH, |_| batch()), (RAW, |_| raw(TICK)), (STREAM, |_| stream())]
    {
        let ask = || ask(&tick(json!(1)));
        seen.see(path, "FORBIDDEN_HOST", ask().header("host", "evil.example"), &routes).await;
        seen.see(path, "FORBIDDEN_ORIGIN", ask().header("origin", "http://evil.example"), &routes).await;
        let keys = Keys::new([
            KeyHolder::new("eyes", [Scope::Read]).key("read"),
            KeyHolder::new("backend", [Scope::Publish]).key("publish"),
        ]);
        let locked = routes_with(&fence, &keys.expect("they are sound"));
        seen.see(path, "UNAUTHORIZED", ask(), &locked).await;
        seen.see(path, "FORBIDDEN", ask().header("authorization", "Bearer read"), &locked).await;
    }

    for (path, first, second) in [
        (ONE, publish(&tick(json!(1))), publish(&tick(json!(2)))),
        (BATCH, batch(), post(BATCH, JSON, r#"{"messages":[]}"#)),
        (RAW, raw(TICK), raw(&format!("{TICK}?key=a"))),
    ] {
        assert!(first.header(KEY, path).of(&routes).await.status.is_success());
        seen.see(path, "IDEMPOTENCY_CONFLICT", second.header(KEY, path), &routes).await;
    }

    let _stuck = stuck(&fence).await;
    assert!(raw(TICK).of(&routes).await.status.is_success());
    let mut failing = tick(json!(1));
    failing["onFull"] = json!("fail");
    for (path, ask) in [(ONE, publish(&failing)), (RAW, raw(&format!("{TICK}?onFull=fail")))] {
        let full = seen.see(path, "QUEUE_FULL", ask, &routes).await;
        assert_eq!(
            (&full.body["report"]["rejected"], &full.headers["retry-after"]),
            (&json!(1), &"1".parse().expect("a header"))
        );
    }
    streams_run_out(&mut seen, &routes).await;
    keys_run_out(&mut seen).await;
    hooks_forbid_and_wait(&mut seen).await;

    fence.shutdown(Duration::ZERO).await;
    seen.see(ONE, "SHUTTING_DOWN", publish(&tick(json!(1))), &routes).await;
    seen.see(RAW, "SHUTTING_DOWN", raw(TICK), &routes).await;

    let missing: Vec<_> = promised().difference(&seen.0).cloned().collect();
    let surplus: Vec<_> = seen.0.difference(&promised()).cloned().collect();
    assert!(missing.is_empty() && surplus.is_empty(), "promised and not seen: {missing:?}; the other way: {surplus:?}");
}

/// Waits for bodies by a clock of its own.
fn bodies_never_come(seen: &mut Seen) {
    let waiting = || {
        let mut seen = Seen::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let routes = routes(&fence());
            for (path, target) in [(ONE, ONE), (BATCH, BATCH), (RAW, TICK)] {
                let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
                seen.see(path, "REQUEST_TIMEOUT", post(target, JSON, endless), &routes).await;
            }
        });
        seen
    };
    seen.0.extend(std::thread::scope(|scope| scope.spawn(waiting).join().expect("each was seen")).0);
}

async fn streams_run_out(seen: &mut Seen, routes: &Router) {
    let mut open = Vec::new();
    for _ in 0..256 {
        let ask = post(STREAM, NDJSON, Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>()));
        open.push(routes.clone().oneshot(ask.request()).await);
    }
    seen.see(STREAM, "LIMIT_EXCEEDED", stream(), routes).await;
}

/// Names as many requests as may have a name.
async fn keys_run_out(seen: &mut Seen) {
    let routes = routes(&fence());
    for hundred in 0..656 {
        let named = |number: usize| {
            let mut message = tick(json!(1));
            message["id"] = json!(format!("{hundred} {number}"));
            message
        };
        let messages: Vec<_> = (0..100).map(named).collect();
        assert!(post(BATCH, JSON, json!({"messages": messages}).to_string()).of(&routes).await.status.is_success());
    }
    for (path, ask) in [(ONE, publish(&tick(json!(1)))), (BATCH, batch()), (RAW, raw(TICK))] {
        seen.see(path, "LIMIT_EXCEEDED", ask.header(KEY, "one more"), &routes).await;
    }
}

async fn hooks_forbid_and_wait(seen: &mut Seen) {
    let (has_begun, begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let picky = Picky { has_begun: Mutex::new(has_begun), may_go: Mutex::new(may_go) };
    let feed = Namespace::new("/feed").topic("tick").topic("photo");
    let routes = routes(&Fence::builder().namespace(feed).hooks(picky).build().expect("the catalog is valid"));
    let photo = json!({"namespace": "/feed", "topic": "photo", "payload": 1});
    seen.see(ONE, "PUBLISH_REJECTED", publish(&photo), &routes).await;
    seen.see(RAW, "PUBLISH_REJECTED", raw("/v1/namespaces/feed/topics/photo/messages"), &routes).await;
    for (path, ask) in [(ONE, (|| publish(&tick(json!(1)))) as fn() -> Ask), (BATCH, batch), (RAW, || raw(TICK))] {
        let first = tokio::spawn({
            let routes = routes.clone();
            async move { ask().header(KEY, path).of(&routes).await }
        });
        tokio::task::block_in_place(|| begun.recv()).expect("it begins");
        seen.see(path, "IDEMPOTENCY_IN_FLIGHT", ask().header(KEY, path), &routes).await;
        go.send(()).expect("it waits");
        assert!(first.await.expect("no panic").status.is_success());
    }
}
