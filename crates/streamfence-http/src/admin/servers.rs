//! `GET /admin/v1/servers`: where clients connect.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::query::{Nothing, Params};
use crate::api::Api;
use crate::keys::Scope;
use crate::problem::Code;
use crate::process::ServerState;
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Serialize, JsonSchema)]
pub(super) struct Servers {
    servers: Vec<ServerState>,
}

pub(super) fn route() -> Route {
    Route::get("/admin/v1/servers", servers, "Where clients connect")
        .needs(Scope::Read)
        .answers::<Servers>(StatusCode::OK, "Every server that listens.")
        .fails([Code::BadRequest])
}

pub(super) async fn servers(State(api): State<Api>, Params(Nothing {}): Params<Nothing>) -> Json<Servers> {
    Json(Servers { servers: api.process.servers() })
}
