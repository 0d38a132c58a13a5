//! What clients say of what they heard. Everything has one answer, but for what may have expired.

use std::time::Duration;

use streamfence_core::{AckOutcome, MessageId, TopicId};

use super::Shard;
use crate::directory::epoch_of;

impl Shard {
    pub(crate) fn ack(&mut self, peer: usize, topic: TopicId, id: MessageId) {
        let now = self.time();
        let seen = self.seen;
        let may_be: &[AckOutcome] = match self.peers[peer].lane(topic) {
            None => &[AckOutcome::Foreign],
            Some(ledger) if id.epoch == epoch_of(topic) => ledger.ack(id.offset.0, seen),
            Some(_) => &[AckOutcome::Unknown],
        };
        let outcome = self.hub.handle_ack(self.peers[peer].key, topic, id, now);
        self.acked(peer, topic, id, outcome, may_be);
    }

    pub(crate) fn ack_up_to(&mut self, peer: usize, topic: TopicId, id: MessageId) {
        let now = self.time();
        let seen = self.seen;
        let settled = match self.peers[peer].lane(topic) {
            None => Err(AckOutcome::Foreign),
            Some(ledger) if id.epoch == epoch_of(topic) => {
                ledger.ack_up_to(id.offset.0, seen).ok_or(AckOutcome::Unknown)
            }
            Some(_) => Err(AckOutcome::Unknown),
        };
        let before = *self.hub.stats(topic);
        let outcome = self.hub.handle_ack_up_to(self.peers[peer].key, topic, id, now);
        let after = self.hub.stats(topic);
        let released = after.delivered - before.delivered;
        let told = AckOutcome::Confirmed as usize;
        let confirmed = after.acks[told] - before.acks[told];
        match settled {
            Ok(((least, most), wanted)) if !self.peers[peer].is_gone => {
                assert!((least..=most).contains(&released), "acks: {released} were released, not {least} to {most}");
                assert_eq!(confirmed, wanted, "receipts: so many were confirmed with all up to one");
                // The outcome stands for one of them.
                let (outcome_is, rest) = match (released, confirmed) {
                    (0, 0) => (AckOutcome::Late, [0, 0]),
                    (0, _) => (AckOutcome::Confirmed, [0, confirmed - 1]),
                    _ => (AckOutcome::Released, [released - 1, confirmed]),
                };
                let tally = &mut self.tallies[topic.index as usize];
                tally.acks[AckOutcome::Released as usize] += rest[0];
                tally.delivered += rest[0];
                tally.acks[AckOutcome::Confirmed as usize] += rest[1];
                self.acked(peer, topic, id, outcome, &[outcome_is]);
            }
            Ok(_) => self.acked(peer, topic, id, outcome, &[AckOutcome::Late]),
            Err(wanted) => self.acked(peer, topic, id, outcome, &[wanted]),
        }
    }

    pub(crate) fn nack(&mut self, peer: usize, topic: TopicId, id: MessageId, delay: Duration) {
        let now = self.time();
        let (seen, clock) = (self.seen, self.clock_of(peer));
        let may_be: &[AckOutcome] = match self.peers[peer].lane(topic) {
            None => &[AckOutcome::Foreign],
            Some(ledger) if id.epoch == epoch_of(topic) => ledger.nack(id.offset.0, delay, clock, seen),
            Some(_) => &[AckOutcome::Unknown],
        };
        let outcome = self.hub.handle_nack(self.peers[peer].key, topic, id, delay, now);
        self.acked(peer, topic, id, outcome, may_be);
    }

    fn acked(
        &mut self,
        peer: usize,
        topic: TopicId,
        id: MessageId,
        outcome: Option<AckOutcome>,
        may_be: &[AckOutcome],
    ) {
        self.note(&[11, peer as u64, id.offset.0, outcome.map_or(9, |outcome| outcome as u64)], || {
            format!("peer {peer} acks or nacks {} of topic {}: {outcome:?}", id.offset.0, topic.index)
        });
        assert_eq!(outcome.is_none(), self.peers[peer].is_gone, "keys: only who is there is answered");
        let Some(outcome) = outcome else { return };
        assert!(
            may_be.contains(&outcome),
            "acks: {} of topic {} was {outcome:?}, not {may_be:?}",
            id.offset.0,
            topic.index
        );
        let tally = &mut self.tallies[topic.index as usize];
        tally.acks[outcome as usize] += 1;
        tally.delivered += u64::from(outcome == AckOutcome::Released);
        self.trace.count(outcome.as_str(), 1);
        if matches!(outcome, AckOutcome::Released | AckOutcome::Confirmed) {
            self.peers[peer].standing.progress(self.seen);
        }
        self.touch(peer);
    }
}
