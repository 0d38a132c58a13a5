//! What the world may ask of a shard.

use streamfence_core::{ClientId, LinkKey, MessageId, Offset, TopicId};

use super::{EPOCH, Shard};

impl Shard {
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
                    all.push((peer, *topic, MessageId { epoch: EPOCH, offset: Offset(offset) }));
                }
            }
        }
        all
    }
}
