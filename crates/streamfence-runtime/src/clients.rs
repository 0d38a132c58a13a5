//! Who is connected, as somebody who operates the fence sees it. Never what is done about it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{Class, ClientDetail, ClientSummary, LaneDetail, LaneSurvey, Room, Tier, TopicStats, Transport};

use crate::outlet::Outlet;

/// One client, as it stands now.
#[derive(Clone, Debug)]
pub struct Client {
    /// Who it is and how it stands.
    pub summary: ClientSummary,
    /// How it is connected now; while it is not, how it was.
    pub transport: Transport,
    /// Where it is, as far as its adapter knows; unknown while it is not connected.
    pub address: Option<IpAddr>,
    /// How messages reach its connection now, while it has one.
    pub tier: Option<Tier>,
}

/// One client with all its lanes.
#[derive(Clone, Debug)]
pub struct ClientState {
    /// How it stands over all.
    pub client: Client,
    /// Each of its lanes.
    pub lanes: Vec<LaneDetail>,
    /// What its transport takes now; nothing while it is not connected.
    pub room: Room,
    /// For how long its transport has taken nothing.
    pub blocked: Option<Duration>,
}

/// How much there is of everything, over all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are open.
    pub connections: u64,
    /// Clients in a namespace, those included that are waited for.
    pub sessions: u64,
    /// Of those, clients that have lost their connection and are waited for.
    pub detached: u64,
    /// Clients that are slow, as it was looked at within the last second: those that [`ClientFilter`](crate::ClientFilter)
    /// finds by `is_slow`.
    pub slow: u64,
}

/// A topic of the catalog, or everything made from a pattern, as it stands now.
#[derive(Clone, Debug)]
pub struct TopicState {
    /// What it is.
    pub class: Arc<Class>,
    /// What has become of its messages since the fence began.
    pub totals: TopicStats,
    /// How its lanes stand.
    pub lanes: LaneSurvey,
}

impl Client {
    pub(crate) fn new(summary: ClientSummary, outlet: Option<&dyn Outlet>) -> Self {
        Self {
            transport: outlet.and_then(Outlet::transport).unwrap_or(summary.transport),
            address: outlet.and_then(Outlet::address),
            tier: outlet.map(Outlet::tier),
            summary,
        }
    }
}

impl ClientState {
    pub(crate) fn new(detail: ClientDetail, outlet: Option<&dyn Outlet>) -> Self {
        let ClientDetail { summary, lanes, room, blocked } = detail;
        Self { client: Client::new(summary, outlet), lanes, room, blocked }
    }
}
