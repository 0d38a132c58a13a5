//! The ladder of each namespace: who is called slow, and who is evicted.

use std::time::Duration;

use streamfence_core::{CloseReason, Eviction, Session, TopicId};

use super::Shard;
use crate::ledger::Load;
use crate::peer::Answer;

impl Shard {
    /// Looks how far a client is behind, wherever the hub does.
    pub(super) fn look_at(&mut self, peer: usize) {
        let state = &mut self.peers[peer];
        let Some(rungs) = self.scene.rungs(state.namespace).filter(|_| state.link.is_some()) else {
            return state.standing.begin_anew(self.seen);
        };
        // Whom the hub has cut is looked at no more, though nobody has heard of it yet.
        if let Some(session) = self.hub.session(state.key) {
            let has_intervals = state.lanes.iter().any(|(_, ledger)| ledger.rule.interval().is_some());
            state.standing.look(rungs, loads(session), has_intervals, self.seen);
        }
    }

    pub(super) fn look_at_link(&mut self, place: usize) {
        let peers: Vec<usize> = self.links[place].iter().flat_map(|link| &link.peers).map(|&(_, peer)| peer).collect();
        for peer in peers {
            self.look_at(peer);
        }
    }

    pub(super) fn look_at_all(&mut self) {
        for place in 0..self.links.len() {
            self.look_at_link(place);
        }
    }

    /// The hub looks at a client whose time is up before it cuts it, and that is told first.
    pub(super) fn look_at_all_woken(&mut self) {
        if std::mem::take(&mut self.has_woken) {
            self.look_at_all();
        }
    }

    pub(super) fn hear_slow(&mut self, peer: usize, held: Load) {
        self.trace.count("slow clients", 1);
        self.note(&[25, peer as u64], || format!("peer {peer} is called slow: {held:?}"));
        let state = &mut self.peers[peer];
        let rungs = self.scene.rungs(state.namespace).expect("ladder: a client is slow where there is none");
        assert!(state.link.is_some(), "ladder: a client is slow while it is away");
        state.standing.begin_slow(rungs, held, self.seen);
    }

    pub(super) fn hear_in_time(&mut self, peer: usize, lasted: Duration) {
        self.note(&[26, peer as u64], || format!("peer {peer} is slow no more"));
        self.peers[peer].standing.end_slow(lasted, self.seen);
    }

    /// A session was ended because its client stays behind.
    pub(super) fn hear_eviction(&mut self, peer: usize) {
        self.check_eviction(peer, Eviction::Disconnect);
        assert!(!self.peers[peer].standing.is_slow(), "events: a slow client is gone and was not said to be");
        self.trace.count(CloseReason::SlowClient.as_str(), 1);
    }

    /// A lane was ended because its client stays behind.
    pub(super) fn hear_eviction_of_lane(&mut self, peer: usize, topic: TopicId) {
        self.note(&[27, peer as u64, topic.index.into()], || format!("peer {peer} loses its lane of {}", topic.index));
        self.check_eviction(peer, Eviction::Unsubscribe);
        self.trace.count("lanes evicted", 1);
        let state = &self.peers[peer];
        let session = self.hub.session(state.key).expect("ladder: a lane ended, not a session");
        state.standing.check_fullest(topic, loads(session));
        assert!(state.has_lane(topic), "ladder: a lane ended that was not there");
        self.abandon_unseen(peer, topic);
        self.peers[peer].answers.push_back(Answer::Unsubscribed { topic });
        self.touch(peer);
    }

    fn check_eviction(&mut self, peer: usize, wanted: Eviction) {
        let state = &mut self.peers[peer];
        assert!(state.link.is_some(), "ladder: a client is evicted while it is away");
        let rungs = self.scene.rungs(state.namespace).expect("ladder: a client is evicted where there is none");
        assert_eq!(rungs.eviction, wanted, "ladder: what an eviction is");
        state.standing.evict(rungs, self.seen);
    }
}

fn loads(session: &Session) -> impl Iterator<Item = (TopicId, Load)> + '_ {
    session.lanes().map(|lane| (lane.topic(), Load { messages: lane.len() as u64, bytes: lane.bytes() }))
}
