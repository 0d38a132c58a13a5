//! Who is there, and how each client stands: the first few of very many by what is asked for.
//!
//! A census goes on where it stopped, a number of sessions at a time, so that messages need not wait until all of them were
//! looked at. What changes meanwhile is counted as it is found. Never a change of anything that is delivered.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Hub, Seated};
use crate::event::Transport;
use crate::lane::{Lane, LaneTotals};
use crate::link::{Link, Room};
use crate::message::{ClientId, LinkKey, NamespaceId, SessionKey};
use crate::policy::Policy;
use crate::session::Slowness;
use crate::topic::TopicEntry;

/// Which clients are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientQuery {
    /// Those of a namespace only.
    pub namespace: Option<NamespaceId>,
    /// Those subscribed to a topic of this name only, or to one made from a pattern of this name.
    pub topic: Option<Arc<str>>,
    /// Those that are slow only.
    pub is_slow: bool,
    /// Which come first.
    pub order: ClientOrder,
    /// How many are wanted at most.
    pub limit: usize,
}

/// What clients are sorted by: the most of it comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientOrder {
    /// How many messages their lanes hold.
    #[default]
    Depth,
    /// How many bytes those are.
    Bytes,
    /// How long the oldest of them has waited.
    Age,
    /// How many messages they have lost.
    Drops,
    /// How many messages they were delivered in the last second.
    Rate,
    /// How long they have been there.
    Connected,
}

impl ClientOrder {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Depth, Self::Bytes, Self::Age, Self::Drops, Self::Rate, Self::Connected];

    /// The name it is asked for by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Bytes => "bytes",
            Self::Age => "age",
            Self::Drops => "drops",
            Self::Rate => "rate",
            Self::Connected => "connected",
        }
    }

    /// What of the figures counts.
    #[must_use]
    pub fn rank(self, figures: &ClientFigures) -> u64 {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        match self {
            Self::Depth => figures.depth,
            Self::Bytes => figures.bytes,
            Self::Age => micros(figures.oldest),
            Self::Drops => figures.dropped,
            Self::Rate => figures.delivered_per_second.into(),
            Self::Connected => micros(figures.connected),
        }
    }
}

/// How one client stands, over all its lanes in a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFigures {
    /// For how long it has been there, over all its connections.
    pub connected: Duration,
    /// For how long it has had no connection and is waited for.
    pub detached: Option<Duration>,
    /// Whether it is slow, and what that is seen by.
    pub slow: Option<Slowness>,
    /// How many lanes it has.
    pub lanes: u32,
    /// How many messages they hold: queued, in flight and spilled.
    pub depth: u64,
    /// How many bytes those are.
    pub bytes: u64,
    /// How many of them were sent and wait for an ack.
    pub in_flight: u64,
    /// How long ago the oldest of them was published.
    pub oldest: Duration,
    /// How many messages it has lost since it subscribed.
    pub dropped: u64,
    /// How many it was delivered.
    pub delivered: u64,
    /// How many of those in the last second.
    pub delivered_per_second: u32,
}

/// One client, as it stands now.
#[derive(Clone, Debug)]
pub struct ClientSummary {
    /// Its name.
    pub client: ClientId,
    /// The path of its namespace.
    pub namespace: Arc<str>,
    /// Who it is, where that is known.
    pub principal: Option<Arc<str>>,
    /// How it was connected when it joined.
    pub transport: Transport,
    /// Its connection; `None` while it is detached.
    pub link: Option<LinkKey>,
    /// How it stands.
    pub figures: ClientFigures,
}

/// One client with all its lanes.
#[derive(Clone, Debug)]
pub struct ClientDetail {
    /// How it stands over all.
    pub summary: ClientSummary,
    /// Each of its lanes.
    pub lanes: Vec<LaneDetail>,
    /// What its transport takes now; nothing while it is detached.
    pub room: Room,
    /// For how long its transport has taken nothing.
    pub blocked: Option<Duration>,
}

/// One lane, as it stands now.
#[derive(Clone, Debug)]
pub struct LaneDetail {
    /// The topic it is of.
    pub topic: Arc<TopicEntry>,
    /// The policy it keeps: its topic's, as far as its client has not asked for less.
    pub policy: Policy,
    /// How many messages it holds: queued, in flight and spilled.
    pub depth: u64,
    /// How many bytes those are.
    pub bytes: u64,
    /// How many of them were sent and wait for an ack.
    pub in_flight: u64,
    /// How many may.
    pub window: Option<u16>,
    /// How long ago the oldest of them was published.
    pub oldest: Option<Duration>,
    /// How many of them lie on disk, or are about to, and how many bytes; `None` while it has not spilled.
    pub spilled: Option<(u64, u64)>,
    /// What has become of its messages.
    pub totals: LaneTotals,
}

/// A question about clients, half answered.
#[derive(Debug)]
pub struct Census {
    query: ClientQuery,
    /// The place of the next session.
    next: usize,
    /// The first so far, the last of them on top.
    first: BinaryHeap<Reverse<Ranked>>,
    total: u64,
}

#[derive(Debug)]
struct Ranked {
    rank: u64,
    summary: ClientSummary,
}

impl Ranked {
    /// Of equals, the one that comes first by name, so that two looks show them in one order.
    fn key(&self) -> (u64, Reverse<[u8; 12]>) {
        (self.rank, Reverse(self.summary.client.0))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Census {
    /// Nobody was looked at yet.
    #[must_use]
    pub fn new(query: ClientQuery) -> Self {
        Self { query, next: 0, first: BinaryHeap::new(), total: 0 }
    }

    /// The clients asked for, the first first, and how many there are in all.
    #[must_use]
    pub fn into_clients(self) -> (Vec<ClientSummary>, u64) {
        let ranked = self.first.into_sorted_vec();
        (ranked.into_iter().map(|Reverse(ranked)| ranked.summary).collect(), self.total)
    }

    /// Which of two clients comes first.
    #[must_use]
    pub fn compare(order: ClientOrder, one: &ClientSummary, other: &ClientSummary) -> Ordering {
        let rank = |summary: &ClientSummary| (Reverse(order.rank(&summary.figures)), summary.client.0);
        rank(one).cmp(&rank(other))
    }

    /// Takes a client in, if it is among the first.
    fn rank(&mut self, figures: ClientFigures, summary: impl FnOnce() -> ClientSummary) {
        let rank = self.query.order.rank(&figures);
        let is_full = self.first.len() >= self.query.limit;
        if is_full && self.first.peek().is_none_or(|Reverse(last)| rank < last.rank) {
            return;
        }
        self.first.push(Reverse(Ranked { rank, summary: summary() }));
        if is_full {
            self.first.pop();
        }
    }
}

impl Hub {
    /// Goes on with a census, by so many sessions at most. `true` when there are more.
    pub fn count_clients(&self, census: &mut Census, most: usize, now: Instant) -> bool {
        let end = self.sessions.capacity().min(census.next.saturating_add(most));
        for index in census.next..end {
            let Some(entry) = self.sessions.get(index) else { continue };
            let seated = &entry.value;
            if !census.query.takes(seated) {
                continue;
            }
            let figures = self.figures(seated, now);
            if census.query.is_slow && figures.slow.is_none() {
                continue;
            }
            census.total += 1;
            census.rank(figures, || self.summary(entry.session_key(index), figures));
        }
        census.next = end;
        end < self.sessions.capacity()
    }

    /// One client in full. `None` when it is gone.
    #[must_use]
    pub fn client(&self, key: SessionKey, now: Instant) -> Option<ClientDetail> {
        let session = self.session(key)?;
        let seated = &self.sessions[key.index as usize].value;
        let summary = self.summary(key, self.figures(seated, now));
        let link = self.link(seated.link);
        Some(ClientDetail {
            summary,
            lanes: session.lanes().map(|lane| self.lane_detail(lane, now)).collect(),
            room: link.map_or(Room::NONE, Link::room),
            blocked: link.and_then(|link| link.clock().stopped_for(now)),
        })
    }

    /// How many sessions there are, and how many of them are detached.
    #[must_use]
    pub fn session_count(&self) -> (usize, usize) {
        (self.sessions.len(), self.detached)
    }

    fn summary(&self, key: SessionKey, figures: ClientFigures) -> ClientSummary {
        let seated = &self.sessions[key.index as usize].value;
        ClientSummary {
            client: seated.session.client(),
            namespace: self.path(seated.session.namespace()),
            principal: self.principal_of(key).cloned(),
            transport: seated.transport,
            link: self.link_of(key),
            figures,
        }
    }

    fn figures(&self, seated: &Seated, now: Instant) -> ClientFigures {
        let session = &seated.session;
        let mut figures = ClientFigures {
            connected: now.saturating_duration_since(seated.since),
            delivered_per_second: session.delivered_per_second(),
            ..ClientFigures::default()
        };
        for lane in session.lanes() {
            let (totals, (spilled, spilled_bytes)) = (lane.totals(), self.spilled_by(lane).unwrap_or_default());
            figures.lanes += 1;
            figures.depth += lane.len() as u64 + spilled;
            figures.bytes += lane.bytes() + spilled_bytes;
            figures.in_flight += lane.window().0 as u64;
            figures.dropped += totals.dropped();
            figures.delivered += totals.delivered;
        }
        figures.oldest = session.oldest(now);
        figures.slow = seated.slowness(&self.links, now);
        if let Some(until) = seated.detached_until {
            let left = until.saturating_duration_since(now);
            figures.detached = Some(seated.retention.unwrap_or_default().saturating_sub(left));
        }
        figures
    }

    fn lane_detail(&self, lane: &Lane, now: Instant) -> LaneDetail {
        let spilled = self.spilled_by(lane);
        let (messages, bytes) = spilled.unwrap_or_default();
        let (in_flight, window) = lane.window();
        LaneDetail {
            topic: lane.entry().clone(),
            policy: *lane.policy(),
            depth: lane.len() as u64 + messages,
            bytes: lane.bytes() + bytes,
            in_flight: in_flight as u64,
            window: window.map(std::num::NonZeroU16::get),
            oldest: waited(lane, now),
            spilled,
            totals: lane.totals(),
        }
    }

    /// What lies on disk for a lane.
    fn spilled_by(&self, lane: &Lane) -> Option<(u64, u64)> {
        let backlog = lane.spilled()?.backlog(self.spills.log(self.log_of(lane.topic())?));
        Some((backlog.messages, backlog.bytes))
    }
}

impl ClientQuery {
    fn takes(&self, seated: &Seated) -> bool {
        let session = &seated.session;
        let is_of = |name: &Arc<str>| {
            session.lanes().any(|lane| lane.entry().name == *name || lane.entry().class.name == *name)
        };
        self.namespace.is_none_or(|namespace| session.namespace() == namespace) && self.topic.as_ref().is_none_or(is_of)
    }
}

fn waited(lane: &Lane, now: Instant) -> Option<Duration> {
    lane.oldest_published().map(|published| now.saturating_duration_since(published))
}
