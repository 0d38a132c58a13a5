//! `GET /admin/v1/info`: the process and everything in it, in numbers.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use streamfence_core::TopicStats;

use super::query::{Nothing, Params};
use super::totals::Totals;
use crate::api::Api;
use crate::keys::Scope;
use crate::problem::Code;
use crate::process::About;
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Info {
    version: String,
    state: &'static str,
    uptime_ms: u64,
    shards: usize,
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_level: Option<String>,
    connections: u64,
    sessions: u64,
    detached: u64,
    /// Clients that stay behind, those of `/admin/v1/slow`, as counted within the last second.
    slow: u64,
    lanes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    totals: Totals,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MemoryUse")]
struct Memory {
    used_bytes: u64,
    budget_bytes: u64,
}

pub(super) fn route() -> Route {
    Route::get("/admin/v1/info", info, "The process and everything in it, in numbers")
        .needs(Scope::Read)
        .answers::<Info>(StatusCode::OK, "As it stands now.")
        .fails([Code::BadRequest])
}

pub(super) async fn info(State(api): State<Api>, Params(Nothing {}): Params<Nothing>) -> Json<Info> {
    let About { version, uptime, generation, config_file, log_level } = api.process.about();
    let (topics, counts) = (api.fence.topics().await, api.fence.counts().await);
    let totals: TopicStats = topics.iter().map(|topic| &topic.totals).sum();
    Json(Info {
        version,
        state: if api.fence.has_failed() {
            "failed"
        } else if api.fence.is_closing() {
            "draining"
        } else {
            "running"
        },
        uptime_ms: uptime.as_millis() as u64,
        shards: api.fence.shards(),
        generation,
        config_file,
        log_level,
        connections: counts.connections,
        sessions: counts.sessions,
        detached: counts.detached,
        slow: counts.slow,
        lanes: topics.iter().map(|topic| topic.lanes.lanes).sum(),
        memory: api
            .fence
            .memory()
            .map(|memory| Memory { used_bytes: memory.used_bytes, budget_bytes: memory.budget_bytes }),
        totals: Totals::from(&totals),
    })
}
