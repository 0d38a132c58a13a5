//! Clients that the hub itself shows the door.
//!
//! It does so when its clock says so, and its lanes are gone before anybody can look at them. So what they held is known
//! only where it follows from what was offered, heard and acked.

use streamfence_core::{CloseReason, LinkKey, NamespaceId, SessionKey, TopicId};

use super::{Heard, Shard};

/// What is to be done about a session that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) session: SessionKey,
    pub(super) link: LinkKey,
    pub(super) namespace: NamespaceId,
    pub(super) reason: CloseReason,
}

impl Shard {
    /// A client was said to be gone. Unless somebody had ended its session, the hub has done so of itself.
    pub(super) fn hear_of_end(&mut self, peer: usize, reason: CloseReason) {
        let state = &self.peers[peer];
        if state.is_gone || self.hub.session(state.key).is_some() {
            return;
        }
        let (session, namespace) = (state.key, state.namespace);
        let link = state.link.and_then(|link| self.links[link].as_ref()).map(|link| link.key);
        let link = link.expect("cuts: only a client that is there is cut");
        match reason {
            CloseReason::RetriesExhausted => {
                assert!(state.is_doomed, "cuts: {peer} has acked what it had to");
                self.trace.count(reason.as_str(), 1);
            }
            CloseReason::SlowClient => self.hear_eviction(peer),
            other => panic!("cuts: peer {peer} was ended by none, for {other:?}"),
        }
        self.note(&[24, peer as u64], || format!("peer {peer} is cut: {}", reason.as_str()));
        let topics: Vec<TopicId> = self.peers[peer].lanes.iter().map(|(topic, _)| *topic).collect();
        for topic in topics {
            self.abandon_unseen(peer, topic);
        }
        self.forget_session(peer);
        self.cuts.push_back(Cut { session, link, namespace, reason });
    }

    /// The hub says what is to be done about a session that it has ended.
    pub(super) fn hear_cut(&mut self, cut: Cut) {
        assert_eq!(self.cuts.pop_front(), Some(cut), "cuts: what has ended, and in order");
        self.heard.push(Heard::Cut { link: cut.link.index() });
    }

    /// Whoever had to be cut was.
    pub(super) fn check_cuts(&self) {
        assert!(self.cuts.is_empty(), "cuts: {:?} were not handed out", self.cuts);
        for link in self.links.iter().flatten() {
            let doomed = link.peers.iter().find(|&&(_, peer)| self.peers[peer].is_doomed);
            assert_eq!(doomed, None, "cuts: a client that never acked is still there");
        }
    }

    /// A lane has ended, and all it held with it.
    pub(super) fn abandon_unseen(&mut self, peer: usize, topic: TopicId) {
        let seen = self.seen;
        let Some(ledger) = self.peers[peer].lane(topic) else { return };
        let (least, most) = ledger.may_hold(seen);
        let tally = &mut self.tallies[topic.index as usize];
        tally.abandoned += least;
        tally.perhaps_abandoned += most - least;
        self.peers[peer].lanes.retain(|(of, _)| *of != topic);
        self.give_up_seat(peer, topic);
    }
}
