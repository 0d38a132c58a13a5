//! A fence behind its routes, and what asks it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use streamfence_http::{Api, Keys, loopback_hosts_only, router};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{AtLeastOnce, Fence, Namespace};
use tower::ServiceExt;

/// A fence with a topic that holds one message a client, and one that is acked.
pub(crate) fn fence() -> Fence {
    let feed = Namespace::new("/feed").topic("tick").topic("photo").max_queued_messages(1);
    let promise = AtLeastOnce::default().window(4).ack_timeout(std::time::Duration::from_secs(60)).max_retries(1);
    let alerts = Namespace::new("/alerts").topic("alert").topic("a b/c").at_least_once(promise);
    Fence::builder().namespace(feed).namespace(alerts).build().expect("the catalog is valid")
}

pub(crate) fn routes(fence: &Fence) -> Router {
    routes_with(fence, &Keys::none())
}

pub(crate) fn routes_with(fence: &Fence, keys: &Keys) -> Router {
    let api = Api::new(fence.clone(), || "numbers\n".to_owned()).keys(keys.clone());
    loopback_hosts_only(router(api), keys)
}

/// A client of the topic `tick` that reads nothing.
pub(crate) async fn stuck(fence: &Fence) -> MemoryClient {
    let mut client = MemoryClient::connect(fence, "/feed", 1);
    client.subscribe("tick").await;
    client.set_capacity(0);
    client
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// JSON; a list of the lines where it is several.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn kind(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().expect("it is text"))
    }

    /// Reads several values, a line each, as a list of them.
    fn read(mut self) -> Self {
        if let Value::String(lines) = &self.body {
            self.body =
                lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON")).collect();
        }
        self
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// A request to be dressed with headers.
pub(crate) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Body,
}

pub(crate) fn post(path: &str, kind: &str, body: impl Into<Body>) -> Ask {
    let headers = vec![("host".to_owned(), "localhost:9093".to_owned()), ("content-type".to_owned(), kind.to_owned())];
    Ask { method: Method::POST, path: path.to_owned(), headers, body: body.into() }
}

/// A publish of this message.
pub(crate) fn publish(message: &Value) -> Ask {
    post("/v1/publish", "application/json", message.to_string())
}

/// A message for the topic of one place.
pub(crate) fn tick(payload: Value) -> Value {
    json!({"namespace": "/feed", "topic": "tick", "payload": payload})
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.to_ascii_uppercase().parse().expect("it is a method");
        self
    }

    pub(crate) fn request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(self.body).expect("the request is well formed")
    }

    /// Asks, and reads the answer as JSON.
    pub(crate) async fn of(self, routes: &Router) -> Answer {
        self.of_any(routes).await.read()
    }

    /// The same where it may be anything.
    pub(crate) async fn of_any(self, routes: &Router) -> Answer {
        let response = routes.clone().oneshot(self.request()).await.expect("a router always answers");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.expect("the body is small");
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8(body.to_vec()).expect("it is text")));
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
