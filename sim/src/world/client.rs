//! What a client does when it is its turn.

use std::num::NonZeroU16;
use std::time::Duration;

use streamfence_core::{
    ClientId, CloseReason, Epoch, Frequency, LinkKey, MessageId, NamespaceId, Offset, Room, TopicId, Wishes,
};

use super::World;
use crate::directory::epoch_of;
use crate::scene::Profile;

pub(super) struct Client {
    pub(super) profile: Profile,
    pub(super) shard: usize,
    pub(super) link: Option<LinkKey>,
    /// A link it has left behind, which nobody knows yet is dead.
    pub(super) old: Option<LinkKey>,
    /// A link that is closed, and its shard.
    pub(super) lost: Option<(usize, LinkKey)>,
    /// The session it had last in each namespace.
    pub(super) peers: Vec<(NamespaceId, usize)>,
    pub(super) away_until: Duration,
}

/// Something a client does.
#[derive(Clone, Copy)]
enum Turn {
    Read,
    Ack,
    Ask,
}

impl Client {
    pub(super) fn new(profile: Profile) -> Self {
        Self { profile, shard: 0, link: None, old: None, lost: None, peers: Vec::new(), away_until: Duration::ZERO }
    }

    pub(super) fn peer(&self, namespace: NamespaceId) -> Option<usize> {
        self.peers.iter().find(|(of, _)| *of == namespace).map(|&(_, peer)| peer)
    }
}

impl World {
    pub(super) fn turn_of(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let profile = client.profile;
        if let Some(old) = client.old.take() {
            self.shards[client.shard].close(old, CloseReason::Heartbeat, self.keeps_none);
        }
        if client.link.is_none() {
            if client.away_until <= self.now {
                self.connect(number);
            }
        } else if self.dice.below(1_000) < profile.vanishes {
            self.vanish(number);
        } else if self.dice.below(1_000) < profile.churns {
            self.churn(number);
        } else {
            match self.dice.weigh(&[(50, Turn::Read), (45, Turn::Ack), (5, Turn::Ask)]) {
                Turn::Read => self.read(number),
                Turn::Ack => self.acknowledge(number),
                Turn::Ask => {
                    if let Some((peer, _)) = self.any_lane(number) {
                        let request = self.dice.below(1 << 20);
                        self.shards[self.clients[number].shard].tell(peer, request);
                    }
                }
            }
        }
    }

    /// Opens a connection, to the shard where its sessions are, and joins its namespaces.
    pub(super) fn connect(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let profile = client.profile;
        let is_there = |&(_, peer): &(NamespaceId, usize)| !self.shards[client.shard].is_gone(peer);
        if client.link.is_none() && !client.peers.iter().any(is_there) {
            client.shard = self.dice.below(self.shards.len() as u64) as usize;
            client.peers.clear();
        }
        let shard = client.shard;
        client.old = client.link.take();
        let link = self.shards[shard].open(number);
        client.link = Some(link);
        let namespaces: Vec<NamespaceId> = self.scene.catalog.namespaces().map(|(id, _)| id).collect();
        let joined = profile.namespaces.min(namespaces.len() as u64) as usize;
        for &namespace in namespaces.iter().cycle().skip(number % namespaces.len()).take(joined) {
            let had = self.clients[number].peer(namespace).filter(|_| profile.retention.is_some());
            let had = had.filter(|_| !self.dice.chance(10));
            if had.is_some_and(|peer| self.shards[shard].attach(peer, link)) {
                continue;
            }
            self.join(number, link, namespace);
        }
        self.read(number);
    }

    fn join(&mut self, number: usize, link: LinkKey, namespace: NamespaceId) {
        let profile = self.clients[number].profile;
        let shard = &mut self.shards[self.clients[number].shard];
        let [a, b, c, d, e, f, g, h] = self.dice.roll().to_be_bytes();
        let [i, j, k, l] = (shard.peers() as u32).to_be_bytes();
        let name = ClientId([a, b, c, d, e, f, g, h, i, j, k, l]);
        let principal = profile.principal.map(|number| self.principals[number].clone());
        let peer = shard.join(link, namespace, name, principal).expect("its link was opened just now");
        if let Some(retention) = profile.retention {
            shard.retain(peer, retention);
        }
        let client = &mut self.clients[number];
        client.peers.retain(|(of, _)| *of != namespace);
        client.peers.push((namespace, peer));
        for topic in self.topics_of(namespace) {
            if self.dice.chance(70) {
                self.subscribe(number, peer, topic);
            }
        }
    }

    fn subscribe(&mut self, number: usize, peer: usize, topic: TopicId) {
        let window = self.dice.chance(30).then(|| self.dice.between(1, 5) as u16);
        let hertz = self.dice.chance(20).then(|| self.dice.pick(&[0.1, 1.0, 10.0]));
        let wishes = Wishes {
            window: window.and_then(NonZeroU16::new),
            max_frequency: hertz.map(|hertz| Frequency::hertz(hertz).expect("it is above zero")),
        };
        let request = self.dice.below(1 << 20);
        self.shards[self.clients[number].shard].subscribe(peer, topic, wishes, request);
    }

    /// Its connection ends, or it opens another before the first has.
    fn vanish(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if client.profile.retention.is_some() && self.dice.chance(30) {
            return self.connect(number);
        }
        if self.dice.chance(10)
            && let Some(&(_, peer)) = client.peers.first()
        {
            return self.shards[client.shard].leave(peer);
        }
        let lost = [CloseReason::Transport, CloseReason::Heartbeat, CloseReason::Stalled];
        let reason = if self.dice.chance(80) { self.dice.pick(&lost) } else { self.dice.pick(&CloseReason::ALL) };
        self.go(number, reason);
    }

    /// Its connection is closed, if there is one.
    pub(super) fn go(&mut self, number: usize, reason: CloseReason) {
        let client = &mut self.clients[number];
        let Some(link) = client.link.take() else { return };
        client.lost = Some((client.shard, link));
        client.away_until = self.now + Duration::from_millis(self.dice.between(0, client.profile.away_ms));
        self.shards[client.shard].close(link, reason, self.keeps_none);
    }

    /// Changes what it is subscribed to, or asks for what it has.
    fn churn(&mut self, number: usize) {
        let client = &self.clients[number];
        if client.peers.is_empty() {
            return;
        }
        let (namespace, peer) = self.dice.pick(&client.peers);
        let topics = self.topics_of(namespace);
        if topics.is_empty() {
            return;
        }
        let topic = self.dice.pick(&topics);
        if self.dice.chance(40) {
            self.shards[self.clients[number].shard].unsubscribe(peer, topic);
        } else {
            self.subscribe(number, peer, topic);
        }
    }

    /// Its transport takes something, or stands still.
    fn read(&mut self, number: usize) {
        let client = &self.clients[number];
        let Some(link) = client.link else { return };
        let profile = client.profile;
        let room = if self.dice.chance(profile.stalls) {
            Room::NONE
        } else if profile.reads_at_once {
            Room { frames: 256, bytes: 65_536, is_empty: true }
        } else {
            let frames = self.dice.between(0, profile.frames) as u32;
            Room { frames, bytes: self.dice.between(0, profile.bytes), is_empty: self.dice.chance(50) }
        };
        self.shards[client.shard].set_room(link, room);
    }

    /// Says what it has, or has not, or what is none of its business.
    fn acknowledge(&mut self, number: usize) {
        let profile = self.clients[number].profile;
        let shard = self.clients[number].shard;
        let Some((peer, topic)) = self.any_lane(number) else { return };
        let (unacked, newest) = self.shards[shard].unacked(peer, topic);
        let own = epoch_of(topic);
        let id = |offset| MessageId { epoch: own, offset: Offset(offset) };
        if self.dice.chance(profile.forges) || unacked.is_empty() {
            let epoch = if self.dice.chance(20) { Epoch(1) } else { own };
            let forged = MessageId { epoch, offset: Offset(self.dice.below(newest + 3)) };
            match self.dice.below(3) {
                0 => self.shards[shard].ack(peer, topic, forged),
                1 if forged.offset.0 == 0 || epoch != own => self.shards[shard].ack_up_to(peer, topic, forged),
                _ => self.shards[shard].nack(peer, topic, forged, Duration::from_millis(5)),
            }
        } else if self.dice.chance(profile.nacks) {
            let delay = Duration::from_millis(self.dice.pick(&[0, 10, 3_000]));
            self.shards[shard].nack(peer, topic, id(self.dice.pick(&unacked)), delay);
        } else if self.dice.chance(profile.cumulative) {
            self.shards[shard].ack_up_to(peer, topic, id(self.dice.pick(&unacked)));
        } else {
            for offset in unacked {
                if self.dice.chance(70) {
                    self.shards[shard].ack(peer, topic, id(offset));
                }
            }
        }
    }

    fn any_lane(&mut self, number: usize) -> Option<(usize, TopicId)> {
        let client = &self.clients[number];
        if client.peers.is_empty() {
            return None;
        }
        let (namespace, peer) = self.dice.pick(&client.peers);
        // Now and then one it is not subscribed to.
        let topics = self.topics_of(namespace);
        (!topics.is_empty()).then(|| (peer, self.dice.pick(&topics)))
    }

    fn topics_of(&mut self, namespace: NamespaceId) -> Vec<TopicId> {
        let topics = self.scene.catalog.namespace_entry(namespace).topics().to_vec();
        topics.into_iter().filter_map(|topic| self.found(topic)).collect()
    }
}
