//! A test is a script and its trace: only this file knows the API, so refactoring never rewrites tests.
//!
//! A scene opens with one client, `ann`, on a link without room, subscribed to every topic of the first namespace.
//! Commands are separated by commas or lines. One that begins with `bob:` is bob's; the others are ann's.
//!
//! ```text
//! room 9 | room 9 100 | room empty | room 9 empty      what the client's link takes now: frames, bytes, nothing below
//! offer a b | offer 1-40                               publishes; with key=k size=100 frames=2 topic=u ttl=1s,
//!                                                      to=bob or to=bob+cat for these clients alone,
//!                                                      except=bob or except=bob+cat for all others,
//!                                                      whose=amy for all sessions of a principal;
//!                                                      wait=yes and the trace says who acks it, and who never will
//! ack a | ack a topic=u | ack a upto=yes               a name never offered is an id never sent
//! nack a | nack a after=500ms                          could not be handled: again, later
//! subscribe | subscribe u window=1 | unsubscribe u     without a topic: the first of the client's namespace
//! subscribe t freq=2                                   and of each key two values a second at most
//! join bob /feed | join bob /feed with ann             on a link of its own, or on ann's; as=amy says who it is
//! identify as=amy                                      says later who it is
//! leave | close                                        the session, or its link with all sessions
//! retain 10s | return                                  the session outlives its link; it gets a new one, without room
//! tell                                                 an answer that is no subscription
//! +1s | +20ms | -1s                                    time; on the way forward everything due is done in between
//! subscribe orders.7 | offer a topic=orders.7           topics made from the pattern orders.*
//! reload                                               goes on with the next of the scenes given
//! flood a b                                            the same as offer, and says when it is time to send
//! tick                                                 gives up what has expired and was not touched since
//! disk waits | disk goes on                            holds what it is told to do, and does it again at once
//! disk step | disk step 2                              does the first, or the second, that it may do next
//! disk tells                                           the trace says from now on what it is told
//! disk forgets                                         keeps nothing in memory of what is written: before anything else
//! disk size=5000 grant=1000                            all it has, and makes room for at a time: before anything else
//! disk size=5000 | disk fails | disk damages a b       all it has; writes no more; between two messages
//! memory 350 | memory 0 shed=500 | memory plenty       bytes free when a message comes, and those that should become so
//! holds | books                                        what the lanes hold, and the totals
//! ```
//!
//! The trace says what was sent, told, rejected and so on; a series of numbered messages is one line.
//!
//! After every command all outputs are taken, and the invariants are checked that need no script: nothing leaves
//! without room, limits hold, the books balance.

mod disk;
mod memory;
mod report;
mod topics;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::num::NonZeroU16;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::disk::Disk;
use super::script::{Command, duration, fold_series, names, number, told};
use crate::hub::BATCH_LENGTH;
use crate::{
    AckNews, AckOutcome, Body, Catalog, ClientId, CloseReason, Epoch, Event, Frequency, Hub, LinkKey, MESSAGE_BYTES,
    Message, MessageId, Namespace, NamespaceId, Offset, Output, PressureCost, RequestId, Room, SessionKey, TopicEntry,
    TopicId, TopicStats, Transmit, Transport, UnsubscribeReason, Wishes,
};

/// The namespaces of a scene. The first is where `ann` is.
#[derive(Debug)]
pub struct Scene(Vec<Namespace>);

impl From<Namespace> for Scene {
    fn from(namespace: Namespace) -> Self {
        Self(vec![namespace])
    }
}

impl Scene {
    fn catalog(self) -> Catalog {
        let builder = self.0.into_iter().fold(Catalog::builder(), crate::CatalogBuilder::namespace);
        builder.build().expect("the scene's catalog is valid")
    }
}

impl<const N: usize> From<[Namespace; N]> for Scene {
    fn from(namespaces: [Namespace; N]) -> Self {
        Self(namespaces.into())
    }
}

/// Plays a script and returns its trace.
///
/// # Panics
/// When an invariant breaks, or when the script makes no sense.
#[must_use]
pub fn run(scene: impl Into<Scene>, script: &str) -> String {
    run_reloaded(scene, Vec::new(), script)
}

/// The same, with scenes to go on with, one for each `reload` of the script.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_reloaded(scene: impl Into<Scene>, next: Vec<Scene>, script: &str) -> String {
    let mut stage = Stage::new(scene.into());
    stage.next = next.into();
    for command in script.split([',', '\n']).map(str::trim).filter(|command| !command.is_empty()) {
        stage.play(command);
        stage.take_outputs();
        stage.inspect();
    }
    fold_series(&stage.trace)
}

const EPOCH: Epoch = Epoch(7);
const PLENTY: u64 = 1 << 20;
const SIZE_BYTES: usize = 10;

struct Stage {
    catalog: Arc<Catalog>,
    hub: Hub,
    start: Instant,
    now: Duration,
    actors: Vec<Actor>,
    /// What each link said last, less what was sent to it since; found by its key.
    rooms: Vec<(LinkKey, Room)>,
    /// Every message offered, by the name the script gives it.
    messages: Vec<(String, TopicId, MessageId)>,
    /// The topics made from patterns, by name, and how many there ever were.
    made: BTreeMap<Arc<str>, Weak<TopicEntry>>,
    numbers: u32,
    /// The scenes still to be reloaded.
    next: VecDeque<Scene>,
    /// What was heard again and is still to be an event: whose it is, and the attempt.
    resent: VecDeque<(ClientId, MessageId, u32)>,
    /// Whether a reload may have left a lane with more than its limits.
    is_reloaded: bool,
    trace: String,
    /// What is free whenever a message comes; `None` is plenty.
    memory: Option<u64>,
    /// What want of memory has cost up to now.
    cost: PressureCost,
    disk: Disk,
}

#[derive(Clone, Copy)]
struct Actor {
    name: &'static str,
    link: LinkKey,
    namespace: NamespaceId,
    session: SessionKey,
    client: ClientId,
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "a scene begins at some instant; only differences show")]
    fn new(scene: Scene) -> Self {
        let catalog = Arc::new(scene.catalog());
        let mut stage = Self {
            hub: Hub::new(catalog.clone(), EPOCH),
            catalog,
            start: Instant::now(),
            now: Duration::ZERO,
            actors: Vec::new(),
            rooms: Vec::new(),
            messages: Vec::new(),
            made: BTreeMap::new(),
            numbers: 0,
            next: VecDeque::new(),
            resent: VecDeque::new(),
            is_reloaded: false,
            trace: String::new(),
            memory: None,
            cost: PressureCost::default(),
            disk: Disk::default(),
        };
        let first = NamespaceId(0);
        stage.join("ann", first, None, None);
        for &topic in stage.catalog.clone().namespace_entry(first).topics() {
            let entry = stage.catalog.entry(topic).clone();
            if entry.class.prefix().is_none() {
                stage.hub.subscribe(stage.actors[0].session, &entry, Wishes::default(), None, stage.instant());
            }
        }
        stage.handle_room(0, Room { frames: 99, bytes: PLENTY, is_empty: true });
        stage.take_outputs();
        stage.handle_room(0, Room::NONE);
        stage.trace.clear();
        stage
    }

    fn play(&mut self, text: &str) {
        if let Some(step) = text.strip_prefix('+') {
            return self.pass(duration(step));
        }
        if let Some(step) = text.strip_prefix('-') {
            self.now = self.now.saturating_sub(duration(step));
            return self.hub.handle_timeout(self.instant());
        }
        let command = Command::parse(text);
        let actor = self.actor(command.actor);
        let (now, session, link) = (self.instant(), self.actors[actor].session, self.actors[actor].link);
        match command.verb {
            "room" => {
                let mut level = Room::NONE;
                for (place, word) in command.words.iter().enumerate() {
                    match (*word, place) {
                        ("empty", _) => level.is_empty = true,
                        (frames, 0) => (level.frames, level.bytes) = (number(frames), PLENTY),
                        (bytes, _) => level.bytes = number(bytes),
                    }
                }
                self.handle_room(actor, level);
            }
            "offer" | "flood" => {
                for name in names(&command.words) {
                    self.offer(name.clone(), &command);
                    if command.verb == "flood" && self.hub.is_crowded() {
                        self.note(&format!("crowded after {name}"));
                    }
                }
            }
            "ack" | "nack" => {
                for name in names(&command.words) {
                    self.ack(actor, &name, &command);
                }
            }
            "subscribe" => {
                let topic = self.topic_of(actor, command.words.first().copied());
                let max_frequency = command.number("freq").map(|hertz| Frequency::hertz(hertz).expect("a frequency"));
                let window = command.number("window").and_then(NonZeroU16::new);
                let wishes = Wishes { window, max_frequency };
                if self.hub.subscribe(session, &topic, wishes, None, now).is_none() {
                    self.say(actor, "is gone");
                }
            }
            "unsubscribe" => {
                let topic = self.topic_of(actor, command.words.first().copied());
                if !self.hub.unsubscribe(session, &topic, UnsubscribeReason::Client, None, now) {
                    self.say(actor, "was not subscribed");
                }
            }
            "join" => {
                let namespace = self.catalog.namespace(command.words[1]).expect("the scene has the namespace");
                let with = command.words.get(3).map(|other| self.actors[self.actor(other)].link);
                self.join(command.words[0], namespace, with, command.option("as"));
            }
            "memory" => {
                self.memory = command.words[0].parse().ok();
                self.feel(command.number("shed").unwrap_or(0), 0);
            }
            "retain" => self.hub.retain(session, duration(command.words[0])),
            "return" => {
                let link = self.hub.open(now);
                self.rooms.push((link, Room::NONE));
                if self.hub.attach(session, link, Transport::Other, now) {
                    self.actors[actor].link = link;
                } else {
                    self.say(actor, "comes back too late");
                }
            }
            "leave" => self.hub.leave(session, CloseReason::Client, now),
            "identify" => {
                let principal = command.option("as").expect("identify as=somebody").into();
                if !self.hub.identify(session, &principal, None, now) {
                    self.say(actor, &format!("is not {principal}"));
                }
            }
            "close" => self.hub.close(link, CloseReason::Transport, now),
            "tell" => {
                let namespace = self.actors[actor].namespace;
                self.hub.tell(session, Transmit::Done { namespace, request: RequestId(0) }, now);
            }
            "disk" => self.turn_disk(&command),
            "tick" => self.hub.expire(now),
            "drain" => self.hub.release_held(now),
            "reload" => self.reload(),
            "holds" => self.holds(actor),
            "books" => self.books(),
            other => panic!("`{other}` is not a command"),
        }
    }

    fn pass(&mut self, step: Duration) {
        let end = self.now + step;
        while let Some(due) = self.hub.poll_timeout().map(|due| due.saturating_duration_since(self.start)) {
            if due > end {
                break;
            }
            self.now = self.now.max(due);
            self.hub.handle_timeout(self.instant());
            assert!(
                self.hub.poll_timeout() > Some(self.instant()) || self.hub.poll_timeout().is_none(),
                "what is due is done"
            );
            self.take_outputs();
        }
        self.now = end;
    }

    fn join(&mut self, name: &str, namespace: NamespaceId, with: Option<LinkKey>, principal: Option<&str>) {
        let now = self.instant();
        let link = with.unwrap_or_else(|| {
            let link = self.hub.open(now);
            self.rooms.push((link, Room::NONE));
            link
        });
        let client = ClientId([self.actors.len() as u8; 12]);
        match self.hub.join_as(link, namespace, client, Transport::Other, principal.map(Into::into), now) {
            // A scene is short and its names are few.
            Some(session) => {
                self.actors.push(Actor { name: name.to_owned().leak(), link, namespace, session, client });
            }
            None => self.note(&format!("{name} finds the link gone")),
        }
    }

    fn handle_room(&mut self, actor: usize, level: Room) {
        let link = self.actors[actor].link;
        if let Some((_, room)) = self.rooms.iter_mut().find(|(key, _)| *key == link) {
            *room = level;
        }
        self.hub.handle_room(link, level, self.instant());
    }

    fn offer(&mut self, name: String, command: &Command<'_>) {
        let topic = match command.option("topic") {
            Some(wanted) => self.topic_named(wanted),
            None => self.catalog.entry(self.catalog.topics().next().expect("a scene has topics")).clone(),
        };
        let key = topic.id;
        let offset = 1 + self.messages.iter().filter(|(_, other, _)| *other == key).count() as u64;
        let id = MessageId { epoch: EPOCH, offset: Offset(offset) };
        let size = command.number("size").unwrap_or(SIZE_BYTES);
        let attachments = (1..command.number("frames").unwrap_or(1)).map(|_| size..size).collect();
        let body = Body { bytes: Bytes::from(vec![b'.'; size]), payload: 0..size, attachments };
        self.messages.push((name.clone(), key, id));
        let key = command.option("key").map(Into::into);
        let expires = command.option("ttl").map(|ttl| self.instant() + duration(ttl));
        let message = Arc::new(Message { topic, id, key, published: self.instant(), expires, trace: None, body });

        let topic = message.topic.id;
        let before = *self.hub.stats(topic);
        self.feel(0, MESSAGE_BYTES + size as u64);
        let (except, now) = (self.clients(command.option("except")), self.instant());
        if command.option("wait").is_some() {
            self.hub.await_acks(&message);
        }
        let fanout = match (command.option("to"), command.option("whose"), except.as_slice()) {
            (_, Some(principal), except) => self.hub.publish_to_principal(principal, &message, except, now),
            (Some(to), None, []) if !to.contains('+') => {
                let session = self.actors[self.actor(to)].session;
                let Some(fanout) = self.hub.publish_to(session, &message, now) else {
                    return self.note(&format!("{to} does not take {name}"));
                };
                fanout
            }
            (to @ Some(_), None, except) => {
                let clients = self.clients(to);
                self.hub.publish_to_clients(&clients, &message, except, now)
            }
            (None, None, []) => self.hub.publish(&message, None, now),
            (None, None, &[one]) => self.hub.publish(&message, Some(one), now),
            (None, None, except) => self.hub.publish_except(&message, except, now),
        };
        self.report(&name, fanout, &before, topic);
    }

    /// The clients of `bob+cat`, sorted as a hub wants them.
    fn clients(&self, names: Option<&str>) -> Vec<ClientId> {
        let names = names.into_iter().flat_map(|names| names.split('+'));
        let mut clients: Vec<_> = names.map(|name| self.actors[self.actor(name)].client).collect();
        clients.sort_unstable();
        clients
    }

    fn ack(&mut self, actor: usize, name: &str, command: &Command<'_>) {
        let known = self.messages.iter().find(|(known, ..)| known == name).map(|(_, topic, id)| (*topic, *id));
        let unknown = MessageId { epoch: EPOCH, offset: Offset(1_000_000) };
        let (topic, id) = known.unwrap_or_else(|| (self.topic_of(actor, None).id, unknown));
        let topic = command.option("topic").map_or(topic, |claimed| self.topic_named(claimed).id);
        let (session, now) = (self.actors[actor].session, self.instant());
        let (verb, outcome) = if command.verb == "nack" {
            let delay = command.option("after").map_or(Duration::ZERO, duration);
            ("nacked", self.hub.handle_nack(session, topic, id, delay, now))
        } else if command.option("upto").is_some() {
            ("acked up to", self.hub.handle_ack_up_to(session, topic, id, now))
        } else {
            ("acked", self.hub.handle_ack(session, topic, id, now))
        };
        let text = match outcome {
            Some(AckOutcome::Released | AckOutcome::Confirmed | AckOutcome::Nacked) => format!("{verb} {name}"),
            Some(outcome) => format!("{verb} {name}: {}", outcome.as_str()),
            None => "is gone".to_owned(),
        };
        self.say(actor, &text);
    }

    fn take_outputs(&mut self) {
        loop {
            let outputs: Vec<_> = std::iter::from_fn(|| self.hub.poll_output(self.instant())).collect();
            let is_done = outputs.is_empty();
            self.hear_outputs(outputs);
            // What a disk that does not wait has done may lead to more.
            if !self.run_disk() && is_done {
                break;
            }
        }
        assert!(self.resent.is_empty(), "each retry is an event");
        while let Some(AckNews { topic, id, client, is_acked }) = self.hub.poll_ack_news() {
            let (name, news) = (self.name_of(topic, id), if is_acked { "has acked it" } else { "never will ack it" });
            let told = format!("whoever waits for {name} is told: {} {news}", self.actors[self.actor_of(client)].name);
            self.note(&told);
        }
    }

    fn hear_outputs(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Event(event) => self.witness(&event),
                Output::Spill(command) => self.tell_disk(command),
                // A scenario says every change of room by itself.
                Output::Starved(_) => {}
                Output::GivenUp(given_up) => {
                    let name = self.name_of(given_up.message.topic.id, given_up.message.id).to_owned();
                    let (attempts, reason) = (given_up.attempts, given_up.reason.as_str());
                    self.say(self.actor_of(given_up.client), &format!("kept {name}: {reason} after {attempts}"));
                }
                Output::Disconnect { session, link, reason, .. } => {
                    assert!(self.hub.session(session).is_none(), "who is to be disconnected has left");
                    let actor = self.actors.iter().position(|actor| actor.session == session);
                    let actor = actor.expect("every session is an actor's");
                    assert_eq!(self.actors[actor].link, link, "it is told on its own link");
                    self.say(actor, &format!("to be disconnected ({})", reason.as_str()));
                }
                Output::Transmit(link, mut batch) => {
                    assert!(
                        (1..=BATCH_LENGTH).contains(&batch.len()),
                        "a batch is something, and leaves turns to others"
                    );
                    for what in batch.drain(..) {
                        let (_, room) =
                            self.rooms.iter_mut().find(|(key, _)| *key == link).expect("a link was opened once");
                        assert!(room.takes(what.frames(), what.size_bytes()), "no room for {what:?} in {room:?}");
                        room.take(what.frames(), what.size_bytes());
                        self.hear(link, &what);
                    }
                    self.hub.recycle(batch);
                }
            }
        }
    }

    fn hear(&mut self, link: LinkKey, what: &Transmit) {
        let namespace = what.namespace();
        let there = |actor: &Actor| (actor.link, actor.namespace) == (link, namespace);
        let actor = self.actors.iter().rposition(there).expect("somebody is there to hear it");
        let text = match what {
            Transmit::Message { message, attempt, .. } => {
                if *attempt > 1 {
                    self.resent.push_back((self.actors[actor].client, message.id, *attempt));
                }
                let name = self.name_of(message.topic.id, message.id);
                if message.is_at_least_once() {
                    format!("sent {name} (attempt {attempt})")
                } else {
                    format!("sent {name}")
                }
            }
            answer => told(answer),
        };
        self.say(actor, &text);
    }

    fn witness(&mut self, event: &Event) {
        let (client, text) = match event {
            Event::Connected { client, namespace, principal: None, .. } => (client, format!("joined {namespace}")),
            Event::Connected { client, namespace, principal: Some(principal), .. } => {
                (client, format!("joined {namespace} as {principal}"))
            }
            Event::Authenticated { client, principal, .. } => (client, format!("is {principal}")),
            Event::Disconnected { client, reason, .. } => (client, format!("left ({})", reason.as_str())),
            Event::SessionDetached { client, .. } => (client, "is waited for".to_owned()),
            Event::SessionResumed { client, .. } => (client, "is back".to_owned()),
            Event::SessionExpired { client, .. } => (client, "is waited for no more".to_owned()),
            Event::Subscribed { client, topic, .. } => (client, format!("subscribed to {topic}")),
            Event::Unsubscribed { client, topic, .. } => (client, format!("unsubscribed from {topic}")),
            Event::OverflowBegan { client, .. } => (client, "overflow began".to_owned()),
            Event::OverflowEnded { client, lost, .. } => (client, format!("overflow ended: {lost} lost")),
            Event::SpillBegan { client, .. } => (client, "spill began".to_owned()),
            Event::SpillEnded { client, messages, lasted, .. } => {
                (client, format!("spill ended: {messages} in {lasted:?}"))
            }
            Event::SpillHealthChanged { health, .. } => {
                return self.note(&format!("disk is {}", format!("{health:?}").to_lowercase()));
            }
            Event::SlowClientBegan { client, messages, bytes, .. } => {
                (client, format!("slow client began: {messages} messages, {bytes} bytes"))
            }
            Event::SlowClientEnded { client, lasted, lost, .. } => {
                (client, format!("slow client ended after {lasted:?}: {lost} lost"))
            }
            Event::RetriesExhausted { client, namespace, topic, id, .. } => {
                let at =
                    self.messages.iter().find(|(_, of, other)| other == id && self.is_named(*of, namespace, topic));
                (client, format!("gave up on {}", at.expect("only what was offered is given up").0))
            }
            // The attempt that was sent has told it.
            Event::Retried { client, id, retry, .. } => {
                let told = self.resent.pop_front();
                return assert_eq!(told, Some((*client, *id, retry + 1)), "each retry is an event");
            }
            other => panic!("the core does not make {other:?}"),
        };
        self.say(self.actor_of(*client), &text);
    }

    /// Checks what must hold after every command, whatever the script.
    fn inspect(&self) {
        let mut resident = 0;
        for actor in &self.actors {
            for lane in self.hub.session(actor.session).into_iter().flat_map(crate::Session::lanes) {
                let limits = lane.policy().limits;
                let is_within =
                    lane.len() as u64 <= u64::from(limits.messages.get()) && lane.bytes() <= limits.bytes.get();
                assert!(is_within || self.is_reloaded, "{} holds too much", actor.name);
                assert!(lane.policy().spills() || !lane.has_spilled() || self.is_reloaded, "who spills may");
                assert_eq!(lane.is_empty(), lane.oldest().is_none(), "{}'s lane knows whether it is empty", actor.name);
                resident += lane.len() as u64;
            }
        }
        self.hub.check();
        self.hub.check_lane_totals();
        let topics = || self.catalog.topics();
        resident += topics().map(|topic| self.hub.survey(topic, self.instant()).spilled_messages).sum::<u64>();
        assert_eq!(self.hub.resident(), resident, "the books count what the lanes hold, and what has spilled");
        let gone = |stats: &TopicStats| stats.delivered + stats.coalesced + stats.dropped() + stats.abandoned;
        let stats = || topics().map(|topic| self.hub.stats(topic));
        let (offered, gone): (u64, u64) = (stats().map(|stats| stats.offered).sum(), stats().map(gone).sum());
        assert_eq!(offered, gone + resident, "the books balance");
    }

    /// A line of the trace about a client.
    fn say(&mut self, actor: usize, text: &str) {
        match actor {
            0 => self.note(text),
            _ => self.note(&format!("{}: {text}", self.actors[actor].name)),
        }
    }

    /// A line of the trace.
    fn note(&mut self, text: &str) {
        let now = if self.now.is_zero() { "0s".to_owned() } else { format!("{:?}", self.now) };
        writeln!(self.trace, "{now}  {text}").expect("a string takes everything");
    }

    fn actor_of(&self, client: ClientId) -> usize {
        self.actors.iter().position(|actor| actor.client == client).expect("every client is an actor")
    }

    fn actor(&self, name: &str) -> usize {
        let place = self.actors.iter().rposition(|actor| actor.name == name);
        place.unwrap_or_else(|| panic!("nobody is called `{name}`"))
    }

    fn instant(&self) -> Instant {
        self.start + self.now
    }
}
