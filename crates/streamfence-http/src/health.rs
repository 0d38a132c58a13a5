//! Whether the process lives, and whether it wants traffic. Constant bodies: nothing to learn here without a key.

use axum::extract::State;
use axum::http::StatusCode;

use crate::api::Api;

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(State(api): State<Api>) -> (StatusCode, &'static str) {
    if api.fence.has_failed() {
        (StatusCode::SERVICE_UNAVAILABLE, "failed\n")
    } else if api.fence.is_closing() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if api.fence.is_over_budget() {
        (StatusCode::SERVICE_UNAVAILABLE, "over budget\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}
