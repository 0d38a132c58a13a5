//! A publisher's place in a distributed trace is heard in every form of publishing.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use streamfence_runtime::{Fence, Namespace, TraceContext, TracedDelivery, TracedPublish, Tracer};

use crate::common::{post, routes};

/// Remembers what publishers say, and records nothing.
#[derive(Default)]
struct Heard(Mutex<Vec<Option<String>>>);

impl Tracer for Heard {
    fn begin(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
        let said = parent.map(|parent| format!("{parent} {}", parent.state.as_deref().unwrap_or("-")));
        self.0.lock().expect("no panic").push(said);
        None
    }

    fn published(&self, _: TracedPublish) {}

    fn delivered(&self, _: TracedDelivery) {}
}

const AROUND: &str = "00-11111111111111111111111111111111-1111111111111111-01";
const WITHIN: &str = "00-22222222222222222222222222222222-2222222222222222-01";

#[tokio::test]
async fn the_header_counts_for_every_message_that_says_nothing_itself() {
    let heard = Arc::new(Heard::default());
    let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).tracer(heard.clone());
    let routes = routes(&fence.build().expect("the catalog is valid"));
    let plain = r#"{"namespace":"/feed","topic":"tick","payload":1}"#;
    let own =
        format!(r#"{{"namespace":"/feed","topic":"tick","payload":1,"traceparent":"{WITHIN}","tracestate":"b=2"}}"#);
    let (batch, lines) = (format!(r#"{{"messages":[{plain},{own}]}}"#), format!("{plain}\n{own}\n"));
    let (around, within) = (Some(format!("{AROUND} a=1")), Some(format!("{WITHIN} b=2")));
    for (path, kind, body, wanted) in [
        ("/v1/publish", "application/json", plain, vec![&around]),
        ("/v1/publish", "application/json", &own, vec![&within]),
        ("/v1/publish/batch", "application/json", &batch, vec![&around, &within]),
        ("/v1/publish/stream", "application/x-ndjson", &lines, vec![&around, &within]),
        ("/v1/namespaces/feed/topics/tick/messages", "application/json", "1", vec![&around]),
    ] {
        let ask = || post(path, kind, body.to_owned());
        let answer = ask().header("traceparent", AROUND).header("tracestate", "a=1").of_any(&routes).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        let said = std::mem::take(&mut *heard.0.lock().expect("no panic"));
        assert_eq!(said.iter().collect::<Vec<_>>(), wanted, "{path}");
        // What is wrong in a header is as if it were not there.
        assert!(ask().header("traceparent", "nonsense").of_any(&routes).await.status.is_success());
        let said = std::mem::take(&mut *heard.0.lock().expect("no panic"));
        let wanted: Vec<_> = wanted.into_iter().map(|said| said.as_ref().filter(|_| *said == within)).collect();
        assert_eq!(said.iter().map(Option::as_ref).collect::<Vec<_>>(), wanted, "{path}");
    }
}

#[tokio::test]
async fn a_message_that_says_nonsense_is_told_so() {
    let routes = routes(&crate::common::fence());
    let wrong = r#"{"namespace":"/feed","topic":"tick","payload":1,"traceparent":"00-12-34-01"}"#;
    let answer = post("/v1/publish", "application/json", wrong).of(&routes).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    assert!(answer.body["detail"].as_str().is_some_and(|why| why.contains("00-12-34-01")), "{answer:?}");
}
