use std::num::{NonZeroU16, NonZeroU64};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use streamfence_core::testing::disk::SimDisk;
use streamfence_core::{
    AtLeastOnce, Body, Catalog, ClientId, CloseReason, Epoch, Eviction, Exhaustion, Hub, LinkKey, LosslessOverflow,
    Message, MessageId, Namespace, NamespaceId, Offset, Output, Overflow, Pressure, RequestId, Room, Session,
    SessionKey, SlowClient, SpillCompletion, SpillFull, SpillLimits, SpillRules, Topic, TopicId, Transmit, Transport,
    UnsubscribeReason, Wishes,
};

/// Plays whatever a driver may do to a hub, in any order, with keys that are stale as often as not.
///
/// # Panics
/// When, after some step, the books do not balance, a lane holds more than its limit, or something leaves without room,
/// on a closed link or for a topic nobody on that link is subscribed to; when something is left after the last close.
pub fn hub(bytes: &[u8]) {
    let mut world = World::new();
    let mut rest = Unstructured::new(bytes);
    while !rest.is_empty() {
        let Ok(input) = Input::arbitrary(&mut rest) else { break };
        world.play(&input);
        world.take_outputs();
        world.inspect();
    }
    world.end();
}

/// All that can come in. Numbers name links, sessions and topics by their place among those there ever were, round and
/// round, so that every input means something.
#[derive(Arbitrary, Debug)]
enum Input {
    Open,
    Join { link: u8, namespace: u8 },
    Subscribe { session: u8, topic: u8, window: Option<NonZeroU16> },
    Unsubscribe { session: u8, topic: u8 },
    Publish { topic: u8, draft: Draft },
    PublishTo { session: u8, topic: u8, draft: Draft },
    PublishExcept { session: u8, topic: u8, draft: Draft },
    Tell { session: u8 },
    Ack { session: u8, topic: u8, back: u8 },
    AckUpTo { session: u8, topic: u8, back: u8 },
    Nack { session: u8, topic: u8, back: u8, delay_ms: u16 },
    Room { link: u8, frames: u8, bytes: u16, is_empty: bool },
    Pass { ms: u16 },
    GoBack { ms: u8 },
    Tick,
    Retain { session: u8, ms: u16 },
    Attach { session: u8, link: u8 },
    Leave { session: u8 },
    Close { link: u8, reason: u8 },
    ExpireDetached,
    Pressure { free: u16, shed: u16 },
    PublishToPrincipal { name: u8, except: u8, topic: u8, draft: Draft },
    Disk { choice: u8, times: u8 },
    DiskSize { hundreds: u8 },
    DiskDamage { from: u8, records: u8 },
}

#[derive(Arbitrary, Debug)]
struct Draft {
    size: u8,
    key: Option<bool>,
    ttl_ms: Option<u8>,
    attachments: bool,
}

const EPOCH: Epoch = Epoch(7);
/// A driver takes no further wishes from a client that does not read the answers.
const MAX_ANSWERS: usize = 32;
/// Places for links and sessions. More show nothing new and make the checks slow.
const MOST: usize = 32;

/// Some clients have one, and some share it.
fn principal(number: u8) -> Option<Arc<str>> {
    match number % 4 {
        0 => None,
        name => Some(name.to_string().into()),
    }
}

struct World {
    catalog: Arc<Catalog>,
    hub: Hub,
    disk: SimDisk,
    start: Instant,
    now: Instant,
    /// What each link said last, less what was sent on it since; `None` once it is closed.
    links: Vec<(LinkKey, Option<Room>)>,
    sessions: Vec<(SessionKey, ClientId, NamespaceId)>,
    /// The last offset of each topic.
    offsets: Vec<u64>,
    messages: Vec<Weak<Message>>,
}

impl World {
    fn new() -> Self {
        let small = |name: &str| Topic::new(name).max_queued_messages(4).max_queued_bytes(300);
        let ms = Duration::from_millis;
        let strict = AtLeastOnce::default().window(1).ack_timeout(ms(50)).max_retries(1);
        let wide = AtLeastOnce::default().window(3).ack_timeout(ms(200)).max_retries(3);
        let ladder = SlowClient::default().soft_messages(3).hard_messages(5).hard_bytes(400).patience(ms(300));
        let rules = SpillRules {
            max_bytes_per_client: NonZeroU64::new(1_000),
            on_full: SpillFull::Disconnect,
            ..SpillRules::default()
        };
        let first = Namespace::new("/first")
            .topic_with(small("reject").best_effort(Overflow::RejectNew).gap_notices(true))
            .topic_with(small("strict").at_least_once(strict))
            .topic_with(small("newest").best_effort(Overflow::SnapshotOnly).gap_notices(true))
            .topic_with(small("wide").at_least_once(wide).gap_notices(true))
            .topic_with(small("spilled").best_effort(Overflow::Spill).gap_notices(true).spill(rules))
            .slow_client(ladder.hard(Eviction::Unsubscribe));
        let second = Namespace::new("/second")
            .topic_with(small("oldest").best_effort(Overflow::DropOldest).gap_notices(true))
            .topic_with(small("values").best_effort(Overflow::Coalesce))
            .topic_with(small("paced").best_effort(Overflow::DropOldest).max_frequency(20.0).gap_notices(true))
            .topic_with(small("both").best_effort(Overflow::DropOldest).coalesce(true).gap_notices(true))
            .topic_with(small("once").at_least_once(strict.on_exhausted(Exhaustion::Disconnect)))
            .topic_with(small("kept").at_least_once(wide.overflow(LosslessOverflow::Spill)).gap_notices(true))
            .slow_client(ladder.hard(Eviction::Disconnect));
        let builder = Catalog::builder().namespace(first).namespace(second);
        let catalog = Arc::new(builder.build().expect("the policies fit together"));
        let start = Instant::now();
        let offsets = catalog.topics().map(|_| 0).collect();
        let mut hub = Hub::new(catalog.clone(), EPOCH);
        hub.limit_spills(SpillLimits { open_bytes: 300, append_bytes: 600, tail_bytes: 500, ..SpillLimits::default() });
        let (links, sessions) = (Vec::new(), Vec::new());
        let disk = SimDisk::new(10_000, 2_000);
        Self { catalog, hub, disk, start, now: start, links, sessions, offsets, messages: Vec::new() }
    }

    fn play(&mut self, input: &Input) {
        let now = self.now;
        match *input {
            Input::Open if self.links.len() < MOST => self.links.push((self.hub.open(now), Some(Room::NONE))),
            Input::Join { link, namespace } if self.sessions.len() < MOST => {
                let Some(link) = self.link(link) else { return };
                let (key, is_open) = (self.links[link].0, self.links[link].1.is_some());
                let namespace = NamespaceId(u32::from(namespace % 2));
                let client = ClientId([self.sessions.len() as u8; 12]);
                let principal = principal(self.sessions.len() as u8);
                let session = self.hub.join_as(key, namespace, client, Transport::Other, principal, now);
                assert_eq!(session.is_some(), is_open, "a session is joined to every open link, and to no other");
                self.sessions.extend(session.map(|session| (session, client, namespace)));
            }
            Input::Open | Input::Join { .. } => {}
            Input::Subscribe { session, topic, window } => {
                let Some((session, topic)) = self.asking(session, topic) else { return };
                let entry = self.catalog.entry(topic).clone();
                let wishes = Wishes { window, ..Wishes::default() };
                let position = self.hub.subscribe(session, &entry, wishes, None, now);
                let last = Offset(self.offsets[topic.index as usize]);
                assert!(position.is_none_or(|position| position.offset == last), "a subscriber comes after the last");
            }
            Input::Unsubscribe { session, topic } => {
                let Some((session, topic)) = self.asking(session, topic) else { return };
                let entry = self.catalog.entry(topic).clone();
                self.hub.unsubscribe(session, &entry, UnsubscribeReason::Client, None, now);
            }
            Input::Publish { topic, ref draft } => {
                let message = self.message(self.any_topic(topic), draft);
                let fanout = self.hub.publish(&message, None, now);
                assert_eq!(fanout.matched, fanout.admitted + fanout.rejected, "every lane answers");
            }
            Input::PublishTo { session, topic, ref draft } => {
                let Some((session, topic)) = self.speaking(session, topic) else { return };
                let message = self.message(topic, draft);
                let fanout = self.hub.publish_to(session, &message, now);
                assert!(fanout.is_none_or(|fanout| fanout.matched == 1), "one client has one lane");
            }
            Input::PublishExcept { session, topic, ref draft } => {
                let Some(place) = self.session(session) else { return };
                let except = self.sessions[place].1;
                let message = self.message(self.any_topic(topic), draft);
                let _ = self.hub.publish(&message, Some(except), now);
            }
            Input::PublishToPrincipal { name, except, topic, ref draft } => {
                let message = self.message(self.any_topic(topic), draft);
                let except = ClientId([except % MOST as u8; 12]);
                let name = principal(name).unwrap_or_default();
                let fanout = self.hub.publish_to_principal(&name, &message, &[except], now);
                assert!(
                    fanout.matched <= self.hub.sessions_of(&name).len() as u32,
                    "a session has one lane of a topic"
                );
            }
            Input::Pressure { free, shed } => {
                let before = self.hub.resident();
                let (free_bytes, owed_bytes) = (free.into(), u64::from(free % 700));
                let pressure = Pressure { free_bytes, owed_bytes, shed_bytes: shed.into(), highest_bytes: 0 };
                while self.hub.handle_pressure(pressure, now).is_more() {}
                assert!(self.hub.resident() <= before, "pressure adds nothing");
            }
            Input::Tell { session } => {
                let Some((session, _)) = self.asking(session, 0) else { return };
                self.hub.tell(session, Transmit::Done { namespace: NamespaceId(0), request: RequestId(0) }, now);
            }
            Input::Ack { session, topic, back } => {
                let Some((session, topic)) = self.speaking(session, topic) else { return };
                self.hub.handle_ack(session, topic, self.id(topic, back), now);
            }
            Input::AckUpTo { session, topic, back } => {
                let Some((session, topic)) = self.speaking(session, topic) else { return };
                self.hub.handle_ack_up_to(session, topic, self.id(topic, back), now);
            }
            Input::Nack { session, topic, back, delay_ms } => {
                let Some((session, topic)) = self.speaking(session, topic) else { return };
                self.hub.handle_nack(session, topic, self.id(topic, back), ms(delay_ms), now);
            }
            Input::Room { link, frames, bytes, is_empty } => {
                let Some(link) = self.link(link) else { return };
                let room = Room { frames: frames.into(), bytes: bytes.into(), is_empty };
                let (key, level) = &mut self.links[link];
                *level = level.map(|_| room);
                self.hub.handle_room(*key, room, now);
            }
            Input::Pass { ms: step } => {
                self.now += ms(step);
                self.hub.handle_timeout(self.now);
                assert!(self.hub.poll_timeout().is_none_or(|due| due > self.now), "what is due is done");
            }
            // What a driver's clock says then is older than what the hub has seen.
            Input::GoBack { ms: step } => self.hub.handle_timeout((now - ms(step.into())).max(self.start)),
            Input::Tick => self.hub.expire(now),
            Input::Retain { session, ms: retention } => {
                let Some(session) = self.session(session) else { return };
                self.hub.retain(self.sessions[session].0, ms(retention));
            }
            Input::Attach { session, link } => {
                let (Some(session), Some(link)) = (self.session(session), self.link(link)) else { return };
                let (session, (link, room)) = (self.sessions[session].0, self.links[link]);
                let can = self.hub.session(session).is_some() && room.is_some();
                assert_eq!(self.hub.attach(session, link, Transport::Other, now), can, "whoever can come back does");
                assert!(!can || self.hub.link_of(session) == Some(link), "and is there then");
            }
            Input::Leave { session } => {
                let Some(session) = self.session(session) else { return };
                self.hub.leave(self.sessions[session].0, CloseReason::Client, now);
            }
            Input::Close { link, reason } => {
                let Some(link) = self.link(link) else { return };
                let reason = CloseReason::ALL[usize::from(reason) % CloseReason::ALL.len()];
                self.hub.close(self.links[link].0, reason, now);
                self.links[link].1 = None;
            }
            Input::ExpireDetached => {
                self.hub.expire_detached(now);
            }
            Input::Disk { choice, times } => {
                for _ in 0..=times % 8 {
                    let Some(choice) = usize::from(choice).checked_rem(self.disk.choices()) else { return };
                    let answers = self.disk.carry_out(choice);
                    self.hear_disk(answers);
                    self.take_outputs();
                }
            }
            Input::DiskSize { hundreds } => {
                let answers = self.disk.resize(u64::from(hundreds) * 100);
                self.hear_disk(answers);
            }
            Input::DiskDamage { from, records } => {
                let Some(log) = self.disk.logs().next() else { return };
                let places: Vec<_> = self.disk.records(log).map(|record| record.position).collect();
                let Some(from) = usize::from(from).checked_rem(places.len()) else { return };
                let to = (from + usize::from(records % 4)).min(places.len() - 1);
                self.disk.damage(log, places[from], places[to]);
            }
        }
    }

    fn hear_disk(&mut self, answers: Vec<SpillCompletion>) {
        for answer in answers {
            self.hub.handle_spill(answer, self.now);
        }
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.hub.poll_output(self.now) {
            if let Output::Spill(command) = output {
                self.disk.submit(command);
                continue;
            }
            if let Output::Disconnect { session, .. } = output {
                assert!(self.hub.session(session).is_none(), "whoever is to be disconnected has left");
            }
            let Output::Transmit(key, mut batch) = output else { continue };
            assert!(!batch.is_empty(), "a batch says something");
            let link = self.links.iter_mut().find(|(link, _)| *link == key).expect("links are known");
            let room = link.1.as_mut().expect("nothing leaves on a closed link");
            for what in batch.drain(..) {
                let (frames, bytes) = (what.frames(), what.size_bytes());
                assert!(room.takes(frames, bytes), "{frames} frames, {bytes} bytes left without room: {room:?}");
                room.take(frames, bytes);
                if let Transmit::Message { message, .. } = &what {
                    let on_link = self.sessions.iter().filter(|(key, ..)| self.hub.link_of(*key) == Some(link.0));
                    let mut lanes = on_link.filter_map(|(key, ..)| self.hub.session(*key)?.lane_of(message.topic.id));
                    assert!(lanes.next().is_some(), "a message is for a subscriber");
                    assert!(!message.is_expired(self.now), "nothing leaves after its time");
                }
            }
            self.hub.recycle(batch);
        }
    }

    fn inspect(&self) {
        let mut resident = vec![0; self.offsets.len()];
        let mut backlog = vec![0; self.links.len()];
        for (key, ..) in &self.sessions {
            let Some(session) = self.hub.session(*key) else { continue };
            for lane in session.lanes() {
                let limits = lane.policy().limits;
                assert!(lane.len() as u64 <= u64::from(limits.messages.get()), "a lane holds too many");
                assert!(lane.bytes() <= limits.bytes.get(), "a lane holds too much");
                resident[lane.topic().index as usize] += lane.len() as u64;
            }
            let on = self.links.iter().position(|(link, _)| self.hub.link_of(*key) == Some(*link));
            if let Some(on) = on {
                backlog[on] += session.control_backlog();
            }
        }
        self.hub.check();
        for (topic, resident) in self.catalog.topics().zip(&mut resident) {
            *resident += self.hub.survey(topic, self.now).spilled_messages;
            let stats = self.hub.stats(topic);
            let gone = stats.delivered + stats.coalesced + stats.dropped() + stats.abandoned;
            assert_eq!(stats.offered, gone + *resident, "the books balance");
        }
        assert_eq!(self.hub.resident(), resident.iter().sum::<u64>(), "the books count what the lanes hold");
        for ((link, _), backlog) in self.links.iter().zip(backlog) {
            assert_eq!(self.hub.control_backlog(*link), backlog, "a link counts the answers that wait");
        }
        assert_eq!(self.hub.links(), self.links.iter().filter(|(_, room)| room.is_some()).count());
    }

    fn end(mut self) {
        for (link, room) in &mut self.links {
            self.hub.close(*link, CloseReason::ShuttingDown, self.now);
            *room = None;
        }
        self.hub.expire_detached(self.now);
        self.take_outputs();
        self.inspect();
        assert_eq!(self.hub.resident(), 0, "nobody is left to hold anything");
        assert!(self.sessions.iter().all(|(key, ..)| self.hub.session(*key).is_none()), "nobody is left");
        assert!(self.messages.iter().all(|message| message.strong_count() == 0), "no message is left");
    }

    fn message(&mut self, topic: TopicId, draft: &Draft) -> Arc<Message> {
        let offset = &mut self.offsets[topic.index as usize];
        *offset += 1;
        // Up to a little more than a lane takes.
        let size = usize::from(draft.size) * 5 / 4;
        let mut body = Body::plain(Bytes::from(vec![0; size]));
        if draft.attachments {
            body.attachments = Box::new([size / 2..size * 3 / 4, size * 3 / 4..size]);
            body.payload = 0..size / 2;
        }
        let message = Arc::new(Message {
            topic: self.catalog.entry(topic).clone(),
            id: MessageId { epoch: EPOCH, offset: Offset(*offset) },
            key: draft.key.map(|key| if key { "a".into() } else { "b".into() }),
            published: self.now,
            expires: draft.ttl_ms.map(|ttl| self.now + ms(ttl.into())),
            trace: None,
            body,
        });
        self.messages.push(Arc::downgrade(&message));
        message
    }

    /// An id that was given not long ago, or the next that will be, or one of another epoch.
    fn id(&self, topic: TopicId, back: u8) -> MessageId {
        let next = self.offsets[topic.index as usize] + 1;
        let epoch = if back == u8::MAX { Epoch(8) } else { EPOCH };
        MessageId { epoch, offset: Offset(next.saturating_sub(u64::from(back % 16))) }
    }

    fn link(&self, number: u8) -> Option<usize> {
        usize::from(number).checked_rem(self.links.len())
    }

    fn session(&self, number: u8) -> Option<usize> {
        usize::from(number).checked_rem(self.sessions.len())
    }

    /// A session, and a topic of its namespace.
    fn speaking(&self, session: u8, topic: u8) -> Option<(SessionKey, TopicId)> {
        let (key, _, namespace) = self.sessions[self.session(session)?];
        let topics = self.catalog.namespace_entry(namespace).topics();
        Some((key, topics[usize::from(topic) % topics.len()]))
    }

    /// The same, where the answers do not pile up.
    fn asking(&self, session: u8, topic: u8) -> Option<(SessionKey, TopicId)> {
        let found = self.speaking(session, topic)?;
        let waiting = self.hub.session(found.0).map_or(0, Session::control_backlog);
        (waiting < MAX_ANSWERS).then_some(found)
    }

    fn any_topic(&self, number: u8) -> TopicId {
        let mut topics = self.catalog.topics();
        topics.nth(usize::from(number) % self.offsets.len()).expect("the place is one of theirs")
    }
}

fn ms(ms: u16) -> Duration {
    Duration::from_millis(ms.into())
}
