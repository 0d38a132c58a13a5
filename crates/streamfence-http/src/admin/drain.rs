//! `POST /admin/v1/drain`: the process takes no more clients and messages, flushes what it has, and ends.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::query::Order;
use crate::api::Api;
use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {}

#[derive(Serialize)]
pub(super) struct Draining {
    state: &'static str,
}

pub(super) async fn drain(
    State(api): State<Api>,
    Order(Wanted {}): Order<Wanted>,
) -> Result<(StatusCode, Json<Draining>), Problem> {
    api.process.drain().await.map_err(|why| Problem::not_available(why.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(Draining { state: "draining" })))
}
