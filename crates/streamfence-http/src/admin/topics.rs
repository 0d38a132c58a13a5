//! `GET /admin/v1/topics`: each topic, its lanes, and what has become of its messages.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use streamfence_runtime::TopicState;

use super::policy;
use super::query::{Nothing, Params};
use super::totals::Totals;
use crate::api::Api;
use crate::keys::Scope;
use crate::problem::Code;
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Serialize, JsonSchema)]
pub(super) struct Topics {
    topics: Vec<Topic>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TopicState")]
struct Topic {
    namespace: String,
    topic: String,
    delivery: &'static str,
    overflow: &'static str,
    subscribers: u64,
    depth_max: u64,
    bytes_max: u64,
    /// Over all lanes, those on disk included.
    queued: u64,
    oldest_ms: u64,
    spilled_lanes: u64,
    dead_letters: u64,
    totals: Totals,
}

pub(super) fn route() -> Route {
    Route::get("/admin/v1/topics", topics, "Each topic, its lanes, and what has become of its messages")
        .needs(Scope::Read)
        .answers::<Topics>(StatusCode::OK, "In the order of the configuration; those made from a pattern together.")
        .fails([Code::BadRequest])
}

pub(super) async fn topics(State(api): State<Api>, Params(Nothing {}): Params<Nothing>) -> Json<Topics> {
    Json(Topics { topics: api.fence.topics().await.iter().map(Topic::from).collect() })
}

impl From<&TopicState> for Topic {
    fn from(TopicState { class, totals, lanes }: &TopicState) -> Self {
        Self {
            namespace: class.path.to_string(),
            topic: class.name.to_string(),
            delivery: policy::delivery(&class.policy),
            overflow: policy::overflow(&class.policy),
            subscribers: lanes.lanes,
            depth_max: lanes.depth_max,
            bytes_max: lanes.bytes_max,
            queued: totals.resident(),
            oldest_ms: lanes.oldest.as_millis() as u64,
            spilled_lanes: lanes.spilled_lanes,
            dead_letters: lanes.dead_letters,
            totals: Totals::from(totals),
        }
    }
}
