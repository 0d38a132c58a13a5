//! `GET /metrics`: the numbers, as they are now.

use axum::extract::State;
use axum::http::{HeaderName, header};

use crate::api::Api;

pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) async fn scrape(State(api): State<Api>) -> ([(HeaderName, &'static str); 1], String) {
    api.fence.flush_stats().await;
    ([(header::CONTENT_TYPE, OPEN_METRICS)], (api.metrics)())
}
