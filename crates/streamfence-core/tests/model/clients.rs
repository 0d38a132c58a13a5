//! The clients of the model: what they are subscribed to, what they are owed, and what they may hear.

use std::collections::VecDeque;

use streamfence_core::{AckOutcome, ClientId, Event, Fanout, LossReason, Room, TopicId, TopicStats, Transmit};

use super::lane::{Lane, Letter, Next};
use super::world::{Draft, LINKS, NAMESPACES, Rule, SLOTS, Step, TOPICS, TOPICS_EACH};

/// What a hub put out in one go: what was said on each link, and the events of each client.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) said: [Vec<(usize, Said)>; LINKS],
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Message { topic: usize, offset: u64, attempt: u32, frames: u32, bytes: u64 },
    Subscribed { topic: usize, offset: u64 },
    Unsubscribed { topic: usize },
    Gap { topic: usize, from: u64, to: u64, count: usize, reason: LossReason },
    Done,
}

pub(crate) struct Model {
    pub(crate) rules: Vec<Rule>,
    pub(crate) links: [Option<Link>; LINKS],
    pub(crate) sessions: [Option<Session>; SLOTS],
    pub(crate) stats: [TopicStats; TOPICS],
    pub(crate) now_ms: u64,
    /// Offers that were refused.
    pub(crate) refused: u64,
    pub(crate) lost: u64,
}

#[derive(Default)]
pub(crate) struct Link {
    room: Room,
    clock_ms: u64,
}

pub(crate) struct Session {
    pub(crate) client: ClientId,
    retention: Option<u64>,
    /// Until when it waits for its client.
    away_until: Option<u64>,
    pub(crate) control: VecDeque<Said>,
    pub(crate) lanes: [Option<Lane>; TOPICS_EACH],
    /// How often each session of the link, and each lane of the session, spoke while this one waited.
    overtaken_by: [u32; NAMESPACES],
    lane_overtaken_by: [[u32; TOPICS_EACH]; TOPICS_EACH],
}

impl Model {
    pub(crate) fn play(
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
                if self.links[link].take().is_some() {
                    for slot in link * NAMESPACES..(link + 1) * NAMESPACES {
                        self.lose(slot);
                    }
                }
            }
            Step::TakeOver(link) => {
                *self.links[link].as_mut()? = Link::default();
                for slot in link * NAMESPACES..(link + 1) * NAMESPACES {
                    let session = self.sessions[slot].as_mut().filter(|session| session.away_until.is_none());
                    match session {
                        Some(session) if session.retention.is_some() => session.resume(0),
                        Some(_) => self.leave(slot),
                        None => {}
                    }
                }
            }
            Step::Attach(slot) => {
                let clock = self.links[slot / NAMESPACES].as_ref()?.clock_ms;
                self.sessions[slot].as_mut().filter(|session| session.away_until.is_some())?.resume(clock);
            }
            Step::Retain(slot, ms) => self.sessions[slot].as_mut()?.retention = Some(ms),
            Step::Tick => {
                for (slot, session) in self.sessions.iter_mut().enumerate() {
                    for (topic, lane) in session.iter_mut().flat_map(|session| session.lanes.iter_mut().enumerate()) {
                        if let Some(lane) = lane {
                            lane.expire(self.now_ms, &mut self.stats[topic_of(slot, topic)]);
                        }
                    }
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
                session.answer(Said::Subscribed { topic: all, offset: offsets[all] });
            }
            Step::Unsubscribe(slot, topic) => {
                let session = self.sessions[slot].as_mut()?;
                let lane = session.lanes[topic].take();
                self.stats[topic_of(slot, topic)].abandoned += lane.map_or(0, |lane| lane.len() as u64);
                session.answer(Said::Unsubscribed { topic: topic_of(slot, topic) });
            }
            Step::Tell(slot) => self.sessions[slot].as_mut()?.answer(Said::Done),
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
                let outcome =
                    lane.map_or(AckOutcome::Foreign, |lane| lane.ack(offset, self.now_ms, &mut self.stats[all]));
                self.stats[all].acks[outcome as usize] += 1;
                return Some(outcome);
            }
            Step::AckUpTo(slot, topic, nth) => {
                let all = topic_of(slot, topic);
                let offset = (offsets[all] + 1).saturating_sub(nth);
                let lane = self.sessions[slot].as_mut()?.lanes[topic].as_mut();
                let (outcome, count) = lane
                    .map_or((AckOutcome::Foreign, 1), |lane| lane.ack_up_to(offset, self.now_ms, &mut self.stats[all]));
                self.stats[all].acks[outcome as usize] += count;
                return Some(outcome);
            }
            Step::Nack(slot, topic, nth, delay) => {
                let all = topic_of(slot, topic);
                let offset = (offsets[all] + 1).saturating_sub(nth);
                let link = self.links[slot / NAMESPACES].as_ref().map_or(0, |link| link.clock_ms);
                let session = self.sessions[slot].as_mut()?;
                let due = delay + if session.away_until.is_some() { 0 } else { link };
                let lane = session.lanes[topic].as_mut();
                let outcome = lane.map_or(AckOutcome::Foreign, |lane| lane.nack(offset, due));
                self.stats[all].acks[outcome as usize] += 1;
                return Some(outcome);
            }
            Step::Pass(ms) => {
                for slot in 0..SLOTS {
                    let until = self.sessions[slot].as_ref().and_then(|session| session.away_until);
                    if until.is_some_and(|until| until <= self.now_ms) {
                        self.leave(slot);
                    }
                }
                for link in self.links.iter_mut().flatten().filter(|link| has_room(&link.room)) {
                    link.clock_ms += ms;
                }
                for slot in 0..SLOTS {
                    let Some(link) = &self.links[slot / NAMESPACES] else { continue };
                    let there = self.sessions[slot].iter_mut().filter(|session| session.away_until.is_none());
                    for (topic, lane) in there.flat_map(|session| session.lanes.iter_mut().enumerate()) {
                        if let Some(lane) = lane {
                            lane.pass(link.clock_ms, self.now_ms, &mut self.stats[topic_of(slot, topic)]);
                        }
                    }
                }
            }
        }
        None
    }

    /// Whoever is there is sent what was held for it when the interval is over. Of who is away nothing moves.
    pub(crate) fn release(&mut self) {
        let there = self.sessions.iter_mut().flatten().filter(|session| session.away_until.is_none());
        there.flat_map(|session| session.lanes.iter_mut().flatten()).for_each(|lane| lane.release(self.now_ms));
    }

    /// Its link is gone.
    fn lose(&mut self, slot: usize) {
        let Some(session) = self.sessions[slot].as_mut().filter(|session| session.away_until.is_none()) else { return };
        match session.retention {
            None => self.leave(slot),
            Some(retention) => {
                session.away_until = Some(self.now_ms + retention);
                session.control.clear();
            }
        }
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
        let expires = draft.ttl_ms.map(|ttl| self.now_ms + ttl);
        let (offset, published) = (offsets[draft.topic], self.now_ms);
        let letter = Letter { offset, draft: draft.clone(), published, expires, missed: Vec::new() };
        let session = self.sessions[slot].as_mut();
        if let Some(lane) = session.and_then(|session| session.lanes[draft.topic % TOPICS_EACH].as_mut()) {
            let is_taken = lane.offer(letter, self.now_ms, &mut self.stats[draft.topic]);
            self.refused += u64::from(!is_taken);
        }
    }

    pub(crate) fn check_fanout(&self, fanout: Fanout, (before, refused): &([TopicStats; TOPICS], u64)) {
        let since = |field: fn(&TopicStats) -> u64| -> u64 {
            self.stats.iter().zip(before).map(|(after, before)| field(after) - field(before)).sum()
        };
        assert_eq!(u64::from(fanout.matched), since(|stats| stats.offered));
        assert_eq!(u64::from(fanout.displaced), since(|stats| stats.displaced));
        assert_eq!(u64::from(fanout.rejected), self.refused - refused);
        assert_eq!(fanout.matched, fanout.admitted + fanout.rejected);
    }

    /// Takes in what left, and checks that it might leave.
    pub(crate) fn hear(&mut self, outputs: &Outputs) {
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
                    let waits =
                        other != namespace && !session.wishes(index * NAMESPACES + other, self.now_ms).is_empty();
                    let count = &mut session.overtaken_by[namespace];
                    *count = if waits { *count + 1 } else { 0 };
                    assert!(*count <= 1, "a session is overtaken once at most");
                }
                let session = sessions[namespace].as_mut().expect("nothing is said to who has left");
                session.overtaken_by = Default::default();
                if let Said::Message { topic, .. } | Said::Gap { topic, .. } = said {
                    let wishes = session.wishes(index * NAMESPACES + namespace, self.now_ms);
                    assert!(wishes.contains(&said), "{said:?} was not its turn: {wishes:?}");
                    let lane = session.lanes[topic % TOPICS_EACH].as_mut().expect("it had a wish");
                    lane.expire(self.now_ms, &mut self.stats[topic]);
                    if let Said::Gap { .. } = said {
                        // What was missed is told in the turn of what comes after it.
                        lane.tell();
                    } else {
                        session.send(topic % TOPICS_EACH, clock, self.now_ms, &mut self.stats[topic]);
                    }
                } else {
                    assert_eq!(session.control.pop_front(), Some(said), "answers leave in order");
                }
            }
        }
    }

    /// A link falls silent only when nobody has anything to say, or not all of it has room.
    pub(crate) fn check_silence(&self) {
        for (index, link) in self.links.iter().enumerate() {
            let Some(link) = link else { continue };
            let slots = index * NAMESPACES..(index + 1) * NAMESPACES;
            let wishes_at = |now| -> Vec<Said> {
                let there = slots.clone().filter_map(|slot| Some((slot, self.sessions[slot].as_ref()?)));
                there.flat_map(|(slot, session)| session.wishes(slot, now)).collect()
            };
            // What has expired since somebody looked last may still hold up others, until the next tick.
            let (held, wishes) = (wishes_at(0), wishes_at(self.now_ms));
            let all_fit = held.iter().chain(&wishes).all(|&said| fits(&link.room, said));
            assert!(wishes.is_empty() || !all_fit, "there was room for {wishes:?} in {:?}", link.room);
        }
    }

    /// Who has nothing to say does not wait, and who has something again waits anew.
    pub(crate) fn forget_waits(&mut self) {
        for (slot, session) in self.sessions.iter_mut().enumerate() {
            let Some(session) = session else { continue };
            if session.wishes(slot, self.now_ms).is_empty() {
                session.overtaken_by = Default::default();
            }
            for (lane, counts) in session.lanes.iter().zip(&mut session.lane_overtaken_by) {
                if lane.as_ref().is_none_or(|lane| lane.looked_at(self.now_ms).next().is_none()) {
                    *counts = Default::default();
                }
            }
        }
    }

    /// In how many milliseconds a message is due, where a clock runs.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let back = self.sessions.iter().flatten().filter_map(|session| session.away_until);
        let waits = |slot: usize| {
            let link = self.links[slot / NAMESPACES].as_ref().filter(|link| has_room(&link.room))?;
            let there = self.sessions[slot].iter().filter(|session| session.away_until.is_none());
            let lanes = there.flat_map(|session| session.lanes.iter().flatten());
            lanes.flat_map(|lane| &lane.sent).filter_map(|sent| sent.due).map(|due| due - link.clock_ms).min()
        };
        let there = (0..SLOTS).filter(|slot| self.links[slot / NAMESPACES].is_some());
        let sessions = there.filter_map(|slot| self.sessions[slot].as_ref().filter(|one| one.away_until.is_none()));
        let held = sessions.flat_map(|session| session.lanes.iter().flatten()).filter_map(Lane::alarm);
        let real = back.chain(held).map(|until| until - self.now_ms);
        (0..SLOTS).filter_map(waits).chain(real).min()
    }
}

impl Session {
    fn new(client: ClientId) -> Self {
        Self {
            client,
            retention: None,
            away_until: None,
            control: VecDeque::new(),
            lanes: Default::default(),
            overtaken_by: Default::default(),
            lane_overtaken_by: Default::default(),
        }
    }

    /// Whoever is away hears no answers.
    fn answer(&mut self, said: Said) {
        if self.away_until.is_none() {
            self.control.push_back(said);
        }
    }

    /// Its client has come back on a link whose clock shows this.
    fn resume(&mut self, clock: u64) {
        self.away_until = None;
        self.control.clear();
        self.overtaken_by = Default::default();
        self.lane_overtaken_by = Default::default();
        for lane in self.lanes.iter_mut().flatten() {
            lane.resume(clock);
        }
    }

    /// What it might say next: its first answer, or else what is next in any lane.
    fn wishes(&self, slot: usize, now: u64) -> Vec<Said> {
        if self.away_until.is_some() {
            return Vec::new();
        }
        if let Some(&first) = self.control.front() {
            return vec![first];
        }
        let next = |(topic, lane): (usize, &Option<Lane>)| {
            let (lane, topic) = (lane.as_ref()?.looked_at(now), topic_of(slot, topic));
            Some(match lane.next()? {
                Next::Gap { from, to, count, reason } => Said::Gap { topic, from, to, count, reason },
                Next::Letter(letter, attempt) => {
                    let (frames, bytes) = (letter.draft.frames, letter.draft.size as u64);
                    Said::Message { topic, offset: letter.offset, attempt, frames, bytes }
                }
            })
        };
        self.lanes.iter().enumerate().filter_map(next).collect()
    }

    fn send(&mut self, topic: usize, clock: u64, now: u64, stats: &mut TopicStats) {
        for (other, lane) in self.lanes.iter().enumerate() {
            let waits = other != topic && lane.as_ref().is_some_and(|lane| lane.looked_at(now).next().is_some());
            let count = &mut self.lane_overtaken_by[other][topic];
            *count = if waits { *count + 1 } else { 0 };
            assert!(*count <= 1, "a lane is overtaken once at most");
        }
        self.lane_overtaken_by[topic] = Default::default();
        self.lanes[topic].as_mut().expect("it had a wish").send(clock, now, stats);
    }
}

impl Said {
    fn size(self) -> (u32, u64) {
        match self {
            Self::Message { frames, bytes, .. } => (frames, bytes),
            Self::Subscribed { .. } | Self::Unsubscribed { .. } => (2, 256),
            Self::Gap { .. } | Self::Done => (1, 256),
        }
    }
}

pub(crate) fn heard(what: &Transmit) -> (usize, Said) {
    let (namespace, said) = match what {
        Transmit::Message { namespace, message, attempt } => {
            let (frames, bytes) = (message.frames(), message.size_bytes());
            let (topic, offset) = (message.topic.id.index as usize, message.id.offset.0);
            (namespace, Said::Message { topic, offset, attempt: *attempt, frames, bytes })
        }
        Transmit::Subscribed { namespace, topic, position, .. } => {
            (namespace, Said::Subscribed { topic: topic.id.index as usize, offset: position.offset.0 })
        }
        Transmit::Unsubscribed { namespace, topic, .. } => {
            (namespace, Said::Unsubscribed { topic: topic.id.index as usize })
        }
        Transmit::Done { namespace, .. } => (namespace, Said::Done),
        Transmit::Session { .. } | Transmit::NoSession { .. } => unreachable!("nobody asked for a ticket"),
        Transmit::Authenticated { .. } => unreachable!("nobody said who it is"),
        Transmit::Gap { namespace, topic, gap } => {
            let (from, to, count) = (gap.from.0, gap.to.0, gap.count as usize);
            (namespace, Said::Gap { topic: topic.id.index as usize, from, to, count, reason: gap.reason })
        }
        Transmit::Error { .. } => unreachable!("nobody wished for an error"),
    };
    assert_eq!(said.size(), (what.frames(), what.size_bytes()));
    (namespace.0 as usize, said)
}

pub(crate) fn client_of(event: &Event) -> ClientId {
    match event {
        Event::Connected { client, .. }
        | Event::Disconnected { client, .. }
        | Event::SessionDetached { client, .. }
        | Event::SessionResumed { client, .. }
        | Event::SessionExpired { client, .. }
        | Event::Subscribed { client, .. }
        | Event::Unsubscribed { client, .. }
        | Event::OverflowBegan { client, .. }
        | Event::OverflowEnded { client, .. }
        | Event::Retried { client, .. }
        | Event::RetriesExhausted { client, .. } => *client,
        other => unreachable!("the core does not make {other:?}"),
    }
}

pub(crate) fn topic_of(slot: usize, topic: usize) -> usize {
    slot % NAMESPACES * TOPICS_EACH + topic
}

pub(crate) fn topic_id(topic: usize) -> TopicId {
    TopicId { index: topic as u32, generation: 0 }
}

fn has_room(room: &Room) -> bool {
    room.is_empty || (room.frames > 0 && room.bytes > 0)
}

fn fits(room: &Room, said: Said) -> bool {
    let (frames, bytes) = said.size();
    room.is_empty || (frames <= room.frames && bytes <= room.bytes)
}
