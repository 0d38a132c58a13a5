//! The hub of all links, a lonely hub for each of them, and the model, side by side.

use std::num::NonZeroU16;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest_state_machine::StateMachineTest;
use streamfence_core::{
    AckOutcome, Body, Catalog, CatalogBuilder, ClientId, CloseReason, Epoch, Event, Fanout, Hub, LinkKey, Message,
    MessageId, NamespaceId, Offset, Output, RequestId, Room, SessionKey, Transmit, Transport, UnsubscribeReason,
    Wishes,
};

use super::clients::{Model, Outputs, client_of, heard, topic_id, topic_of};
use super::world::{Draft, LINKS, NAMESPACES, SLOTS, Step, TOPICS, TOPICS_EACH, World, namespaces};

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
    /// Which of them outlive their link.
    retained: [bool; SLOTS],
    /// A session that was gone from the start.
    gone: SessionKey,
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
                now_ms: 0,
                refused: 0,
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
        // Nobody comes back.
        system.play(&Step::Pass(1_000));
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
        self.model.now_ms = self.now_ms;
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

        let before = (self.model.stats, self.model.refused);
        let expected = self.model.play(step, client, except, &self.offsets);
        self.model.release();
        assert_eq!(answer.outcome, expected, "the ack does what it does in the model");
        if let Some(fanout) = answer.fanout {
            self.model.check_fanout(fanout, &before);
        }

        for driver in self.lonely.iter_mut().chain([&mut self.all]) {
            driver.wake(now);
        }
        let outputs = self.all.take_outputs(now);
        for (link, driver) in self.lonely.iter_mut().enumerate() {
            let alone = driver.take_outputs(now);
            assert_eq!(alone.said[link], outputs.said[link], "a link hears the same in a hub of its own");
            let theirs = |event: &&Event| alone.events.iter().any(|other| client_of(other) == client_of(event));
            assert_eq!(alone.events, outputs.events.iter().filter(theirs).cloned().collect::<Vec<_>>());
        }
        self.model.hear(&outputs);
        self.notice_looks();
        self.model.check_silence();
        self.model.forget_waits();
        self.check_deadline(now);
    }

    fn write(&mut self, draft: &Draft, now: Instant) -> Arc<Message> {
        self.offsets[draft.topic] += 1;
        let attachments = (1..draft.frames).map(|_| draft.size..draft.size).collect();
        let message = Arc::new(Message {
            topic: self.catalog.entry(topic_id(draft.topic)).clone(),
            id: MessageId { epoch: EPOCH, offset: Offset(self.offsets[draft.topic]) },
            key: draft.key.map(|key| key.to_string().into()),
            published: now,
            expires: draft.ttl_ms.map(|ttl| now + Duration::from_millis(ttl)),
            trace: None,
            body: Body { bytes: Bytes::from(vec![0; draft.size]), payload: 0..draft.size, attachments },
        });
        self.messages.push(Arc::downgrade(&message));
        message
    }

    /// A lane gives up what has expired when it is looked at, which it may be without a word. It does so whole or not
    /// at all, so how much it holds says whether it was.
    fn notice_looks(&mut self) {
        for (slot, session) in self.model.sessions.iter_mut().enumerate() {
            let real = self.all.sessions[slot].and_then(|key| self.all.hub.session(key));
            let (Some(session), Some(real)) = (session, real) else { continue };
            for (place, lane) in session.lanes.iter_mut().enumerate() {
                let (Some(lane), topic) = (lane, topic_of(slot, place)) else { continue };
                let held = real.lanes().find(|lane| lane.topic() == topic_id(topic)).map(streamfence_core::Lane::len);
                if held != Some(lane.len()) {
                    lane.expire(self.now_ms, &mut self.model.stats[topic]);
                }
            }
        }
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
        let hubs = self.lonely.iter().chain([&self.all]);
        hubs.for_each(|driver| driver.hub.check_lane_totals());
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
                spilled: a.spilled + b.spilled,
                spill_refusal: a.spill_refusal.or(b.spill_refusal),
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
        Self { hub, only, links: [None; LINKS], sessions: [None; SLOTS], retained: [false; SLOTS], gone }
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
            (Step::Tick, _) => hub.expire(now),
            (&Step::TakeOver(link), _) if is_mine(link) => {
                if let Some(old) = self.links[link] {
                    let new = hub.open(now);
                    for slot in link * NAMESPACES..(link + 1) * NAMESPACES {
                        let key = self.sessions[slot].filter(|&key| hub.link_of(key) == Some(old));
                        if let Some(key) = key.filter(|_| self.retained[slot]) {
                            assert!(hub.attach(key, new, Transport::Other, now), "whoever is there may come back");
                        }
                    }
                    hub.close(old, CloseReason::Transport, now);
                    self.links[link] = Some(new);
                }
            }
            (&Step::Attach(slot), _) if is_mine(link_of(slot)) => {
                if let (Some(key), Some(link)) = (self.sessions[slot], self.links[link_of(slot)])
                    && hub.link_of(key).is_none()
                {
                    let is_there = hub.session(key).is_some();
                    assert_eq!(
                        hub.attach(key, link, Transport::Other, now),
                        is_there,
                        "whoever is there may come back"
                    );
                }
            }
            (&Step::Retain(slot, ms), _) if is_mine(link_of(slot)) => {
                if let Some(key) = self.sessions[slot].filter(|&key| hub.session(key).is_some()) {
                    hub.retain(key, Duration::from_millis(ms));
                    self.retained[slot] = true;
                }
            }
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
                    self.retained[slot] = false;
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
                | Step::Ack(slot, ..)
                | Step::AckUpTo(slot, ..)
                | Step::Nack(slot, ..)),
                _,
            ) if is_mine(link_of(slot)) => {
                let Some(key) = self.sessions[slot] else { return answer };
                let namespace = NamespaceId((slot % NAMESPACES) as u32);
                match *step {
                    Step::Leave(_) => hub.leave(key, CloseReason::Client, now),
                    Step::Tell(_) => hub.tell(key, Transmit::Done { namespace, request: RequestId(0) }, now),
                    Step::Subscribe(_, topic, window) => {
                        let window = window.and_then(NonZeroU16::new);
                        let topic = hub.catalog().entry(topic_id(topic_of(slot, topic))).clone();
                        hub.subscribe(key, &topic, Wishes { window, ..Wishes::default() }, None, now);
                    }
                    Step::Unsubscribe(_, topic) => {
                        let topic = hub.catalog().entry(topic_id(topic_of(slot, topic))).clone();
                        hub.unsubscribe(key, &topic, UnsubscribeReason::Server, None, now);
                    }
                    Step::Ack(_, topic, nth) | Step::AckUpTo(_, topic, nth) | Step::Nack(_, topic, nth, _) => {
                        let topic = topic_of(slot, topic);
                        // Beyond the last message too: an ack of what does not exist.
                        let offset = Offset((offsets[topic] + 1).saturating_sub(nth));
                        let (topic, id) = (topic_id(topic), MessageId { epoch: EPOCH, offset });
                        answer.outcome = match *step {
                            Step::Nack(_, _, _, ms) => hub.handle_nack(key, topic, id, Duration::from_millis(ms), now),
                            Step::AckUpTo(..) => hub.handle_ack_up_to(key, topic, id, now),
                            _ => hub.handle_ack(key, topic, id, now),
                        };
                    }
                    _ => unreachable!("the outer match names them all"),
                }
            }
            _ => {}
        }
        answer
    }

    /// A value may have waited for its client and not for its interval: that is due when the client comes back.
    fn wake(&mut self, now: Instant) {
        if self.hub.poll_timeout().is_some_and(|due| due <= now) {
            self.hub.handle_timeout(now);
        }
    }

    fn take_outputs(&mut self, now: Instant) -> Outputs {
        let mut outputs = Outputs::default();
        let mut kept = Vec::new();
        while let Some(output) = self.hub.poll_output(now) {
            match output {
                Output::Event(event) => outputs.events.push(event),
                Output::Starved(_) => {}
                Output::Spill(command) => panic!("no topic spills, and there is {command:?}"),
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
