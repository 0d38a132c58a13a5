//! Another catalog for a hub that is at work.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamfence_core::{Reload, TopicEntry, TopicId};

use super::Shard;
use crate::peer::Answer;
use crate::scene::Scene;
use crate::tally::Tally;

impl Shard {
    /// Goes on in another scene. What was published before and not yet taken is of topics as they were then.
    pub(crate) fn reload(&mut self, scene: &Arc<Scene>, made: &BTreeMap<TopicId, Arc<TopicEntry>>) {
        let topics = scene.rules.len();
        self.tallies.resize_with(topics, Tally::default);
        self.note(&[14, topics as u64], || format!("shard {} goes on under another catalog", self.number));
        for peer in 0..self.peers.len() {
            self.end_removed(peer, scene);
        }
        for (rule, old) in scene.rules.iter().zip(&self.scene.rules) {
            self.tallies[rule.topic.index as usize].was_changed |= rule.order() != old.order();
        }
        for peer in 0..self.peers.len() {
            let (clock, seen) = (self.clock_of(peer), self.seen);
            let topics: Vec<TopicId> = self.peers[peer].lanes.iter().map(|(topic, _)| *topic).collect();
            for topic in topics {
                let load = self.load(peer, topic);
                let ledger = self.peers[peer].lane(topic).expect("it has just been named");
                ledger.reload(&scene.rules[topic.index as usize], load, clock, seen);
            }
        }
        self.forget(scene);
        self.scene = scene.clone();
        let now = self.time();
        self.hub.reload(&Reload { catalog: scene.catalog.clone(), made: made.clone() }, now);
        self.look_at_all();
        self.touch_all();
        self.trace.count("reloads", 1);
    }

    /// Whoever is subscribed to a topic that is gone is told so, in the order of its lanes.
    fn end_removed(&mut self, peer: usize, scene: &Scene) {
        let Some(session) = self.hub.session(self.peers[peer].key) else { return };
        let gone = session.lanes().map(streamfence_core::Lane::topic);
        let gone: Vec<TopicId> = gone.filter(|topic| scene.rules[topic.index as usize].is_removed).collect();
        for topic in gone {
            self.abandon(peer, topic);
            if self.peers[peer].link.is_some() {
                self.peers[peer].answers.push_back(Answer::Unsubscribed { topic });
            }
            self.trace.count("subscriptions removed", 1);
        }
    }
}
