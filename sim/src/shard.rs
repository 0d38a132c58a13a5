//! A hub, and beside it all that its clients and their transports know. Every verb is said to both.
//!
//! Never chance: what happens is the world's to say, what may not happen is checked here.

mod acks;
mod cuts;
mod disk;
mod inspect;
mod last;
mod look;
mod outputs;
mod pressure;
mod publish;
mod reload;
mod standings;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::testing::disk::SimDisk;
use streamfence_core::{
    ClientId, CloseReason, Hub, LinkKey, Message, MessageId, NamespaceId, Offset, RequestId, Room, TopicEntry, TopicId,
    Transmit, Transport, UnsubscribeReason, Wishes,
};

use crate::audience::Audience;
use crate::directory::{Directory, EPOCH};
use crate::ledger::{Ledger, Letter, Load};
use crate::link::Link;
use crate::memory::Memory;
use crate::peer::{Answer, Edge, Peer};
use crate::scene::Scene;
use crate::standing::Standing;
use crate::tally::Tally;
use crate::trace::Trace;
use cuts::Cut;

/// A driver takes no further wishes from a client that does not read the answers.
const MOST_ANSWERS: usize = 16;

pub(crate) struct Shard {
    number: usize,
    scene: Arc<Scene>,
    trace: Trace,
    memory: Rc<Memory>,
    directory: Rc<RefCell<Directory>>,
    /// How many messages its lanes may hold, by what it was told last.
    ceiling: u64,
    /// Whether that may have been met since.
    is_tight: bool,
    hub: Hub,
    disk: SimDisk,
    start: Instant,
    /// What the world's clock shows, and the newest time the hub was told of.
    pub(crate) now: Duration,
    seen: Duration,
    /// How far behind the clock of the next calls is.
    pub(crate) behind: Duration,
    /// By [`LinkKey::index`].
    links: Vec<Option<Link>>,
    peers: Vec<Peer>,
    /// The sessions subscribed to each topic.
    subscribers: BTreeMap<TopicId, Vec<usize>>,
    tallies: Vec<Tally>,
    /// The last message of each topic that was taken.
    positions: BTreeMap<TopicId, u64>,
    /// What each topic remembers for newcomers, in its order.
    lasts: Vec<Vec<Letter>>,
    inbox: VecDeque<Command>,
    /// What came out and was not yet reacted to.
    heard: Vec<Heard>,
    /// Links at which something may have changed since the last look.
    touched: Vec<usize>,
    /// What was said to be given up and is still to be handed out, to be kept.
    given_up: VecDeque<(ClientId, MessageId)>,
    /// Sessions that the hub has ended of itself, and is still to hand out.
    cuts: VecDeque<Cut>,
    /// Whether it has woken up since anybody looked at the ladders.
    has_woken: bool,
}

/// What the sequencer has for a shard.
pub(crate) enum Command {
    Publish {
        message: Arc<Message>,
        audience: Audience,
    },
    /// To one session, found by its key.
    PublishTo {
        peer: usize,
        message: Arc<Message>,
    },
}

/// What a client may react to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard {
    /// Its transport has taken something.
    Batch { link: usize },
    /// A message that wants an ack, or a receipt.
    Message { link: usize, peer: usize, topic: TopicId, offset: u64 },
    /// That one of its sessions was ended by the server.
    Cut { link: usize },
}

impl Shard {
    pub(crate) fn new(
        number: usize,
        scene: Arc<Scene>,
        start: Instant,
        trace: Trace,
        memory: Rc<Memory>,
        directory: Rc<RefCell<Directory>>,
    ) -> Self {
        let topics = scene.rules.len();
        let mut hub = Hub::new(scene.catalog.clone(), EPOCH).on_shard(number as u16, scene.shards as u16);
        hub.limit_spills(disk::limits(&scene));
        Self {
            number,
            hub,
            disk: SimDisk::new(scene.disk_bytes, scene.grant_bytes),
            scene,
            trace,
            memory,
            directory,
            ceiling: u64::MAX,
            is_tight: false,
            start,
            now: Duration::ZERO,
            seen: Duration::ZERO,
            behind: Duration::ZERO,
            links: Vec::new(),
            peers: Vec::new(),
            subscribers: BTreeMap::new(),
            tallies: vec![Tally::default(); topics],
            positions: BTreeMap::new(),
            lasts: vec![Vec::new(); topics],
            inbox: VecDeque::new(),
            heard: Vec::new(),
            touched: Vec::new(),
            given_up: VecDeque::new(),
            cuts: VecDeque::new(),
            has_woken: false,
        }
    }

    pub(crate) fn open(&mut self, client: usize) -> LinkKey {
        let now = self.time();
        let key = self.hub.open(now);
        if self.links.len() <= key.index() {
            self.links.resize_with(key.index() + 1, || None);
        }
        assert!(self.links[key.index()].is_none(), "keys: a place was given twice");
        self.links[key.index()] = Some(Link::new(key, client));
        self.note(&[1, key.index() as u64], || format!("client {client} opens link {}", key.index()));
        key
    }

    pub(crate) fn join(
        &mut self,
        link: LinkKey,
        namespace: NamespaceId,
        name: ClientId,
        principal: Option<Arc<str>>,
    ) -> Option<usize> {
        let now = self.time();
        let key = self.hub.join_as(link, namespace, name, Transport::Other, principal.clone(), now);
        assert_eq!(key.is_some(), self.link(link).is_some(), "keys: a session is joined to an open link, and no other");
        let key = key?;
        let peer = self.peers.len();
        self.peers.push(Peer {
            key,
            name,
            namespace,
            principal,
            link: Some(link.index()),
            retention: None,
            away_until: None,
            is_gone: false,
            is_doomed: false,
            lanes: Vec::new(),
            answers: VecDeque::new(),
            edge: Edge::Nothing,
            standing: Standing::default(),
        });
        self.peers[peer].standing.begin_anew(self.seen);
        self.note(&[2, peer as u64], || {
            format!("peer {peer} joins namespace {} on link {}", namespace.0, link.index())
        });
        self.link_at(link.index()).peers.push((namespace, peer));
        assert_eq!(self.hub.session_of(name), Some(key), "keys: a client is found by its name");
        Some(peer)
    }

    pub(crate) fn retain(&mut self, peer: usize, retention: Duration) {
        self.hub.retain(self.peers[peer].key, retention);
        let peer = &mut self.peers[peer];
        peer.retention = (!peer.is_gone).then_some(retention);
    }

    /// The client of a session has come back, perhaps before its old link is known to be lost.
    pub(crate) fn attach(&mut self, peer: usize, link: LinkKey) -> bool {
        let now = self.time();
        let is_attached = self.hub.attach(self.peers[peer].key, link, Transport::Other, now);
        let can = !self.peers[peer].is_gone && self.link(link).is_some();
        assert_eq!(is_attached, can, "retention: whoever can come back does, and nobody else");
        self.note(&[3, peer as u64, u64::from(can)], || {
            format!("peer {peer} attaches to link {}: {can}", link.index())
        });
        if !can {
            return false;
        }
        let old = self.peers[peer].link.replace(link.index());
        if let Some(old) = old {
            self.trace.count("sessions taken over", 1);
            self.link_at(old).peers.retain(|&(_, other)| other != peer);
            self.touched.push(old);
        } else {
            self.trace.count("sessions resumed", 1);
        }
        let seen = self.seen;
        let new = self.link_at(link.index());
        let clock = new.clock(seen);
        let state = &mut self.peers[peer];
        // Whoever is away hears no answers.
        state.answers.clear();
        state.away_until = None;
        state.standing.begin_anew(seen);
        for (_, ledger) in &mut state.lanes {
            ledger.resume(clock);
        }
        let namespace = state.namespace;
        self.link_at(link.index()).peers.push((namespace, peer));
        self.touch(peer);
        true
    }

    pub(crate) fn leave(&mut self, peer: usize) {
        let now = self.time();
        self.note(&[4, peer as u64], || format!("peer {peer} leaves"));
        self.end(peer);
        self.hub.leave(self.peers[peer].key, CloseReason::Client, now);
    }

    pub(crate) fn close(&mut self, link: LinkKey, reason: CloseReason, keeps_none: bool) {
        let now = self.time();
        self.note(&[5, link.index() as u64], || format!("link {} closes: {}", link.index(), reason.as_str()));
        if self.link(link).is_some() {
            let closed = self.links[link.index()].take().expect("it is open");
            for (_, peer) in closed.peers {
                let seen = self.seen;
                let state = &mut self.peers[peer];
                match state.retention.filter(|_| reason.is_loss() && !keeps_none) {
                    Some(retention) => {
                        state.link = None;
                        state.answers.clear();
                        state.away_until = Some(seen.saturating_add(retention));
                        state.standing.begin_anew(seen);
                        self.trace.count("sessions detached", 1);
                    }
                    None => self.end(peer),
                }
            }
        }
        self.hub.close(link, reason, now);
    }

    pub(crate) fn subscribe(&mut self, peer: usize, topic: TopicId, wishes: Wishes, request: u64) {
        let state = &self.peers[peer];
        if state.answers.len() >= MOST_ANSWERS {
            return;
        }
        let key = state.key;
        let now = self.time();
        let entry = self.entry(topic);
        let before = *self.hub.stats(topic);
        let is_tight = self.may_be_tight(self.lasts[topic.index as usize].len());
        let position = self.hub.subscribe(key, &entry, wishes, Some(RequestId(request)), now);
        self.note(&[6, peer as u64, topic.index.into()], || format!("peer {peer} subscribes to {}", topic.index));
        let offset = self.positions.get(&topic).copied().unwrap_or(0);
        let wanted = (!self.peers[peer].is_gone).then_some(Offset(offset));
        assert_eq!(position.map(|position| position.offset), wanted, "subscribe: after the last message taken");
        if position.is_none() {
            return;
        }
        let rule = self.scene.rules[topic.index as usize].clone();
        let state = &mut self.peers[peer];
        if state.link.is_some() {
            state.answers.push_back(Answer::Subscribed { topic, offset });
        }
        if !state.has_lane(topic) {
            state.lanes.push((topic, Ledger::new(&rule, wishes)));
            self.tallies[topic.index as usize].has_wishes |= wishes.max_frequency.is_some();
            self.subscribers.entry(topic).or_default().push(peer);
            self.offer_last(peer, topic, &before, is_tight);
        }
        self.touch(peer);
    }

    pub(crate) fn unsubscribe(&mut self, peer: usize, topic: TopicId) {
        let state = &self.peers[peer];
        if state.answers.len() >= MOST_ANSWERS {
            return;
        }
        let (key, had, is_gone, is_on) = (state.key, state.has_lane(topic), state.is_gone, state.link.is_some());
        self.abandon(peer, topic);
        let entry = self.entry(topic);
        let now = self.time();
        let did = self.hub.unsubscribe(key, &entry, UnsubscribeReason::Client, None, now);
        self.note(&[7, peer as u64, topic.index.into()], || format!("peer {peer} unsubscribes from {}", topic.index));
        assert_eq!(did, had, "unsubscribe: only what there was ends");
        if !is_gone && is_on {
            self.peers[peer].answers.push_back(Answer::Unsubscribed { topic });
        }
        self.touch(peer);
    }

    /// Answers something else.
    pub(crate) fn tell(&mut self, peer: usize, request: u64) {
        let state = &self.peers[peer];
        if state.answers.len() >= MOST_ANSWERS {
            return;
        }
        let (key, namespace, is_on) = (state.key, state.namespace, state.link.is_some());
        let now = self.time();
        self.hub.tell(key, Transmit::Done { namespace, request: RequestId(request) }, now);
        if is_on {
            self.peers[peer].answers.push_back(Answer::Done { request });
        }
        self.touch(peer);
    }

    pub(crate) fn set_room(&mut self, link: LinkKey, room: Room) {
        let now = self.time();
        let seen = self.seen;
        if let Some(link) = self.links.get_mut(link.index()).and_then(Option::as_mut).filter(|open| open.key == link) {
            link.set_room(room, seen);
        }
        self.note(&[10, link.index() as u64, room.frames.into(), room.bytes], || {
            format!("link {} takes {room:?}", link.index())
        });
        self.hub.handle_room(link, room, now);
        self.touched.push(link.index());
    }

    /// The shard's task wakes up, perhaps for nothing.
    pub(crate) fn wake(&mut self) {
        let now = self.time();
        let seen = self.seen;
        let over: Vec<usize> = self.away().filter(|&peer| self.peers[peer].away_until <= Some(seen)).collect();
        for peer in over {
            self.end(peer);
        }
        self.hub.handle_timeout(now);
        self.has_woken = true;
        self.note(&[12], || format!("shard {} wakes up", self.number));
        let next = self.hub.poll_timeout();
        assert!(next.is_none_or(|due| due > self.start + seen), "deadlines: what is due is done");
        self.touch_all();
    }

    /// Whether its task would wake up by now.
    pub(crate) fn is_due(&self) -> bool {
        self.hub.poll_timeout().is_some_and(|due| due <= self.start + self.now)
    }

    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.hub.poll_timeout().map(|due| due.saturating_duration_since(self.start))
    }

    pub(crate) fn tick(&mut self) {
        let now = self.time();
        self.note(&[13], || format!("shard {} ticks", self.number));
        self.hub.expire(now);
        self.look_at_all();
        self.touch_all();
    }

    /// Nobody is waited for any more.
    pub(crate) fn expire_detached(&mut self) {
        let now = self.time();
        let away: Vec<usize> = self.away().collect();
        let held = self.hub.resident();
        for peer in away {
            self.end(peer);
        }
        let dropped = self.hub.expire_detached(now);
        assert_eq!(held - dropped, self.hub.resident(), "drain: what was dropped is told");
    }

    fn away(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.peers.len()).filter(|&peer| self.peers[peer].away_until.is_some())
    }

    /// A session is about to end, and all it holds with it.
    fn end(&mut self, peer: usize) {
        let topics: Vec<TopicId> = self.peers[peer].lanes.iter().map(|(topic, _)| *topic).collect();
        for topic in topics {
            self.abandon(peer, topic);
        }
        self.forget_session(peer);
    }

    /// A session has ended, and its lanes.
    fn forget_session(&mut self, peer: usize) {
        let state = &mut self.peers[peer];
        state.is_gone = true;
        state.away_until = None;
        state.retention = None;
        state.answers.clear();
        if let Some(link) = state.link.take()
            && let Some(link) = &mut self.links[link]
        {
            link.peers.retain(|&(_, other)| other != peer);
            self.touched.push(link.key.index());
        }
    }

    /// A lane is about to end, and all it holds with it.
    fn abandon(&mut self, peer: usize, topic: TopicId) {
        if self.peers[peer].has_lane(topic) {
            let on_disk = self.hub.spilled_of(self.peers[peer].key, topic).map_or(0, |(messages, _)| messages);
            self.tallies[topic.index as usize].abandoned += self.load(peer, topic).messages + on_disk;
            self.peers[peer].lanes.retain(|(of, _)| *of != topic);
            self.give_up_seat(peer, topic);
        }
    }

    fn load(&self, peer: usize, topic: TopicId) -> Load {
        let session = self.hub.session(self.peers[peer].key).expect("keys: who is subscribed is there");
        let place = session.lane_of(topic).expect("subscribe: who is subscribed has a lane");
        let lane = session.lane(place);
        Load { messages: lane.len() as u64, bytes: lane.bytes() }
    }

    /// Somebody is not subscribed any more.
    fn give_up_seat(&mut self, peer: usize, topic: TopicId) {
        let Some(subscribers) = self.subscribers.get_mut(&topic) else { return };
        subscribers.retain(|&other| other != peer);
        if subscribers.is_empty() {
            self.subscribers.remove(&topic);
        }
    }

    fn entry(&self, topic: TopicId) -> Arc<TopicEntry> {
        self.directory.borrow().entry(topic).expect("topics: only what is there is named").clone()
    }

    /// What the next call is told. The hub takes no step back, whatever it is told.
    fn time(&mut self) -> Instant {
        let told = self.now.saturating_sub(self.behind);
        self.seen = self.seen.max(told);
        self.start + told
    }

    fn clock_of(&self, peer: usize) -> Duration {
        let link = self.peers[peer].link.and_then(|link| self.links[link].as_ref());
        link.map_or(Duration::ZERO, |link| link.clock(self.seen))
    }

    fn touch(&mut self, peer: usize) {
        self.touched.extend(self.peers[peer].link);
        self.look_at(peer);
    }

    fn touch_all(&mut self) {
        self.touched.extend(self.links.iter().flatten().map(|link| link.key.index()));
    }

    fn link(&self, key: LinkKey) -> Option<&Link> {
        self.links.get(key.index())?.as_ref().filter(|link| link.key == key)
    }

    fn link_at(&mut self, place: usize) -> &mut Link {
        self.links[place].as_mut().expect("keys: the link is open")
    }

    fn note(&self, numbers: &[u64], words: impl FnOnce() -> String) {
        self.trace.note(numbers, || format!("[shard {} {:?}] {}", self.number, self.seen, words()));
    }
}
