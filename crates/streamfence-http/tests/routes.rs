//! Every route, and each of its documented errors, as a backend sees them.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use streamfence_http::{Api, Keys, loopback_hosts_only, router};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{Fence, Namespace};
use tower::ServiceExt;

fn fence() -> Fence {
    let feed = Namespace::new("/feed").topic("tick").topic("photo").max_queued_messages(1);
    Fence::builder().namespace(feed).build().expect("the catalog is valid")
}

fn routes(fence: &Fence) -> Router {
    loopback_hosts_only(router(Api::new(fence.clone(), || "numbers\n".to_owned())), &Keys::none())
}

async fn ask(routes: &Router, request: Request<Body>) -> (StatusCode, String, Value) {
    let response = routes.clone().oneshot(request).await.expect("a router always answers");
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().expect("it is text").to_owned());
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("the body is small");
    let value = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8(body.to_vec()).expect("it is text")));
    (status, kind.unwrap_or_default(), value)
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/v1/publish")
        .header(header::HOST, "localhost:9093")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .expect("the request is well formed")
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header(header::HOST, "127.0.0.1").body(Body::empty()).expect("the request is well formed")
}

#[tokio::test]
async fn a_publish_answers_with_what_became_of_it() {
    let fence = fence();
    let routes = routes(&fence);
    let mut client = MemoryClient::connect(&fence, "/feed", 1);
    client.subscribe("tick").await;
    client.set_capacity(0);
    let body = json!({"namespace": "/feed", "topic": "tick", "payload": {"n": 1}}).to_string();
    let (status, _, first) = ask(&routes, post(body.clone())).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!((&first["matched"], &first["admitted"], &first["rejected"]), (&json!(1), &json!(1), &json!(0)));
    let (status, _, second) = ask(&routes, post(body)).await;
    assert_eq!((status, &second["rejected"]), (StatusCode::ACCEPTED, &json!(1)), "the lane is full");
    client.set_capacity(8);
    let heard = client.recv().await;
    assert_eq!((heard.text(), Some(heard.id.to_string().as_str())), (r#"{"n":1}"#, first["id"].as_str()));
}

#[tokio::test]
async fn null_is_a_payload() {
    let fence = fence();
    let body = r#"{"namespace":"/feed","topic":"tick","payload":null}"#;
    assert_eq!(ask(&routes(&fence), post(body)).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_message_can_go_to_one_client_and_be_binary() {
    let fence = fence();
    let routes = routes(&fence);
    let mut client = MemoryClient::connect(&fence, "/feed", 8);
    client.subscribe("photo").await;
    let to = client.id().to_string();
    let body = json!({"namespace": "/feed", "topic": "photo", "payloadBase64": "iVBORw==", "to": to}).to_string();
    let (status, _, report) = ask(&routes, post(body)).await;
    assert_eq!((status, &report["matched"]), (StatusCode::ACCEPTED, &json!(1)));
    assert_eq!(client.recv().await.text(), r#"{"_placeholder":true,"num":0}"#);
}

#[tokio::test]
async fn a_message_can_go_to_several_to_a_principal_and_past_some() {
    let fence = fence();
    let routes = routes(&fence);
    let mut clients = Vec::new();
    for principal in ["ann", "ann", "bob"] {
        let mut client = MemoryClient::connect_as(&fence, "/feed", 8, principal, None);
        client.subscribe("photo").await;
        clients.push(client);
    }
    let ids: Vec<_> = clients.iter().map(|client| client.id().to_string()).collect();
    let stranger = "AAAAAAAAAAAAAAAA";
    let audiences = [
        (json!({"to": [ids[0], ids[2], stranger]}), 2),
        (json!({"to": []}), 0),
        (json!({"to": {"principal": "ann"}}), 2),
        (json!({"to": {"principal": "nobody"}}), 0),
        (json!({"except": [ids[0], stranger]}), 2),
        (json!({"to": {"principal": "ann"}, "except": [ids[1]]}), 1),
        (json!({"to": null, "except": []}), 3),
    ];
    for (audience, matched) in audiences {
        let mut body = json!({"namespace": "/feed", "topic": "photo", "payload": 1});
        body.as_object_mut().expect("an object").extend(audience.as_object().expect("an object").clone());
        let (status, _, report) = ask(&routes, post(body.to_string())).await;
        assert_eq!((status, &report["matched"]), (StatusCode::ACCEPTED, &json!(matched)), "{audience}");
    }
    let many = json!({"namespace": "/feed", "topic": "photo", "payload": 1, "except": vec![stranger; 1_000]});
    assert_eq!(ask(&routes, post(many.to_string())).await.0, StatusCode::ACCEPTED);
    for key in ["to", "except"] {
        let mut many = json!({"namespace": "/feed", "topic": "photo", "payload": 1});
        many[key] = json!(vec![stranger; 1_001]);
        let (status, _, problem) = ask(&routes, post(many.to_string())).await;
        let detail = format!("{key} names 1001 clients; wanted at most 1000");
        assert_eq!((status, &problem["detail"]), (StatusCode::BAD_REQUEST, &json!(detail)));
    }
}

#[tokio::test]
async fn it_is_not_ready_while_it_is_over_its_memory_budget() {
    let feed = Namespace::new("/feed").topic("tick").max_queued_bytes(1 << 30).max_queued_messages(1_000);
    let fence = Fence::builder().namespace(feed).memory_budget(1 << 16).build().expect("the catalog is valid");
    let routes = routes(&fence);
    let mut client = MemoryClient::connect(&fence, "/feed", 1);
    client.subscribe("tick").await;
    client.set_capacity(0);
    let body = json!({"namespace": "/feed", "topic": "tick", "payload": "x".repeat(1_000)}).to_string();
    let mut rejected = 0;
    for _ in 0..100 {
        let (status, _, report) = ask(&routes, post(body.clone())).await;
        assert_eq!(status, StatusCode::ACCEPTED, "that lanes refuse it is no error of the publisher's");
        rejected += report["rejected"].as_u64().expect("a number");
    }
    assert!((30..70).contains(&rejected), "{rejected}");
    assert_eq!(ask(&routes, get("/readyz")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(&routes, get("/healthz")).await.0, StatusCode::OK);
    client.set_capacity(1_000);
    while fence.is_over_budget() {
        client.recv().await;
    }
    assert_eq!(ask(&routes, get("/readyz")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_wrong_is_a_problem_that_names_it() {
    let fence = fence();
    let routes = routes(&fence);
    let large = format!(r#"{{"namespace":"/feed","topic":"tick","payload":"{}"}}"#, "x".repeat(1 << 20));
    let wrong = [
        ("", 400, "BAD_REQUEST", "EOF"),
        ("[]", 400, "BAD_REQUEST", "invalid"),
        (r#"{"namespace":"/feed","topic":"tick"}"#, 400, "BAD_REQUEST", "payload or payloadBase64"),
        (
            r#"{"namespace":"/feed","topic":"tick","payload":1,"payloadBase64":""}"#,
            400,
            "BAD_REQUEST",
            "one of the two",
        ),
        (r#"{"namespace":"/feed","topic":"tick","payloadBase64":"?"}"#, 400, "BAD_REQUEST", "payloadBase64"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"ttlMs":0}"#, 400, "BAD_REQUEST", "nonzero"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"wait":1}"#, 400, "BAD_REQUEST", "wait"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"to":"me"}"#, 400, "BAD_REQUEST", "16 characters"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"to":["me"]}"#, 400, "BAD_REQUEST", "16 characters"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"to":5}"#, 400, "BAD_REQUEST", "wanted a client id"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"to":{"name":"ann"}}"#, 400, "BAD_REQUEST", "principal"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"except":["me"]}"#, 400, "BAD_REQUEST", "except"),
        (r#"{"namespace":"/feed","topic":"tick","payload":1,"colour":5}"#, 400, "BAD_REQUEST", "colour"),
        (r#"{"namespace":"/nowhere","topic":"tick","payload":1}"#, 404, "UNKNOWN_TOPIC", "/nowhere"),
        (r#"{"namespace":"/feed","topic":"tock","payload":1}"#, 404, "UNKNOWN_TOPIC", "tock"),
        (large.as_str(), 413, "PAYLOAD_TOO_LARGE", "bytes; wanted at most 1048576"),
    ];
    for (body, status, code, detail) in wrong {
        let (found, kind, problem) = ask(&routes, post(body.to_owned())).await;
        let shown = &body[..body.len().min(80)];
        assert_eq!((found.as_u16(), kind.as_str()), (status, "application/problem+json"), "{shown}: {problem}");
        assert_eq!(problem["code"], code, "{shown}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(detail)), "{shown}: {problem}");
    }
}

#[tokio::test]
async fn a_foreign_page_can_neither_guess_nor_rebind_its_way_in() {
    let routes = routes(&fence());
    let simple = Request::post("/v1/publish")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from(r#"{"namespace":"/feed","topic":"tick","payload":1}"#))
        .expect("the request is well formed");
    assert_eq!(ask(&routes, simple).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let mut rebound = get("/metrics");
    rebound.headers_mut().insert(header::HOST, "evil.example".parse().expect("it is a header"));
    assert_eq!(ask(&routes, rebound).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn health_readiness_and_numbers_are_there_until_it_drains() {
    let fence = fence();
    let routes = routes(&fence);
    assert_eq!(ask(&routes, get("/healthz")).await.2, "ok\n");
    assert_eq!(ask(&routes, get("/readyz")).await.0, StatusCode::OK);
    let (status, kind, text) = ask(&routes, get("/metrics")).await;
    assert_eq!((status, text), (StatusCode::OK, json!("numbers\n")));
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert_eq!(ask(&routes, get("/nothing")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&routes, get("/v1/publish")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    fence.shutdown(Duration::ZERO).await;
    assert_eq!(ask(&routes, get("/readyz")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let body = r#"{"namespace":"/feed","topic":"tick","payload":1}"#;
    assert_eq!(ask(&routes, post(body)).await.0, StatusCode::SERVICE_UNAVAILABLE);
}
