//! `/demo/v1/clients`: what the dashboard asks to start clients that one can watch. Only the demo has it.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::role::Watched;
use super::visitors::{MOST, NotNow, Visitor, Visitors};

#[derive(Serialize)]
struct Clients {
    clients: Vec<Visitor>,
    /// How many there can be at once.
    most: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    kind: Watched,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    id: u64,
}

/// The routes. That they take JSON alone is what makes a browser ask before it lets a foreign page use them.
pub(crate) fn router(visitors: Visitors) -> Router {
    Router::new()
        .route("/demo/v1/clients", get(list))
        .route("/demo/v1/clients/start", post(start))
        .route("/demo/v1/clients/stop", post(stop))
        .with_state(visitors)
}

async fn list(State(visitors): State<Visitors>) -> Json<Clients> {
    Json(Clients { clients: visitors.list(), most: MOST })
}

async fn start(State(visitors): State<Visitors>, Json(Start { kind }): Json<Start>) -> Response {
    match visitors.start(kind) {
        Ok(()) => list(State(visitors)).await.into_response(),
        Err(NotNow::TooMany) => {
            let detail = format!("{MOST} such clients are the most; stop one first");
            problem(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", &detail)
        }
        Err(NotNow::TooEarly) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "NOT_READY", "the demo's server does not listen yet")
        }
    }
}

async fn stop(State(visitors): State<Visitors>, Json(Stop { id }): Json<Stop>) -> Json<Clients> {
    visitors.stop(id);
    list(State(visitors)).await
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({"title": title, "status": status.as_u16(), "code": code, "detail": detail});
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
