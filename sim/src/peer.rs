//! A session as its client knows it: what it asked for, what it was answered, and where it stands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{ClientId, NamespaceId, SessionKey, TopicId};

use crate::ledger::Ledger;
use crate::standing::Standing;

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) key: SessionKey,
    pub(crate) name: ClientId,
    pub(crate) namespace: NamespaceId,
    /// Who its client is, where that was said.
    pub(crate) principal: Option<Arc<str>>,
    /// The link it is on, by its place; `None` while its client is away, and once it has ended.
    pub(crate) link: Option<usize>,
    pub(crate) retention: Option<Duration>,
    /// Until when it waits for its client.
    pub(crate) away_until: Option<Duration>,
    pub(crate) is_gone: bool,
    /// Whether it never acked a message that costs it its connection.
    pub(crate) is_doomed: bool,
    /// Its subscriptions. A handful.
    pub(crate) lanes: Vec<(TopicId, Ledger)>,
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) edge: Edge,
    pub(crate) standing: Standing,
}

/// What the server owes it, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Subscribed { topic: TopicId, offset: u64 },
    Unsubscribed { topic: TopicId },
    Done { request: u64 },
}

/// What an operator has heard of it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Nothing,
    Connected { again: bool },
    Disconnected,
    Detached,
    Expired,
}

impl Peer {
    pub(crate) fn lane(&mut self, topic: TopicId) -> Option<&mut Ledger> {
        self.lanes.iter_mut().find(|(of, _)| *of == topic).map(|(_, ledger)| ledger)
    }

    pub(crate) fn has_lane(&self, topic: TopicId) -> bool {
        self.lanes.iter().any(|(of, _)| *of == topic)
    }
}
