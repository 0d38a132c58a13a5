//! `GET /admin/v1/servers`: where clients connect.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::api::Api;
use crate::process::ServerState;

#[derive(Serialize)]
pub(super) struct Servers {
    servers: Vec<ServerState>,
}

pub(super) async fn servers(State(api): State<Api>) -> Json<Servers> {
    Json(Servers { servers: api.process.servers() })
}
