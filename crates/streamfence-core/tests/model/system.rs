//! The hub of all links, a lonely hub for each of them, and the model, side by side.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest_state_machine::StateMachineTest;
use streamfence_core::{
    AckOutcome, Body, Catalog, CatalogBuilder, ClientId, CloseReason, Epoch, Event, Fanout, Hub, LinkKey, Message,
    MessageId, NamespaceId, Offset, Output, RequestId, Room, SessionKey, TopicId, TopicStats, Transmit, Transport,
    UnsubscribeReason,
};

use super::lane::{Lane, Letter};
use super::world::{Draft, LINKS, NAMESPACES, Rule, SLOTS, Step, TOPICS, TOPICS_EACH, World, namespaces};

const EPOCH: Epoch = Epoch(7);

pub(crate) struct System {
    catalog: Arc<Catalog>,
    all: Driver,
    lonely: Vec<Driver>,
    model: Model,
    start: Instant,
    now_ms: u64,
    offsets: [u64; TOPICS],
    clients: u8,
    messages: Vec<Weak<Message>>,
}

/// One hub, and the keys it gave out. A key stays when it has gone stale, to be used all the same.
struct Driver {
    hub: Hub,
    /// A hub for one link takes no notice of the others, except of what is published.
    only: Option<usize>,
    links: [Option<LinkKey>; LINKS],
    sessions: [Option<SessionKey>; SLOTS],
    /// A session that was gone from the start.
    gone: SessionKey,
}

/// What a hub put out in one go: what was said on each link, and the events of each client.
#[derive(Debug, Default)]
struct Outputs {
    said: [Vec<(usize, Said)>; LINKS],
    events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Message { topic: usize, offset: u64, attempt: u32, frames: u32, bytes: u64 },
    Subscribed { topic: usize, offset: u64 },
    Unsubscribed { topic: usize },
    Done,
}

struct Model {
    rules: Vec<Rule>,
    links: [Option<Link>; LINKS],
    sessions: [Option<Session>; SLOTS],
    stats: [TopicStats; TOPICS],
    lost: u64,
}

#[derive(Default)]
struct Link {
    room: Room,
    clock_ms: u64,
}

struct Session {
    client: ClientId,
    control: VecDeque<Said>,
    lanes: [Option<Lane>; TOPICS_EACH],
    /// How often each session of the link, and each lane of the session, spoke while this one waited.
    overtaken_by: [u32; NAMESPACES],
    lane_overtaken_by: [[u32; TOPICS_EACH]; TOPICS_EACH],
}

impl StateMachineTest for System {
    type SystemUnderTest = Self;
    type Reference = World;

    #[expect(clippy::disallowed_methods, reason = "a run begins at some instant; only differences show")]
    fn init_test(world: &World) -> Self {
        let builder = namespaces(&world.rules).into_iter().fold(Catalog::builder(), CatalogBuilder::namespace);
        let catalog = Arc::new(builder.build().expect("the rules fit together"));
        let start = Instant::now();
        let mut system = Self {
            all: Driver::new(catalog.clone(), None, start),
            lonely: (0..LINKS).map(|link| Driver::new(catalog.clone(), Some(link), start)).collect(),
            catalog,
            model: Model {
                rules: world.rules.clone(),
                links: Default::default(),
                sessions: Default::default(),
                stats: Default::default(),
                lost: 0,
            },
            start,
            now_ms: 0,
            offsets: [0; TOPICS],
            clients: 0,
            messages: Vec::new(),
        };
        for link in 0..LINKS {
            system.play(&Step::Open(link));
        }
        for slot in 0..SLOTS {
            system.play(&Step::Join(slot));
            for topic in 0..TOPICS_EACH {
                system.play(&Step::Subscribe(slot, topic, None));
            }
        }
        system
    }

    fn apply(mut system: Self, _: &World, step: Step) -> Self {
        system.play(&step);
        system
    }

    fn check_invariants(system: &Self, _: &World) {
        system.inspect();
    }

    fn teardown(mut system: Self, _: World) {
        for link in 0..LINKS {
            system.play(&Step::Close(link));
        }
        system.inspect();
        for driver in system.lonely.iter().chain([&system.all]) {
            assert_eq!(driver.hub.links(), 0, "no link is left");
            assert_eq!(driver.hub.resident(), 0, "no message is left");
            for topic in system.catalog.topics() {
                assert_eq!(driver.hub.survey(topic, system.start).lanes, 0, "no seat is left");
            }
            assert!(
                driver.sessions.iter().flatten().all(|&key| driver.hub.session(key).is_none()),
                "no session is left"
            );
        }
        assert!(system.messages.iter().all(|message| message.strong_count() == 0), "nobody holds a message");
        let lost: u64 = system.model.stats.iter().map(|stats| stats.displaced + stats.rejected).sum();
        assert_eq!(system.model.lost, lost, "every overflow has ended, and told what it cost");
        system.play(&Step::Pass(1_000_000));
        assert_eq!(system.all.hub.poll_timeout(), None, "no deadline is left");
    }
}

impl System {
    fn play(&mut self, step: &Step) {
        if let Step::Pass(ms) = step {
            self.now_ms += ms;
        }
        let now = self.start + Duration::from_millis(self.now_ms);
        let message = match step {
            Step::Publish(draft, _) | Step::PublishTo(_, draft) => Some(self.write(draft, now)),
            _ => None,
        };
        if let Step::Join(_) = step {
            self.clients += 1;
        }
        let client = ClientId([self.clients; 12]);
        let except = match step {
            Step::Publish(_, Some(slot)) => self.model.sessions[*slot].as_ref().map(|session| session.client),
            _ => None,
        };
        let answer = self.all.play(step, message.as_ref(), except, client, &self.offsets, now);
        let lonely = self.lonely.iter_mut();
        let answers = lonely.map(|one| one.play(step, message.as_ref(), except, client, &self.offsets, now));
        assert_eq!(answer, answers.fold(Answer::default(), Answer::and), "the hub answers like its lonely sessions");
        drop(message);

        let before = self.model.stats;
        let expected = self.model.play(step, client, except, &self.offsets);
        assert_eq!(answer.outcome, expected, "the ack does what it does in the model");
        if let Some(fanout) = answer.fanout {
            self.model.check_fanout(fanout, &before);
        }

        let outputs = self.all.take_outputs(now);
        for (link, driver) in self.lonely.iter_mut().enumerate() {
            let alone = driver.take_outputs(now);
            assert_eq!(alone.said[link], outputs.said[link], "a link hears the same in a hub of its own");
            let theirs = |event: &&Event| alone.events.iter().any(|other| client_of(other) == client_of(event));
            assert_eq!(alone.events, outputs.events.iter().filter(theirs).cloned().collect::<Vec<_>>());
        }
        self.model.hear(&outputs);
        self.model.check_silence();
        self.model.forget_waits();
        self.check_deadline(now);
    }

    fn write(&mut self, draft: &Draft, now: Instant) -> Arc<Message> {
        self.offsets[draft.topic] += 1;
        let attachments = (1..draft.frames).map(|_| draft.size..draft.size).collect();
        let message = Arc::new(Message {
            topic: topic_id(draft.topic),
            id: MessageId { epoch: EPOCH, offset: Offset(self.offsets[draft.topic]) },
            key: draft.key.map(|key| key.to_string().into()),
            published: now,
            expires: None,
            body: Body { bytes: Bytes::from(vec![0; draft.size]), payload: 0..draft.size, attachments },
        });
        self.messages.push(Arc::downgrade(&message));
        message
    }

    /// The hub wakes up in time, and never for nothing twice.
    fn check_deadline(&self, now: Instant) {
        let filed = self.all.hub.poll_timeout();
        assert!(filed.is_none_or(|filed| filed > now), "what is due is done");
        if let Some(wait_ms) = self.model.next_deadline() {
            let due = now + Duration::from_millis(wait_ms);
            assert!(filed.is_some_and(|filed| filed <= due), "{filed:?} is too late for {due:?}");
        }
    }

    /// Limits hold, the books balance, and everything is where the model has it.
    fn inspect(&self) {
        let mut resident = [0; TOPICS];
        for (slot, session) in self.model.sessions.iter().enumerate() {
            let key = self.all.sessions[slot];
            let Some(session) = session else {
                assert!(key.is_none_or(|key| self.all.hub.session(key).is_none()), "who left is gone");
                continue;
            };
            let real = self.all.hub.session(key.expect("it joined")).expect("it has not left");
            assert_eq!(real.control_backlog(), session.control.len());
            for (place, lane) in session.lanes.iter().enumerate() {
                let topic = slot % NAMESPACES * TOPICS_EACH + place;
                let found = real.lanes().find(|lane| lane.topic() == topic_id(topic));
                assert_eq!(found.is_some(), lane.is_some(), "a lane for each subscription");
                let (Some(found), Some(lane)) = (found, lane) else { continue };
                assert_eq!((found.len(), found.bytes()), (lane.len(), lane.bytes()), "the lane holds what it holds");
                let rule = &self.model.rules[topic];
                assert!(found.len() <= rule.max_messages as usize && found.bytes() <= rule.max_bytes, "limits hold");
                resident[topic] += found.len() as u64;
            }
        }
        for (link, key) in self.all.links.iter().enumerate() {
            let of_link = self.model.sessions[link * NAMESPACES..][..NAMESPACES].iter().flatten();
            let backlog = of_link.map(|session| session.control.len()).sum();
            assert_eq!(key.map_or(0, |key| self.all.hub.control_backlog(key)), backlog);
        }
        assert_eq!(self.all.hub.resident(), resident.iter().sum::<u64>());
        for (topic, resident) in resident.into_iter().enumerate() {
            let stats = *self.all.hub.stats(topic_id(topic));
            assert_eq!(stats, self.model.stats[topic], "topic {topic}: the books say what happened");
            let gone = stats.delivered + stats.coalesced + stats.dropped() + stats.abandoned;
            assert_eq!(stats.offered, gone + resident, "topic {topic}: the books balance");
        }
    }
}

/// What a wish was answered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answer {
    fanout: Option<Fanout>,
    outcome: Option<AckOutcome>,
}

impl Answer {
    fn and(self, other: Self) -> Self {
        let fanout = match (self.fanout, other.fanout) {
            (Some(a), Some(b)) => Some(Fanout {
                matched: a.matched + b.matched,
                admitted: a.admitted + b.admitted,
                coalesced: a.coalesced + b.coalesced,
                displaced: a.displaced + b.displaced,
                rejected: a.rejected + b.rejected,
            }),
            (a, b) => a.or(b),
        };
        Self { fanout, outcome: self.outcome.or(other.outcome) }
    }
}

impl Driver {
    fn new(catalog: Arc<Catalog>, only: Option<usize>, now: Instant) -> Self {
        let mut hub = Hub::new(catalog, EPOCH);
        let link = hub.open(now);
        let gone = hub.join(link, NamespaceId(0), ClientId([0; 12]), Transport::Other, now).expect("it is open");
        hub.close(link, CloseReason::Client, now);
        while hub.poll_output(now).is_some() {}
        Self { hub, only, links: [None; LINKS], sessions: [None; SLOTS], gone }
    }

    fn play(
        &mut self,
        step: &Step,
        message: Option<&Arc<Message>>,
        except: Option<ClientId>,
        client: ClientId,
        offsets: &[u64; TOPICS],
        now: Instant,
    ) -> Answer {
        let mut answer = Answer::default();
        let link_of = |slot: usize| slot / NAMESPACES;
        let is_mine = |link: usize| self.only.is_none_or(|only| only == link);
        let hub = &mut self.hub;
        match (step, message) {
            (Step::Publish(..), Some(message)) => answer.fanout = Some(hub.publish(message, except, now)),
            (&Step::PublishTo(slot, _), Some(message)) => {
                let key = self.sessions[slot].filter(|_| is_mine(link_of(slot))).unwrap_or(self.gone);
                answer.fanout = hub.publish_to(key, message, now);
            }
            (Step::Pass(_), _) => hub.handle_timeout(now),
            (&Step::Open(link), _) if is_mine(link) => {
                self.links[link].get_or_insert_with(|| hub.open(now));
            }
            (&Step::Close(link), _) if is_mine(link) => {
                if let Some(key) = self.links[link].take() {
                    hub.close(key, CloseReason::Transport, now);
                    // A second goodbye is nothing.
                    hub.close(key, CloseReason::Transport, now);
                    hub.handle_room(key, Room { frames: 9, bytes: 9, is_empty: true }, now);
                }
            }
            (&Step::Join(slot), _) if is_mine(link_of(slot)) => {
                let is_free = self.sessions[slot].is_none_or(|key| hub.session(key).is_none());
                if let Some(link) = self.links[link_of(slot)].filter(|_| is_free) {
                    let namespace = NamespaceId((slot % NAMESPACES) as u32);
                    self.sessions[slot] = hub.join(link, namespace, client, Transport::Other, now);
                }
            }
            (&Step::Room(link, frames, bytes, is_empty), _) if is_mine(link) => {
                if let Some(key) = self.links[link] {
                    hub.handle_room(key, Room { frames, bytes, is_empty }, now);
                }
            }
            (
                &(Step::Leave(slot)
                | Step::Tell(slot)
                | Step::Subscribe(slot, ..)
                | Step::Unsubscribe(slot, _)
                | Step::Ack(slot, ..)),
                _,
            ) if is_mine(link_of(slot)) => {
                let Some(key) = self.sessions[slot] else { return answer };
                let namespace = NamespaceId((slot % NAMESPACES) as u32);
                match *step {
                    Step::Leave(_) => hub.leave(key, CloseReason::Client, now),
                    Step::Tell(_) => hub.tell(key, Transmit::Done { namespace, request: RequestId(0) }, now),
                    Step::Subscribe(_, topic, window) => {
                        let window = window.and_then(NonZeroU16::new);
                        hub.subscribe(key, topic_id(topic_of(slot, topic)), window, None, now);
                    }
                    Step::Unsubscribe(_, topic) => {
                        let topic = topic_id(topic_of(slot, topic));
                        hub.unsubscribe(key, topic, UnsubscribeReason::Server, None, now);
                    }
                    Step::Ack(_, topic, nth) => {
                        let topic = topic_of(slot, topic);
                        // Beyond the last message too: an ack of what does not exist.
                        let offset = Offset((offsets[topic] + 1).saturating_sub(nth));
                        let id = MessageId { epoch: EPOCH, offset };
                        answer.outcome = hub.handle_ack(key, topic_id(topic), id, now);
                    }
                    _ => unreachable!("the outer match names them all"),
                }
            }
            _ => {}
        }
        answer
    }

    fn take_outputs(&mut self, now: Instant) -> Outputs {
        let mut outputs = Outputs::default();
        let mut kept = Vec::new();
        while let Some(output) = self.hub.poll_output(now) {
            match output {
                Output::Event(event) => outputs.events.push(event),
                Output::Starved(_) => {}
                Output::GivenUp(given_up) => kept.push((given_up.client, given_up.message.id)),
                Output::Disconnect { .. } => panic!("no topic of the model cuts anybody"),
                Output::Transmit(key, batch) => {
                    let link = self.links.iter().position(|&link| link == Some(key)).expect("the link is open");
                    assert!(!batch.is_empty(), "an empty batch is no output");
                    outputs.said[link].extend(batch.iter().map(heard));
                    self.hub.recycle(batch);
                }
            }
        }
        let exhausted = outputs.events.iter().filter_map(|event| match event {
            Event::RetriesExhausted { client, id, .. } => Some((*client, *id)),
            _ => None,
        });
        assert_eq!(kept, exhausted.collect::<Vec<_>>(), "what is given up is handed out, once");
        outputs
    }
}

impl Model {
    fn play(
        &mut self,
        step: &Step,
        client: ClientId,
        except: Option<ClientId>,
        offsets: &[u64; TOPICS],
    ) -> Option<AckOutcome> {
        match *step {
            Step::Open(link) => {
                self.links[link].get_or_insert_default();
            }
            Step::Close(link) => {
                self.links[link] = None;
                for slot in link * NAMESPACES..(link + 1) * NAMESPACES {
                    self.leave(slot);
                }
            }
            Step::Join(slot) => {
                if self.links[slot / NAMESPACES].is_some() {
                    self.sessions[slot].get_or_insert_with(|| Session::new(client));
                }
            }
            Step::Leave(slot) => self.leave(slot),
            Step::Subscribe(slot, topic, window) => {
                let all = topic_of(slot, topic);
                let session = self.sessions[slot].as_mut()?;
                session.lanes[topic].get_or_insert_with(|| Lane::new(self.rules[all], window));
                session.control.push_back(Said::Subscribed { topic: all, offset: offsets[all] });
            }
            Step::Unsubscribe(slot, topic) => {
                let session = self.sessions[slot].as_mut()?;
                let lane = session.lanes[topic].take();
                self.stats[topic_of(slot, topic)].abandoned += lane.map_or(0, |lane| lane.len() as u64);
                session.control.push_back(Said::Unsubscribed { topic: topic_of(slot, topic) });
            }
            Step::Tell(slot) => self.sessions[slot].as_mut()?.control.push_back(Said::Done),
            Step::Publish(ref draft, _) => {
                for slot in 0..SLOTS {
                    if self.sessions[slot].as_ref().is_some_and(|session| Some(session.client) != except) {
                        self.offer(slot, draft, offsets);
                    }
                }
            }
            Step::PublishTo(slot, ref draft) => self.offer(slot, draft, offsets),
            Step::Room(link, frames, bytes, is_empty) => {
                self.links[link].as_mut()?.room = Room { frames, bytes, is_empty };
            }
            Step::Ack(slot, topic, nth) => {
                let all = topic_of(slot, topic);
                let offset = (offsets[all] + 1).saturating_sub(nth);
                let lane = self.sessions[slot].as_mut()?.lanes[topic].as_mut();
                let outcome = lane.map_or(AckOutcome::Foreign, |lane| lane.ack(offset, &mut self.stats[all]));
                self.stats[all].acks[outcome as usize] += 1;
                return Some(outcome);
            }
            Step::Pass(ms) => {
                for link in self.links.iter_mut().flatten().filter(|link| has_room(&link.room)) {
                    link.clock_ms += ms;
                }
                for slot in 0..SLOTS {
                    let Some(link) = &self.links[slot / NAMESPACES] else { continue };
                    let lanes = self.sessions[slot].iter_mut().flat_map(|session| session.lanes.iter_mut().enumerate());
                    for (topic, lane) in lanes {
                        if let Some(lane) = lane {
                            lane.pass(link.clock_ms, &mut self.stats[topic_of(slot, topic)]);
                        }
                    }
                }
            }
        }
        None
    }

    fn leave(&mut self, slot: usize) {
        let Some(session) = self.sessions[slot].take() else { return };
        for (topic, lane) in session.lanes.iter().enumerate() {
            self.stats[topic_of(slot, topic)].abandoned += lane.as_ref().map_or(0, |lane| lane.len() as u64);
        }
    }

    fn offer(&mut self, slot: usize, draft: &Draft, offsets: &[u64; TOPICS]) {
        if draft.topic / TOPICS_EACH != slot % NAMESPACES {
            return;
        }
        let letter = Letter { offset: offsets[draft.topic], draft: draft.clone() };
        let session = self.sessions[slot].as_mut();
        if let Some(lane) = session.and_then(|session| session.lanes[draft.topic % TOPICS_EACH].as_mut()) {
            lane.offer(letter, &mut self.stats[draft.topic]);
        }
    }

    fn check_fanout(&self, fanout: Fanout, before: &[TopicStats; TOPICS]) {
        let since = |field: fn(&TopicStats) -> u64| -> u64 {
            self.stats.iter().zip(before).map(|(after, before)| field(after) - field(before)).sum()
        };
        assert_eq!(u64::from(fanout.matched), since(|stats| stats.offered));
        assert_eq!(u64::from(fanout.displaced), since(|stats| stats.displaced));
        assert_eq!(u64::from(fanout.rejected), since(|stats| stats.rejected + stats.too_large));
        assert_eq!(fanout.matched, fanout.admitted + fanout.rejected);
    }

    /// Takes in what left, and checks that it might leave.
    fn hear(&mut self, outputs: &Outputs) {
        for event in &outputs.events {
            if let Event::OverflowEnded { lost, .. } = event {
                self.lost += lost;
            }
        }
        for (index, said) in outputs.said.iter().enumerate() {
            for &(namespace, said) in said {
                let link = self.links[index].as_mut().expect("nothing is said on a closed link");
                let (frames, bytes) = said.size();
                let room = &mut link.room;
                assert!(fits(room, said), "{said:?} has no room in {room:?}");
                room.frames = room.frames.saturating_sub(frames);
                room.bytes = room.bytes.saturating_sub(bytes);
                room.is_empty = false;

                let clock = link.clock_ms;
                let sessions = &mut self.sessions[index * NAMESPACES..][..NAMESPACES];
                for (other, session) in sessions.iter_mut().enumerate() {
                    let Some(session) = session else { continue };
                    let waits = other != namespace && !session.wishes(index * NAMESPACES + other).is_empty();
                    let count = &mut session.overtaken_by[namespace];
                    *count = if waits { *count + 1 } else { 0 };
                    assert!(*count <= 1, "a session is overtaken once at most");
                }
                let session = sessions[namespace].as_mut().expect("nothing is said to who has left");
                session.overtaken_by = Default::default();
                if let Said::Message { topic, .. } = said {
                    assert!(
                        session.wishes(index * NAMESPACES + namespace).contains(&said),
                        "{said:?} was not its turn"
                    );
                    session.send(topic % TOPICS_EACH, clock, &mut self.stats[topic]);
                } else {
                    assert_eq!(session.control.pop_front(), Some(said), "answers leave in order");
                }
            }
        }
    }

    /// A link falls silent only when nobody has anything to say, or not all of it has room.
    fn check_silence(&self) {
        for (index, link) in self.links.iter().enumerate() {
            let Some(link) = link else { continue };
            let slots = index * NAMESPACES..(index + 1) * NAMESPACES;
            let wishes: Vec<Said> = slots
                .filter_map(|slot| self.sessions[slot].as_ref().map(|session| session.wishes(slot)))
                .flatten()
                .collect();
            let all_fit = wishes.iter().all(|&said| fits(&link.room, said));
            assert!(wishes.is_empty() || !all_fit, "there was room for {wishes:?} in {:?}", link.room);
        }
    }

    /// Who has nothing to say does not wait, and who has something again waits anew.
    fn forget_waits(&mut self) {
        for (slot, session) in self.sessions.iter_mut().enumerate() {
            let Some(session) = session else { continue };
            if session.wishes(slot).is_empty() {
                session.overtaken_by = Default::default();
            }
            for (lane, counts) in session.lanes.iter().zip(&mut session.lane_overtaken_by) {
                if lane.as_ref().is_none_or(|lane| lane.next().is_none()) {
                    *counts = Default::default();
                }
            }
        }
    }

    /// In how many milliseconds a message is due, where a clock runs.
    fn next_deadline(&self) -> Option<u64> {
        let waits = |slot: usize| {
            let link = self.links[slot / NAMESPACES].as_ref().filter(|link| has_room(&link.room))?;
            let lanes = self.sessions[slot].iter().flat_map(|session| session.lanes.iter().flatten());
            lanes.flat_map(|lane| &lane.sent).filter_map(|sent| sent.due).map(|due| due - link.clock_ms).min()
        };
        (0..SLOTS).filter_map(waits).min()
    }
}

impl Session {
    fn new(client: ClientId) -> Self {
        Self {
            client,
            control: VecDeque::new(),
            lanes: Default::default(),
            overtaken_by: Default::default(),
            lane_overtaken_by: Default::default(),
        }
    }

    /// What it might say next: its first answer, or else the next message of any lane.
    fn wishes(&self, slot: usize) -> Vec<Said> {
        if let Some(&first) = self.control.front() {
            return vec![first];
        }
        let next = |(topic, lane): (usize, &Option<Lane>)| {
            let (letter, attempt) = lane.as_ref()?.next()?;
            let (frames, bytes) = (letter.draft.frames, letter.draft.size as u64);
            Some(Said::Message { topic: topic_of(slot, topic), offset: letter.offset, attempt, frames, bytes })
        };
        self.lanes.iter().enumerate().filter_map(next).collect()
    }

    fn send(&mut self, topic: usize, clock: u64, stats: &mut TopicStats) {
        for (other, lane) in self.lanes.iter().enumerate() {
            let waits = other != topic && lane.as_ref().is_some_and(|lane| lane.next().is_some());
            let count = &mut self.lane_overtaken_by[other][topic];
            *count = if waits { *count + 1 } else { 0 };
            assert!(*count <= 1, "a lane is overtaken once at most");
        }
        self.lane_overtaken_by[topic] = Default::default();
        self.lanes[topic].as_mut().expect("it had a wish").send(clock, stats);
    }
}

impl Said {
    fn size(self) -> (u32, u64) {
        match self {
            Self::Message { frames, bytes, .. } => (frames, bytes),
            Self::Subscribed { .. } | Self::Unsubscribed { .. } => (2, 256),
            Self::Done => (1, 256),
        }
    }
}

fn heard(what: &Transmit) -> (usize, Said) {
    let (namespace, said) = match what {
        Transmit::Message { namespace, message, attempt } => {
            let (frames, bytes) = (message.frames(), message.size_bytes());
            let (topic, offset) = (message.topic.index as usize, message.id.offset.0);
            (namespace, Said::Message { topic, offset, attempt: *attempt, frames, bytes })
        }
        Transmit::Subscribed { namespace, topic, position, .. } => {
            (namespace, Said::Subscribed { topic: topic.index as usize, offset: position.offset.0 })
        }
        Transmit::Unsubscribed { namespace, topic, .. } => {
            (namespace, Said::Unsubscribed { topic: topic.index as usize })
        }
        Transmit::Done { namespace, .. } => (namespace, Said::Done),
        Transmit::Session { .. } => unreachable!("no client of the model is retained"),
        Transmit::Gap { .. } => unreachable!("no policy of the model tells of gaps"),
        Transmit::Error { .. } => unreachable!("nobody wished for an error"),
    };
    assert_eq!(said.size(), (what.frames(), what.size_bytes()));
    (namespace.0 as usize, said)
}

fn client_of(event: &Event) -> ClientId {
    match event {
        Event::Connected { client, .. }
        | Event::Disconnected { client, .. }
        | Event::Subscribed { client, .. }
        | Event::Unsubscribed { client, .. }
        | Event::OverflowBegan { client, .. }
        | Event::OverflowEnded { client, .. }
        | Event::Retried { client, .. }
        | Event::RetriesExhausted { client, .. } => *client,
        other => unreachable!("the core does not make {other:?}"),
    }
}

fn topic_of(slot: usize, topic: usize) -> usize {
    slot % NAMESPACES * TOPICS_EACH + topic
}

fn topic_id(topic: usize) -> TopicId {
    TopicId { index: topic as u32, generation: 0 }
}

fn has_room(room: &Room) -> bool {
    room.is_empty || (room.frames > 0 && room.bytes > 0)
}

fn fits(room: &Room, said: Said) -> bool {
    let (frames, bytes) = said.size();
    room.is_empty || (frames <= room.frames && bytes <= room.bytes)
}
