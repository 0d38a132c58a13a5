//! `GET /admin/v1/clients`, `/clients/{id}` and `/slow`: who is there, who is slow, and why.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamfence_core::{ClientFigures, ClientOrder, LaneDetail, Tier};
use streamfence_runtime::{Client, ClientFilter, ClientState};

use super::known::ensure_known;
use super::policy;
use super::query::{Nothing, Params, client_id, limit, unknown_client};
use crate::api::Api;
use crate::keys::Scope;
use crate::problem::{Code, Problem};
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    sort: Option<String>,
    namespace: Option<String>,
    topic: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Clients {
    clients: Vec<Listed>,
    /// How many there are in all, whatever the limit.
    total: u64,
}

/// What is said of a client everywhere.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Summary {
    id: String,
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'static str>,
    connected_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    detached_ms: Option<u64>,
    slow: bool,
    /// What it is seen by that it is slow.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// For how long it has been, at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ms: Option<u64>,
    depth: u64,
    bytes: u64,
    in_flight: u64,
    oldest_ms: u64,
    dropped: u64,
    delivered: u64,
    delivered_per_second: u32,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClientSummary")]
struct Listed {
    #[serde(flatten)]
    summary: Summary,
    lanes: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClientDetail")]
pub(super) struct Detail {
    #[serde(flatten)]
    summary: Summary,
    lanes: Vec<Lane>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<Room>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_ms: Option<u64>,
}

/// What its transport takes now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClientRoom")]
struct Room {
    frames: u32,
    bytes: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClientLane")]
struct Lane {
    topic: String,
    delivery: &'static str,
    overflow: &'static str,
    limits: Limits,
    depth: u64,
    bytes: u64,
    in_flight: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spilled: Option<Spilled>,
    delivered: u64,
    dropped: Dropped,
    coalesced: u64,
    retries: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LaneLimits")]
struct Limits {
    messages: u32,
    bytes: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LaneSpilled")]
struct Spilled {
    messages: u64,
    bytes: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LaneDropped")]
struct Dropped {
    displaced: u64,
    rejected: u64,
    expired: u64,
    exhausted: u64,
    lost_on_disk: u64,
}

pub(super) fn routes() -> [Route; 3] {
    let list = |route: Route| {
        route
            .needs(Scope::Read)
            .query::<String>(
                "sort",
                "`depth` (default), `bytes`, `age`, `drops`, `rate` or `connected`: the most of it first.",
            )
            .query::<String>("namespace", "Those of a namespace only.")
            .query::<String>("topic", "Those subscribed to a topic only, or to one made from the pattern of this name.")
            .query::<u16>("limit", "How many at most, up to 1000; 100 if it is not said.")
            .answers::<Clients>(StatusCode::OK, "The first of them, and how many there are.")
            .fails([Code::BadRequest, Code::UnknownTopic])
    };
    [
        list(Route::get("/admin/v1/clients", clients, "Who is connected, or waited for")),
        list(Route::get("/admin/v1/slow", slow, "Who is slow, and what that is seen by")),
        Route::get("/admin/v1/clients/{id}", client, "One client, with all its lanes")
            .needs(Scope::Read)
            .path::<String>("id", "Its name, as it was told when it subscribed.")
            .answers::<Detail>(StatusCode::OK, "As it stands now.")
            .fails([Code::BadRequest, Code::UnknownClient]),
    ]
}

pub(super) async fn clients(State(api): State<Api>, Params(wanted): Params<Wanted>) -> Result<Json<Clients>, Problem> {
    list(&api, wanted, false).await
}

pub(super) async fn slow(State(api): State<Api>, Params(wanted): Params<Wanted>) -> Result<Json<Clients>, Problem> {
    list(&api, wanted, true).await
}

pub(super) async fn client(
    State(api): State<Api>,
    Path(id): Path<String>,
    Params(Nothing {}): Params<Nothing>,
) -> Result<Json<Detail>, Problem> {
    let id = client_id(&id)?;
    let state = api.fence.client(id).await.ok_or_else(|| unknown_client(id))?;
    Ok(Json(Detail::from(&state)))
}

async fn list(api: &Api, wanted: Wanted, is_slow: bool) -> Result<Json<Clients>, Problem> {
    let order = match &wanted.sort {
        None => ClientOrder::default(),
        Some(word) => ClientOrder::ALL.into_iter().find(|order| order.as_str() == word).ok_or_else(|| {
            let words = ClientOrder::ALL.map(ClientOrder::as_str).join(", ");
            Problem::bad_request(format!("sort is {word:?}; wanted one of {words}"))
        })?,
    };
    let limit = limit(wanted.limit)?;
    ensure_known(&api.fence.catalog(), wanted.namespace.as_deref(), wanted.topic.as_deref())?;
    let filter = ClientFilter { namespace: wanted.namespace, topic: wanted.topic, is_slow, order, limit };
    let (clients, total) = api.fence.clients(filter).await;
    let listed = |client: &Client| Listed { summary: Summary::from(client), lanes: client.summary.figures.lanes };
    Ok(Json(Clients { clients: clients.iter().map(listed).collect(), total }))
}

impl From<&Client> for Summary {
    fn from(Client { summary, transport, address, tier }: &Client) -> Self {
        let ClientFigures { connected, detached, slow, .. } = summary.figures;
        let figures = &summary.figures;
        Self {
            id: summary.client.to_string(),
            namespace: summary.namespace.to_string(),
            principal: summary.principal.as_deref().map(str::to_owned),
            address: address.map(|address| address.to_string()),
            transport: transport.as_str(),
            tier: tier.map(Tier::as_str),
            connected_ms: connected.as_millis() as u64,
            detached_ms: detached.map(|detached| detached.as_millis() as u64),
            slow: slow.is_some(),
            reason: slow.map(|slow| slow.reason.as_str()),
            since_ms: slow.map(|slow| slow.lasted.as_millis() as u64),
            depth: figures.depth,
            bytes: figures.bytes,
            in_flight: figures.in_flight,
            oldest_ms: figures.oldest.as_millis() as u64,
            dropped: figures.dropped,
            delivered: figures.delivered,
            delivered_per_second: figures.delivered_per_second,
        }
    }
}

impl From<&ClientState> for Detail {
    fn from(ClientState { client, lanes, room, blocked }: &ClientState) -> Self {
        let is_connected = client.summary.figures.detached.is_none();
        Self {
            summary: Summary::from(client),
            lanes: lanes.iter().map(Lane::from).collect(),
            room: is_connected.then_some(Room { frames: room.frames, bytes: room.bytes }),
            blocked_ms: blocked.map(|blocked| blocked.as_millis() as u64),
        }
    }
}

impl From<&LaneDetail> for Lane {
    fn from(lane: &LaneDetail) -> Self {
        let (limits, totals) = (&lane.policy.limits, &lane.totals);
        Self {
            topic: lane.topic.name.to_string(),
            delivery: policy::delivery(&lane.policy),
            overflow: policy::overflow(&lane.policy),
            limits: Limits { messages: limits.messages.get(), bytes: limits.bytes.get() },
            depth: lane.depth,
            bytes: lane.bytes,
            in_flight: lane.in_flight,
            window: lane.window,
            oldest_ms: lane.oldest.map(|oldest| oldest.as_millis() as u64),
            spilled: lane.spilled.map(|(messages, bytes)| Spilled { messages, bytes }),
            delivered: totals.delivered,
            dropped: Dropped {
                displaced: totals.displaced,
                rejected: totals.rejected,
                expired: totals.expired,
                exhausted: totals.exhausted,
                lost_on_disk: totals.lost_on_disk,
            },
            coalesced: totals.coalesced,
            retries: totals.retries,
        }
    }
}
