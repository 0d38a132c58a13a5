//! Clients that ack what never was. An ack changes nothing but its own message, so this is no danger; but whoever does it
//! again and again is broken, or tries something.
//!
//! An ack counts against its client only when no message of its topic that this shard knows of ever had that id. Those
//! that are late, that come twice because the message was sent twice, or that are for a subscription or a connection that
//! is over, do not. What a shard cannot know of, a message to one client alone on another shard or from a server that is
//! gone, is what some are free for.

use std::time::Instant;

use super::Hub;
use crate::catalog::Catalog;
use crate::event::CloseReason;
use crate::message::{MessageId, NamespaceId, SessionKey, TopicId};
use crate::policy::Delivery;
use crate::session::Verdict;
use crate::stats::AckOutcome;

impl Hub {
    /// Takes acknowledgements of messages of a topic that is not there: they can only be made up, or come very late.
    pub fn handle_stray_acks(&mut self, key: SessionKey, count: u32, now: Instant) {
        let now = self.advance(now);
        self.hold_against(key, count, now);
    }

    /// Looks at an acknowledgement that did nothing.
    pub(super) fn suspect(
        &mut self,
        key: SessionKey,
        topic: TopicId,
        id: MessageId,
        outcome: AckOutcome,
        now: Instant,
    ) {
        let is_unknown = matches!(outcome, AckOutcome::Unknown | AckOutcome::Foreign);
        if is_unknown && !self.has_been(topic, id) {
            self.hold_against(key, 1, now);
        }
    }

    /// Whether a message of that id was ever published, as far as this shard knows. One of an earlier life of the topic
    /// was not: the client has had it from a server that is gone.
    fn has_been(&self, topic: TopicId, id: MessageId) -> bool {
        let Some(newest) = self.topics.get(topic).map(|seats| seats.position) else { return false };
        id.epoch == newest.epoch && id.offset.0 > 0 && id.offset <= newest.offset
    }

    fn hold_against(&mut self, key: SessionKey, count: u32, now: Instant) {
        let Some(session) = self.session(key) else { return };
        let (namespace, catalog) = (session.namespace(), self.books.catalog().clone());
        let session = &mut self.sessions[key.index as usize].value.session;
        if session.strike(count, now, || on_the_way(&catalog, namespace)) {
            self.carry_out(key, Verdict::Disconnect(CloseReason::UnknownAcks), now);
        }
    }
}

/// How many acks a client may still send for what it got from a server that has been started again, or from topics that
/// a reload took away: every message that may be in flight, as often as it may be sent.
fn on_the_way(catalog: &Catalog, namespace: NamespaceId) -> u32 {
    /// Of a pattern a client may have many topics; how many, the adapter says, so these are as many as anybody has.
    const OF_A_PATTERN: u32 = 4_096;
    let classes = catalog.topics().map(|topic| catalog.class(topic)).filter(|class| class.namespace == namespace);
    let copies = classes.map(|class| {
        let (window, sends) = match class.policy.delivery {
            Delivery::AtLeastOnce { window, retry, .. } => (Some(window), retry.max_retries.get().saturating_add(1)),
            Delivery::BestEffort { .. } => (class.policy.receipt_window, 1),
        };
        let topics = if class.prefix().is_some() { OF_A_PATTERN } else { 1 };
        window.map_or(0, |window| u32::from(window.get())).saturating_mul(sends).saturating_mul(topics)
    });
    copies.fold(0, u32::saturating_add)
}
