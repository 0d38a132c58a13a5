//! `POST /admin/v1/drain`: the process takes no more clients and messages, flushes what it has, and ends.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OF_AN_ORDER;
use super::query::{Order, by};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};
use crate::route::Route;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {}

#[derive(Serialize, JsonSchema)]
pub(super) struct Draining {
    state: &'static str,
}

pub(super) fn route() -> Route {
    Route::post("/admin/v1/drain", drain, "Take no more, flush what waits, and end, as for SIGTERM")
        .needs(Scope::Admin)
        .takes::<Drain>()
        .answers::<Draining>(StatusCode::ACCEPTED, "It has begun.")
        .fails(OF_AN_ORDER)
        .fails([Code::NotAvailable])
}

pub(super) async fn drain(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Order(Drain {}): Order<Drain>,
) -> Result<(StatusCode, Json<Draining>), Problem> {
    api.process.drain().await.map_err(|why| Problem::new(Code::NotAvailable, why.to_string()))?;
    tracing::warn!(code = "drain_by_admin", by = by(&caller), "the process is to drain and end");
    Ok((StatusCode::ACCEPTED, Json(Draining { state: "draining" })))
}
