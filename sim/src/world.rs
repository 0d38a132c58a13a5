//! One seed's world: the clock, the sequencer, the shards and the clients. It says what happens; the shards say what
//! may not.

mod client;
mod rest;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use streamfence_core::{
    Body, ClientId, CloseReason, Key, MESSAGE_BYTES, Message, MessageId, Offset, Room, TopicId, Wishes,
};

use crate::audience::{Audience, Whom};
use crate::dice::Dice;
use crate::directory::{Directory, epoch_of};
use crate::memory::Memory;
use crate::scene::{ACTS, Act, PRINCIPALS, Scene};
use crate::shard::{Command, Heard, Shard};
use crate::trace::Trace;
use client::Client;

/// How often everything is looked at, in steps; what was touched is looked at after each.
const STEPS_BETWEEN_LOOKS: u32 = 64;

/// What the largest message takes.
const ONE_MESSAGE: u64 = MESSAGE_BYTES + 1_200;

pub(crate) struct World {
    scene: Arc<Scene>,
    dice: Dice,
    trace: Trace,
    memory: Rc<Memory>,
    directory: Rc<RefCell<Directory>>,
    start: Instant,
    now: Duration,
    shards: Vec<Shard>,
    clients: Vec<Client>,
    /// The last offset of each topic.
    offsets: BTreeMap<TopicId, u64>,
    keys: Vec<Key>,
    principals: Vec<Arc<str>>,
    messages: Vec<Weak<Message>>,
    keeps_none: bool,
}

impl World {
    pub(crate) fn new(seed: u64, trace: &Trace) -> Self {
        let mut dice = Dice::new(seed);
        let scene = Arc::new(Scene::new(&mut dice));
        let start = Instant::now();
        let directory = Rc::new(RefCell::new(Directory::new(scene.catalog.clone())));
        let memory = Rc::new(Memory::new(scene.budget, scene.shards));
        let shards = (0..scene.shards)
            .map(|number| Shard::new(number, scene.clone(), start, trace.clone(), memory.clone(), directory.clone()));
        let mut world = Self {
            dice: dice.split(),
            trace: trace.clone(),
            memory: memory.clone(),
            directory: directory.clone(),
            start,
            now: Duration::ZERO,
            shards: shards.collect(),
            clients: scene.profiles.iter().map(|&profile| Client::new(profile)).collect(),
            offsets: BTreeMap::new(),
            keys: (0..16).map(|key| key.to_string().into()).collect(),
            principals: (0..PRINCIPALS).map(|number| format!("p{number}").into()).collect(),
            messages: Vec::new(),
            keeps_none: false,
            scene,
        };
        for client in 0..world.clients.len() {
            world.connect(client);
        }
        world.settle();
        world
    }

    pub(crate) fn play(&mut self, steps: u32) {
        for step in 1..=steps {
            self.trace.begin(step);
            let act = self.dice.weigh(ACTS);
            self.act(act);
            self.settle();
            if step % STEPS_BETWEEN_LOOKS == 0 {
                self.shards.iter().for_each(Shard::check_all);
                self.sweep();
            }
        }
        self.trace.begin(steps + 1);
    }

    fn act(&mut self, act: Act) {
        let shard = self.dice.below(self.shards.len() as u64) as usize;
        // A clock that was set back says less than what was seen already.
        let behind = if self.dice.chance(3) { self.dice.below(5_000) } else { 0 };
        for shard in &mut self.shards {
            shard.now = self.now;
            shard.behind = Duration::from_millis(behind);
        }
        match act {
            Act::Publish => self.publish(),
            Act::PublishTo => self.publish_to(),
            Act::Take => {
                let most = self.dice.between(1, 200) as usize;
                self.shards[shard].take(most);
            }
            Act::Client => {
                let client = self.dice.below(self.clients.len() as u64) as usize;
                self.turn_of(client);
            }
            Act::Pass => {
                let ms = self.dice.pick(&[1, 5, 20, 100, 100, 1_000, 4_000]);
                let time = Duration::from_millis(self.dice.between(1, ms));
                self.pass(time);
            }
            Act::Oversleep => {
                let ms = self.dice.pick(&[100, 5_000, 60_000, 86_400_000]);
                self.now += Duration::from_millis(self.dice.between(1, ms));
                self.wake_all();
            }
            Act::WakeForNothing => self.shards[shard].wake(),
            Act::Relieve => drop(self.shards[shard].relieve(false)),
            Act::Tick => self.shards[shard].tick(),
            Act::Disk => {
                for _ in 0..self.dice.between(1, 8) {
                    self.shards[shard].work_disk(&mut self.dice);
                }
            }
            Act::Stale => self.use_stale_keys(shard),
            Act::Reload => self.reload(),
        }
    }

    /// All shards go on under another catalog, with whatever they have not yet taken.
    fn reload(&mut self) {
        self.scene = Arc::new(self.scene.reloaded(&mut self.dice));
        let made = self.directory.borrow_mut().reload(&self.scene.catalog);
        for shard in &mut self.shards {
            shard.reload(&self.scene, &made);
        }
    }

    /// A topic to publish to. It may be made for that.
    fn any_topic(&mut self) -> Option<TopicId> {
        let topics: Vec<TopicId> = self.scene.topics().collect();
        let topic = self.dice.pick(&topics);
        self.found(topic)
    }

    /// The topic itself, or one made from the pattern that it is, unless there are too many.
    fn found(&mut self, topic: TopicId) -> Option<TopicId> {
        let class = self.scene.catalog.class(topic);
        let Some(prefix) = class.prefix() else { return Some(topic) };
        let name = format!("{prefix}{}", self.dice.below(5));
        let found = self.directory.borrow_mut().find(class.namespace, &name);
        self.trace.count(if found.is_some() { "made topics found" } else { "patterns full" }, 1);
        found
    }

    /// A topic that was made from a pattern is there as long as anybody is subscribed to it, or holds a message of it,
    /// or is to be told of it.
    fn sweep(&mut self) {
        let held: BTreeSet<TopicId> =
            self.messages.iter().filter_map(Weak::upgrade).map(|message| message.topic.id).collect();
        for (topic, is_there) in self.directory.borrow_mut().sweep() {
            let is_held = held.contains(&topic) || self.shards.iter().any(|shard| shard.has_to_do_with(topic));
            assert_eq!(is_there, is_held, "topics: {topic:?} is there while it is held");
            self.trace.count("made topics gone", u64::from(!is_there));
        }
    }

    fn publish(&mut self) {
        let Some(topic) = self.any_topic() else { return };
        for _ in 0..self.dice.pick(&[1, 1, 1, 2, 3, 20]) {
            let audience = Audience { whom: Whom::All, except: self.exceptions(topic) };
            let message = self.write(topic, false);
            for shard in &mut self.shards {
                shard.push(Command::Publish { message: message.clone(), audience: audience.clone() });
            }
        }
        // A shard that is at work elsewhere takes it later, and in order all the same.
        for shard in 0..self.shards.len() {
            if self.dice.chance(80) {
                self.shards[shard].take(usize::MAX);
            }
        }
    }

    fn publish_to(&mut self) {
        let Some(topic) = self.any_topic() else { return };
        let whom = match self.dice.below(3) {
            0 => {
                if let Some((shard, peer, _)) = self.anybody(topic) {
                    let message = self.write(topic, false);
                    self.shards[shard].push(Command::PublishTo { peer, message });
                    self.shards[shard].take(usize::MAX);
                }
                return;
            }
            1 => {
                let most = self.dice.between(1, 8);
                Whom::Clients(self.some_of(topic, most))
            }
            _ => Whom::Principal(self.principals[self.dice.below(PRINCIPALS) as usize].clone()),
        };
        let audience = Audience { whom, except: self.exceptions(topic) };
        let message = self.write(topic, false);
        for shard in &mut self.shards {
            shard.push(Command::Publish { message: message.clone(), audience: audience.clone() });
            shard.take(usize::MAX);
        }
    }

    /// Whom something of a topic is not for: mostly nobody.
    fn exceptions(&mut self, topic: TopicId) -> Vec<ClientId> {
        let most = self.dice.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 5]);
        self.some_of(topic, most)
    }

    /// Some clients of a topic's namespace, sorted, each once.
    fn some_of(&mut self, topic: TopicId, most: u64) -> Vec<ClientId> {
        let mut names: Vec<ClientId> = (0..most).filter_map(|_| Some(self.anybody(topic)?.2)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The session some client had last in the namespace of a topic.
    fn anybody(&mut self, topic: TopicId) -> Option<(usize, usize, ClientId)> {
        let client = &self.clients[self.dice.below(self.clients.len() as u64) as usize];
        let namespace = self.scene.rules[topic.index as usize].namespace;
        let peer = client.peer(namespace)?;
        Some((client.shard, peer, self.shards[client.shard].name_of(peer)))
    }

    /// The next message of a topic. A plain one fits everywhere and lives for ever.
    fn write(&mut self, topic: TopicId, is_plain: bool) -> Arc<Message> {
        let rule = &self.scene.rules[topic.index as usize];
        let offset = self.offsets.entry(topic).or_insert(0);
        *offset += 1;
        let size = if is_plain { 1 } else { self.dice.between(1, rule.largest) as usize };
        let mut body = Body::plain(self.memory.charge(size));
        if rule.attachments && !is_plain && self.dice.chance(30) {
            body.attachments = Box::new([size / 2..size * 3 / 4, size * 3 / 4..size]);
            body.payload = 0..size / 2;
        }
        let key = self.dice.below(rule.keys + 1) as usize;
        let ttl_ms = rule.ttl_ms.filter(|_| !is_plain && self.dice.chance(60));
        let message = Arc::new(Message {
            topic: self.directory.borrow().entry(topic).expect("topics: it was found just now").clone(),
            id: MessageId { epoch: epoch_of(topic), offset: Offset(*offset) },
            key: (key > 0).then(|| self.keys[key - 1].clone()),
            published: self.start + self.now,
            expires: ttl_ms.map(|most| self.start + self.now + Duration::from_millis(self.dice.between(0, most))),
            trace: None,
            body,
        });
        self.messages.push(Arc::downgrade(&message));
        self.trace.count("messages published", 1);
        message
    }

    /// Time passes, and every shard wakes up whenever it said it would.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        // Time to live and retries may keep a shard busy; nobody wakes up more often than that for one step.
        for _ in 0..100 {
            let next = self.shards.iter().filter_map(Shard::next_due).min().filter(|&due| due < end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            self.wake_all();
            self.settle();
        }
        self.now = end;
        self.wake_all();
    }

    fn wake_all(&mut self) {
        for shard in &mut self.shards {
            (shard.now, shard.behind) = (self.now, Duration::ZERO);
            if shard.is_due() {
                shard.wake();
            }
        }
    }

    /// Hands out what there is to say, and lets those react who do so at once, until nobody says anything.
    fn settle(&mut self) {
        for shard in 0..self.shards.len() {
            loop {
                let heard = self.shards[shard].take_outputs();
                if heard.is_empty() {
                    break;
                }
                for heard in heard {
                    self.react(shard, heard);
                }
            }
            self.shards[shard].check_touched();
        }
        self.check_memory();
    }

    /// Messages take no more than they may, but for one, for what is on its way, and for what topics remember.
    fn check_memory(&self) {
        let Some(budget) = self.memory.budget() else { return };
        let beside: u64 = self.shards.iter().map(Shard::check_entries).sum();
        let used = self.memory.used();
        assert!(used <= budget + ONE_MESSAGE + beside, "memory: {used} of {budget} and {beside} are used");
    }

    fn react(&mut self, shard: usize, heard: Heard) {
        let (Heard::Batch { link } | Heard::Message { link, .. } | Heard::Cut { link }) = heard;
        let Some((key, client)) = self.shards[shard].owner(link) else { return };
        let profile = self.clients[client].profile;
        match heard {
            Heard::Batch { .. } if profile.reads_at_once => {
                self.shards[shard].set_room(key, Room { frames: 256, bytes: 65_536, is_empty: true });
            }
            Heard::Message { peer, topic, offset, .. } if profile.acks_at_once && !self.dice.chance(profile.forges) => {
                let id = MessageId { epoch: epoch_of(topic), offset: Offset(offset) };
                self.shards[shard].ack(peer, topic, id);
            }
            // It may take what is left of its connection with it.
            Heard::Cut { .. } if self.dice.chance(50) => {
                self.go(client, CloseReason::Transport);
            }
            _ => {}
        }
    }

    fn use_stale_keys(&mut self, shard: usize) {
        let Some(link) = self.clients.iter().find_map(|client| client.lost.filter(|lost| lost.0 == shard)) else {
            return;
        };
        let shard = &mut self.shards[shard];
        let peer = self.dice.below(shard.peers() as u64) as usize;
        let rule = &self.scene.rules[self.dice.below(self.scene.rules.len() as u64) as usize];
        if !shard.is_gone(peer) || shard.owner_of(link.1).is_some() {
            return;
        }
        let id = MessageId { epoch: epoch_of(rule.topic), offset: Offset(1) };
        match self.dice.below(9) {
            0 => shard.set_room(link.1, Room { frames: 9, bytes: 9_000, is_empty: true }),
            1 => shard.close(link.1, CloseReason::Transport, self.keeps_none),
            2 => drop(shard.join(link.1, rule.namespace, ClientId([0xff; 12]), None)),
            3 => drop(shard.attach(peer, link.1)),
            4 => shard.subscribe(peer, rule.topic, Wishes::default(), 0),
            5 => shard.unsubscribe(peer, rule.topic),
            6 => shard.ack(peer, rule.topic, id),
            7 => shard.nack(peer, rule.topic, id, Duration::from_secs(1)),
            _ => shard.leave(peer),
        }
        self.trace.count("stale keys used", 1);
    }
}
