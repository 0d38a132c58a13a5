//! What the world may ask of a shard.

use streamfence_core::{ClientId, LinkKey, MessageId, Offset, TopicId};

use super::Shard;
use crate::directory::epoch_of;
use crate::peer::Answer;

impl Shard {
    /// Whether anybody is subscribed to a topic, or is still to be told of it.
    pub(crate) fn has_to_do_with(&self, topic: TopicId) -> bool {
        let is_of_it = |answer: &Answer| match answer {
            Answer::Subscribed { topic: of, .. } | Answer::Unsubscribed { topic: of } => *of == topic,
            Answer::Done { .. } => false,
        };
        self.subscribers.contains_key(&topic) || self.peers.iter().any(|peer| peer.answers.iter().any(is_of_it))
    }

    /// How many sessions there ever were.
    pub(crate) fn peers(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn is_gone(&self, peer: usize) -> bool {
        self.peers[peer].is_gone
    }

    pub(crate) fn name_of(&self, peer: usize) -> ClientId {
        self.peers[peer].name
    }

    /// The link at a place and the client it is of.
    pub(crate) fn owner(&self, place: usize) -> Option<(LinkKey, usize)> {
        self.links[place].as_ref().map(|link| (link.key, link.client))
    }

    /// The client of a link, while it is open.
    pub(crate) fn owner_of(&self, link: LinkKey) -> Option<usize> {
        self.link(link).map(|link| link.client)
    }

    /// What a client has heard and not settled, and the newest it heard.
    pub(crate) fn unacked(&self, peer: usize, topic: TopicId) -> (Vec<u64>, u64) {
        let lane = self.peers[peer].lanes.iter().find(|(of, _)| *of == topic);
        lane.map_or_else(Default::default, |(_, ledger)| (ledger.unacked().collect(), ledger.newest_to_ack()))
    }

    /// All that somebody who is there has heard and not settled.
    pub(crate) fn all_unacked(&self) -> Vec<(usize, TopicId, MessageId)> {
        let mut all = Vec::new();
        for (peer, state) in self.peers.iter().enumerate().filter(|(_, peer)| peer.link.is_some()) {
            for (topic, ledger) in &state.lanes {
                for offset in ledger.unacked() {
                    all.push((peer, *topic, MessageId { epoch: epoch_of(*topic), offset: Offset(offset) }));
                }
            }
        }
        all
    }
}
