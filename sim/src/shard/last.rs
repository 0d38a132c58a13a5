//! What a topic remembers for whoever subscribes next: the newest value that everybody was to get, or of each key.

use streamfence_core::{TopicId, TopicStats};

use super::Shard;
use crate::ledger::Letter;
use crate::scene::Scene;

impl Shard {
    /// Takes in a message that was published to everybody.
    pub(super) fn remember(&mut self, topic: TopicId, letter: Letter) {
        if let Some(is_by_key) = self.scene.rules[topic.index as usize].remembers {
            let last = &mut self.lasts[topic.index as usize];
            last.retain(|older| is_by_key && older.key != letter.key);
            last.push(letter);
        }
    }

    pub(crate) fn remembered(&self) -> impl Iterator<Item = (TopicId, Letter)> + '_ {
        let topics = self.scene.rules.iter().zip(&self.lasts);
        topics.flat_map(|(rule, last)| last.iter().map(|letter| (rule.topic, *letter)))
    }

    /// Forgets what is remembered otherwise, or not at all, in another scene.
    pub(super) fn forget(&mut self, next: &Scene) {
        self.lasts.resize_with(next.rules.len(), Vec::new);
        for ((last, rule), old) in self.lasts.iter_mut().zip(&next.rules).zip(&self.scene.rules) {
            if rule.remembers != old.remembers {
                last.clear();
            }
        }
    }

    /// A lane has just opened: it was offered all that is remembered and worth it, and nothing else.
    pub(super) fn offer_last(&mut self, peer: usize, topic: TopicId, before: &TopicStats, is_tight: bool) {
        let mut values = self.lasts[topic.index as usize].clone();
        values.retain(|letter| !letter.is_expired(self.seen));
        let after = *self.hub.stats(topic);
        let offered = after.offered - before.offered;
        assert_eq!(offered, values.len() as u64, "last values: a newcomer was offered as many as there are");
        let over_budget = after.over_budget - before.over_budget;
        assert!(is_tight || over_budget == 0, "memory: a last value was refused for want of what there is");
        let gone = [after.displaced - before.displaced, after.rejected - before.rejected + over_budget];
        let (load, seen) = (self.load(peer, topic), self.seen);
        let ledger = self.peers[peer].lane(topic).expect("its lane has just opened");
        let too_large = ledger.offer_last(&values, load, gone, is_tight, seen);
        let tally = &mut self.tallies[topic.index as usize];
        tally.offered += offered;
        tally.displaced += gone[0];
        tally.refused += gone[1] + too_large;
        tally.too_large += too_large;
        tally.over_budget += over_budget;
        self.trace.count("last values", offered);
        self.trace.count("last values lost", gone[0] + gone[1]);
    }
}
