//! The faults stop: everybody reads and acks, all must come to rest, and when all have left nothing may be there.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use streamfence_core::{CloseReason, Room, TopicId};

use super::World;
use crate::audience::Audience;
use crate::shard::{Command, Shard};

/// More steps than this are no coming to rest.
const MOST_WAKES: usize = 1_000_000;

impl World {
    pub(crate) fn come_to_rest(&mut self) {
        self.memory.lift();
        for shard in &mut self.shards {
            shard.relieve(false);
            shard.mend_disk();
        }
        if self.scene.ends_in_a_drain {
            self.keeps_none = true;
            self.shards.iter_mut().for_each(Shard::expire_detached);
        }
        for number in 0..self.clients.len() {
            let client = &mut self.clients[number];
            client.profile = client.profile.tame();
            if let Some(old) = client.old.take() {
                self.shards[client.shard].close(old, CloseReason::Transport, self.keeps_none);
            }
            // Of those that are away, some come back in time.
            if client.link.is_none() && self.dice.chance(50) {
                self.connect(number);
                if let Some(old) = self.clients[number].old.take() {
                    self.shards[self.clients[number].shard].close(old, CloseReason::Transport, self.keeps_none);
                }
            }
        }
        self.wake_all();
        for shard in &mut self.shards {
            shard.take(usize::MAX);
        }
        self.settle();
        self.sleep_until_nothing_is_due();

        // What was missed at the very end is told before the next message.
        let there = |topic: TopicId| {
            let made = self.directory.borrow().made_from(topic.index).collect::<Vec<_>>();
            let is_pattern = self.scene.catalog.class(topic).prefix().is_some();
            made.into_iter().chain((!is_pattern).then_some(topic))
        };
        let topics: Vec<TopicId> = self.scene.topics().flat_map(there).collect();
        for topic in topics {
            let message = self.write(topic, true);
            for shard in &mut self.shards {
                shard.push(Command::Publish { message: message.clone(), audience: Audience::everybody() });
                shard.take(usize::MAX);
            }
            drop(message);
            self.settle();
        }
        self.sleep_until_nothing_is_due();
        self.shards.iter_mut().for_each(Shard::check_rest);
    }

    pub(crate) fn end(&mut self) {
        for number in 0..self.clients.len() {
            let client = &mut self.clients[number];
            let Some(link) = client.link.take() else { continue };
            let reason = if self.dice.chance(50) { CloseReason::ShuttingDown } else { CloseReason::Transport };
            self.shards[client.shard].close(link, reason, self.keeps_none);
        }
        self.settle();
        self.shards.iter().for_each(Shard::check_all);
        self.shards.iter_mut().for_each(Shard::expire_detached);
        self.settle();
        self.sleep_until_nothing_is_due();
        self.shards.iter().for_each(Shard::check_end);
        self.check_messages();
        self.sweep();
        let left = self.directory.borrow_mut().sweep();
        assert!(left.is_empty(), "end: topics are left that were made from patterns: {left:?}");
    }

    /// Nobody holds a message but for what topics remember, each shard once.
    fn check_messages(&self) {
        let mut remembered: BTreeMap<(TopicId, u64), (usize, bool)> = BTreeMap::new();
        for (topic, letter) in self.shards.iter().flat_map(Shard::remembered) {
            remembered.entry((topic, letter.offset)).or_insert((0, letter.is_expired(self.now))).0 += 1;
        }
        for message in self.messages.iter().filter_map(Weak::upgrade) {
            let place = (message.topic.id, message.id.offset.0);
            let holders = Arc::strong_count(&message) - 1;
            let (wanted, is_expired) = remembered.remove(&place).unwrap_or((0, false));
            // What has expired is forgotten by the next tick.
            let is_right = holders == wanted || (is_expired && holders < wanted);
            assert!(is_right, "end: {holders} hold {place:?}, {wanted} remember it");
        }
        let lost = remembered.iter().find(|(_, (_, is_expired))| !is_expired);
        assert_eq!(lost, None, "end: a value should be remembered");
    }

    /// Everybody reads and acks all there is, for as long as a shard wants to wake up.
    fn sleep_until_nothing_is_due(&mut self) {
        for _ in 0..MOST_WAKES {
            self.read_and_ack_all();
            let Some(next) = self.shards.iter().filter_map(Shard::next_due).min() else { return };
            self.now = self.now.max(next).max(self.now + Duration::from_nanos(1));
            self.wake_all();
            self.settle();
        }
        panic!("rest: a shard wakes up for ever");
    }

    fn read_and_ack_all(&mut self) {
        for number in 0..self.clients.len() {
            let client = &self.clients[number];
            let shard = client.shard;
            if let Some(link) = client.link {
                self.shards[shard].set_room(link, Room { frames: 256, bytes: 65_536, is_empty: true });
            }
        }
        for shard in 0..self.shards.len() {
            for (peer, topic, id) in self.shards[shard].all_unacked() {
                self.shards[shard].ack(peer, topic, id);
            }
        }
        self.settle();
        // What was read is read and acked in its turn.
        if self.shards.iter_mut().fold(false, |any, shard| any | shard.work_disk(&mut self.dice)) {
            self.settle();
            self.read_and_ack_all();
        }
    }
}
