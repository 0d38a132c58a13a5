//! What was published, offered to the lanes.

use std::sync::Arc;

use streamfence_core::{Exhaustion, Fanout, Message};

use super::{Command, Shard};
use crate::audience::{Audience, Whom};
use crate::ledger::{Letter, Load, Taken};

impl Shard {
    pub(crate) fn push(&mut self, command: Command) {
        self.inbox.push_back(command);
    }

    /// Takes what was published, at most so much of it.
    pub(crate) fn take(&mut self, most: usize) {
        let mut is_dry = false;
        for _ in 0..most {
            if !self.inbox.is_empty() {
                is_dry = self.relieve(is_dry);
            }
            match self.inbox.pop_front() {
                None => return,
                Some(Command::Publish { message, audience }) => self.publish(&message, &audience),
                Some(Command::PublishTo { peer, message }) => self.publish_to(peer, &message),
            }
        }
    }

    fn publish(&mut self, message: &Arc<Message>, audience: &Audience) {
        let topic = message.topic.id;
        let subscribers = self.subscribers.get(&topic).into_iter().flatten();
        let listeners: Vec<usize> = subscribers.copied().filter(|&peer| audience.has(&self.peers[peer])).collect();
        let before: Vec<Load> = listeners.iter().map(|&peer| self.load(peer, topic)).collect();
        let now = self.time();
        let (is_tight, stats) = (self.may_be_tight(listeners.len()), *self.hub.stats(topic));
        let hub = &mut self.hub;
        let fanout = match (&audience.whom, &audience.except[..]) {
            (Whom::All, []) => hub.publish(message, None, now),
            (Whom::All, [one]) => hub.publish(message, Some(*one), now),
            (Whom::All, several) => hub.publish_except(message, several, now),
            (Whom::Clients(names), except) => hub.publish_to_clients(names, message, except, now),
            (Whom::Principal(whose), except) => hub.publish_to_principal(whose, message, except, now),
        };
        let what = match audience.whom {
            Whom::All if audience.except.is_empty() => "publishes to all",
            Whom::All => "publishes to all but some",
            Whom::Clients(_) => "publishes to some",
            Whom::Principal(_) => "publishes to principals",
        };
        self.trace.count(what, u64::from(!listeners.is_empty()));
        self.positions.insert(topic, message.id.offset.0);
        self.note(&[8, topic.index.into(), message.id.offset.0, fanout.admitted.into()], || {
            let to = audience.words(message.topic.class.namespace);
            format!("shard publishes {} of topic {} to {to}: {fanout:?}", message.id.offset.0, topic.index)
        });
        assert_eq!(fanout.matched as usize, listeners.len(), "fanout: every subscriber it is for was asked once");
        if let Whom::All = audience.whom {
            self.remember(topic, self.letter(message));
        }
        let over_budget = self.hub.stats(topic).over_budget - stats.over_budget;
        self.offer(message, &listeners, &before, fanout, is_tight.then_some(over_budget));
        assert!(is_tight || over_budget == 0, "memory: {over_budget} were refused for want of what there is");
    }

    fn publish_to(&mut self, peer: usize, message: &Arc<Message>) {
        let topic = message.topic.id;
        let has_lane = self.peers[peer].has_lane(topic);
        let before = has_lane.then(|| self.load(peer, topic));
        let now = self.time();
        let (is_tight, stats) = (self.may_be_tight(1), *self.hub.stats(topic));
        let fanout = self.hub.publish_to(self.peers[peer].key, message, now);
        self.positions.insert(topic, message.id.offset.0);
        self.note(&[9, topic.index.into(), message.id.offset.0], || {
            format!("shard publishes {} of topic {} to peer {peer}: {fanout:?}", message.id.offset.0, topic.index)
        });
        assert_eq!(fanout.is_some(), has_lane, "fanout: a private message is for a subscriber");
        if let (Some(fanout), Some(before)) = (fanout, before) {
            assert_eq!(fanout.matched, 1, "fanout: one client has one lane");
            let over_budget = self.hub.stats(topic).over_budget - stats.over_budget;
            assert!(is_tight || over_budget == 0, "memory: a message was refused for want of what there is");
            self.offer(message, &[peer], &[before], fanout, is_tight.then_some(over_budget));
        }
    }

    fn letter(&self, message: &Message) -> Letter {
        Letter {
            offset: message.id.offset.0,
            size: message.size_bytes(),
            key: message.key.as_ref().map_or(0, |key| 1 + key.parse::<usize>().expect("the world's keys are numbers")),
            expires: message.expires.map(|at| at - self.start),
            is_promised: message.is_at_least_once(),
            is_fatal: message.topic.class.exhaustion == Exhaustion::Disconnect,
            wants_receipt: message.wants_ack(),
        }
    }

    /// What an offer did to each lane is what the answer says of all of them.
    fn offer(
        &mut self,
        message: &Arc<Message>,
        listeners: &[usize],
        before: &[Load],
        fanout: Fanout,
        over_budget: Option<u64>,
    ) {
        let topic = message.topic.id;
        let letter = self.letter(message);
        let (mut taken, mut is_plain) = (Taken::default(), true);
        for (&peer, &before) in listeners.iter().zip(before) {
            let after = self.load(peer, topic);
            let ledger = self.peers[peer].lane(topic).expect("listeners are subscribed");
            let each = match over_budget {
                None => ledger.offer(letter, before, after, self.seen),
                Some(_) => ledger.offer_tight(letter, before, after, self.seen),
            };
            is_plain &= ledger.is_plain();
            taken.refused += each.refused;
            taken.displaced += each.displaced;
            self.touch(peer);
        }
        let rule = &self.scene.rules[topic.index as usize];
        assert_eq!(fanout.matched, fanout.admitted + fanout.rejected, "fanout: every lane answers");
        if is_plain {
            let told = (u64::from(fanout.rejected), u64::from(fanout.displaced));
            assert_eq!(told, (taken.refused, taken.displaced), "fanout: what gave way");
        }
        let tally = &mut self.tallies[topic.index as usize];
        tally.offered += u64::from(fanout.matched);
        tally.displaced += u64::from(fanout.displaced);
        tally.replaced += u64::from(fanout.coalesced);
        tally.refused += u64::from(fanout.rejected);
        tally.over_budget += over_budget.unwrap_or(0);
        if letter.is_expired(self.seen) {
            tally.late += u64::from(fanout.matched);
        } else if letter.size > rule.policy.limits.bytes.get() {
            tally.too_large += u64::from(fanout.matched);
        }
        self.trace.count("messages over budget", over_budget.unwrap_or(0));
        for (what, times) in [
            ("offers", fanout.matched),
            ("messages displaced", fanout.displaced),
            ("messages rejected", fanout.rejected),
            ("messages coalesced", fanout.coalesced),
        ] {
            self.trace.count(what, times.into());
        }
    }
}
