//! `/admin/v1` where an application mounts it: without a process around it, and for readers that are too slow.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use serde_json::{Value, json};
use streamfence_http::{Api, router};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{Event, Fence, Namespace, Overflow, Payload};
use tower::ServiceExt;

fn fence() -> Fence {
    let feed = Namespace::new("/feed").topic("tick").best_effort(Overflow::DropOldest).max_queued_messages(2);
    Fence::builder().namespace(feed).shards(1).build().expect("the catalog is valid")
}

async fn ask(fence: &Fence, request: Request<Body>) -> Response {
    router(Api::new(fence.clone(), String::new)).oneshot(request).await.expect("it answers")
}

async fn get(fence: &Fence, path: &str) -> (StatusCode, Value) {
    read(ask(fence, Request::get(path).body(Body::empty()).expect("it is a request")).await).await
}

async fn post(fence: &Fence, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    read(ask(fence, request.body(Body::from(body.to_string())).expect("it is a request")).await).await
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("it ends");
    (status, serde_json::from_slice(&body).expect("it is JSON"))
}

/// The next pieces of a stream of events, until one has this in it.
async fn until(events: &mut BodyDataStream, wanted: &str) -> String {
    loop {
        let piece = events.next().await.expect("it goes on").expect("it is whole");
        let piece = String::from_utf8(piece.to_vec()).expect("it is text");
        if piece.contains(wanted) {
            return piece;
        }
    }
}

async fn events(fence: &Fence, query: &str) -> BodyDataStream {
    let request = Request::get(format!("/admin/v1/events{query}")).body(Body::empty()).expect("it is a request");
    let response = ask(fence, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut events = response.into_body().into_data_stream();
    until(&mut events, ": reading along").await;
    events
}

#[tokio::test(start_paused = true)]
async fn what_only_a_process_can_do_is_not_available_without_one() {
    let fence = fence();
    for (order, body) in [("reload", json!({})), ("drain", json!({})), ("log-level", json!({ "level": "debug" }))] {
        let (status, problem) = post(&fence, &format!("/admin/v1/{order}"), &body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_IMPLEMENTED, &json!("NOT_AVAILABLE")), "{order}");
    }
    let (_, info) = get(&fence, "/admin/v1/info").await;
    assert_eq!((&info["state"], info.get("configFile"), info.get("memory")), (&json!("running"), None, None));
    assert_eq!(get(&fence, "/admin/v1/servers").await, (StatusCode::OK, json!({ "servers": [] })));
    fence.shutdown(Duration::ZERO).await;
    assert_eq!(get(&fence, "/admin/v1/info").await.1["state"], "draining");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_in_a_query_is_not_passed_over() {
    let fence = fence();
    let client = MemoryClient::connect(&fence, "/feed", 1);
    let one = format!("clients/{}", client.id());
    let wrong = (StatusCode::BAD_REQUEST, &json!("BAD_REQUEST"));
    for path in ["info", "servers", "topics", "history", "clients", "slow", &one, "dead-letters", "events"] {
        let (status, problem) = get(&fence, &format!("/admin/v1/{path}?colour=red")).await;
        assert_eq!((status, &problem["code"]), wrong, "{path}");
        assert!(problem["detail"].as_str().is_some_and(|why| why.contains("colour")), "{path}: {problem}");
    }
    assert_eq!(get(&fence, "/admin/v1/topics?namespace=/nope").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(get(&fence, "/admin/v1/topics?").await.0, StatusCode::OK);
    let (status, problem) = post(&fence, "/admin/v1/disconnect?principal=ann", &json!({"principal": "bob"})).await;
    assert_eq!((status, &problem["code"]), wrong);
    let (status, _) = post(&fence, "/admin/v1/reload?dryRun=true", &json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "it would be no dry run");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_has_and_missed_is_told_whatever_its_transport_is() {
    let fence = fence();
    let mut client = MemoryClient::connect(&fence, "/feed", 1);
    client.subscribe("tick").await;
    for n in 0..9 {
        let payload = Payload::serialize(&n).expect("a number is JSON");
        fence.publish("/feed", "tick", payload).await.expect("the topic exists");
    }
    let (_, seen) = get(&fence, &format!("/admin/v1/clients/{}", client.id())).await;
    assert_eq!((&seen["transport"], &seen["reason"]), (&json!("other"), &json!("overflow")));
    assert_eq!(seen["lanes"][0]["dropped"]["displaced"], 6);
    let (_, topics) = get(&fence, "/admin/v1/topics").await;
    let topic = &topics["topics"][0];
    assert_eq!(
        (&topic["queued"], &topic["depthMax"], &topic["totals"]["displaced"]),
        (&json!(2), &json!(2), &json!(6))
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_too_slow_is_told_how_much_it_has_missed_and_goes_on() {
    let fence = fence();
    let mut late = events(&fence, "?kind=reload_refused").await;
    for n in 0..2_000 {
        fence.announce(&Event::ReloadRefused { reason: n.to_string().into() });
    }
    let missed = until(&mut late, "event: ").await;
    assert!(missed.contains("event: missed\n") && missed.contains(r#"data: {"count":976}"#), "{missed}");
    let next = until(&mut late, "event: ").await;
    assert!(next.contains(r#""reason":"976""#) && next.contains("id: 977\n"), "{next}");
    let last = until(&mut late, r#""reason":"1999""#).await;
    assert!(last.contains("id: 2000\n"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_to_whom_nothing_happens_hears_that_the_connection_lives() {
    let fence = fence();
    let mut quiet = events(&fence, "").await;
    let began = tokio::time::Instant::now();
    let beat = quiet.next().await.expect("it goes on").expect("it is whole");
    assert!(beat.starts_with(b":"), "a comment: {beat:?}");
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_pattern_has_the_events_of_all_topics_made_from_it() {
    let namespace = Namespace::new("/orders").topic("orders.*").topic("audit");
    let fence = Fence::builder().namespace(namespace).shards(1).build().expect("the catalog is valid");
    let mut all = events(&fence, "?kind=subscribed&topic=orders.*").await;
    let mut one = events(&fence, "?kind=subscribed&topic=orders.8").await;
    let mut client = MemoryClient::connect(&fence, "/orders", 8);
    for topic in ["audit", "orders.7", "orders.8"] {
        client.subscribe(topic).await;
    }
    let heard = [until(&mut all, "data").await, until(&mut all, "data").await, until(&mut one, "data").await];
    let wanted = ["orders.7", "orders.8", "orders.8"];
    assert!(heard.iter().zip(wanted).all(|(heard, wanted)| heard.contains(wanted)), "{heard:?}");
}
