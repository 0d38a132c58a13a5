//! Every client of one shard: finds the sessions of a topic, and remembers who has something to say and when.
//!
//! The hub only routes. Never a delivery decision: a hub of N sessions behaves like N lonely sessions.

mod acks;
mod audience;
mod awaited;
pub mod census;
#[cfg(any(test, feature = "test-util"))]
mod check;
mod drain;
mod fanout;
mod forgery;
mod gather;
pub mod last_values;
mod look;
mod pressure;
mod principal;
mod refill;
mod reload;
mod retention;
pub mod slow;
mod spill;
mod spills;
mod topics;
mod verdict;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

pub use self::fanout::Fanout;
use self::pressure::Strain;
pub use self::pressure::{Pressure, PressureCost, Relief};
use self::principal::{Identity, Principals};
pub use self::reload::Reload;
use self::slow::SlowCounts;
use self::spills::Spills;
use self::topics::Topics;
use crate::books::{Books, names};
use crate::catalog::Catalog;
use crate::event::{CloseReason, Event, Transport, UnsubscribeReason};
use crate::lane::{Wishes, earlier};
use crate::link::{Link, Room};
use crate::message::{ClientId, Epoch, LinkKey, Message, NamespaceId, Position, RequestId, SessionKey, TopicId};
use crate::output::{Batch, Output, Transmit};
use crate::session::Session;
use crate::topic::TopicEntry;

/// How many things one batch holds at most: enough for one full window, few enough that nobody waits long.
pub(crate) const BATCH_LENGTH: usize = 64;
/// How many empty batches are kept for reuse.
const SPARE_BATCHES: usize = 64;
/// How many stale deadlines are too few to be worth a look.
const SPARE_DEADLINES: usize = 64;

/// All links and sessions of one shard.
///
/// # The contract with the driver
/// Feed as many inputs as you like, then call [`Hub::poll_output`] until it is `None`, then sleep until
/// [`Hub::poll_timeout`]. Time never runs backwards inside: an older `now` counts as the newest seen. A stale key is
/// answered with nothing, because disconnects race with everything.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Instant;
/// use streamfence_core::*;
///
/// let catalog = Catalog::builder().namespace(Namespace::new("/feed").topic("tick")).build()?;
/// let catalog = Arc::new(catalog);
/// let feed = catalog.namespace("/feed").expect("it was just added");
/// let tick = catalog.topic(feed, "tick").expect("it was just added");
/// let tick = catalog.entry(tick).clone();
/// let now = Instant::now();
///
/// let epoch = Epoch(7);
/// let mut hub = Hub::new(catalog, epoch);
/// let link = hub.open(now);
/// let session = hub.join(link, feed, ClientId([1; 12]), Transport::Other, now).expect("the link is open");
/// hub.subscribe(session, &tick, Wishes::default(), None, now);
/// hub.publish(&Arc::new(Message {
///     topic: tick.clone(),
///     id: MessageId { epoch, offset: Offset(1) },
///     key: None,
///     published: now,
///     expires: None,
///     trace: None,
///     body: Body::plain("hello".into()),
/// }), None, now);
///
/// // Nothing leaves before the transport has room.
/// while let Some(output) = hub.poll_output(now) {
///     assert!(matches!(output, Output::Event(_)));
/// }
/// hub.handle_room(link, Room { frames: 8, bytes: 65_536, is_empty: true }, now);
/// let Some(Output::Transmit(to, batch)) = hub.poll_output(now) else { panic!("there is room now") };
/// assert_eq!(to, link);
/// assert!(matches!(batch[..], [Transmit::Subscribed { .. }, Transmit::Message { .. }]));
/// # Ok::<(), CatalogError>(())
/// ```
#[derive(Debug)]
pub struct Hub {
    books: Books,
    topics: Topics,
    links: Slab<Generation<Link>>,
    sessions: Slab<Generation<Seated>>,
    by_client: HashMap<ClientId, SessionKey>,
    principals: Principals,
    /// Links that have room and something to say, each once.
    ready: VecDeque<LinkKey>,
    /// Filed lazily: an entry counts only while its session still has it as `filed`. Invariant: a push leaves at most two
    /// per session, and `SPARE_DEADLINES`.
    deadlines: BinaryHeap<Reverse<(Instant, SessionKey)>>,
    /// Sessions that have ended and of whom the transport is still to be told.
    disconnects: VecDeque<Output>,
    /// Batches that came back empty.
    spare: Vec<Batch>,
    next_generation: u32,
    /// How many sessions are detached.
    detached: usize,
    /// Whether nobody can come back any more, so that no session outlives its link.
    keeps_none: bool,
    /// The newest time seen.
    now: Option<Instant>,
    is_crowded: bool,
    /// What is left of the memory for messages.
    strain: Strain,
    /// The logs of topics whose lanes have spilled.
    spills: Spills,
    /// How many clients were slow at the last tick, by namespace.
    slow: Vec<SlowCounts>,
}

#[derive(Debug)]
struct Seated {
    session: Session,
    /// Stale while the session is detached.
    link: LinkKey,
    /// The deadline filed for it, if any.
    filed: Option<Instant>,
    /// How long it outlives its link; `None` is not at all.
    retention: Option<Duration>,
    /// Until when it waits for its client, while it is detached.
    detached_until: Option<Instant>,
    /// Who the client is, where the application has said so.
    identity: Option<Box<Identity>>,
    /// When it joined.
    since: Instant,
    /// How it was connected when it joined, or came back last.
    transport: Transport,
}

#[derive(Debug)]
struct Generation<T> {
    generation: u32,
    value: T,
}

impl Generation<Seated> {
    /// The key of a session that stands here.
    fn session_key(&self, index: usize) -> SessionKey {
        SessionKey { index: index as u32, generation: self.generation }
    }
}

impl Hub {
    /// A hub without links, whose topics' logs are in the given life.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, epoch: Epoch) -> Self {
        Self {
            topics: Topics::new(&catalog, epoch),
            books: Books::new(catalog),
            links: Slab::new(),
            sessions: Slab::new(),
            by_client: HashMap::new(),
            principals: Principals::default(),
            ready: VecDeque::new(),
            deadlines: BinaryHeap::new(),
            disconnects: VecDeque::new(),
            spare: Vec::new(),
            next_generation: 0,
            detached: 0,
            keeps_none: false,
            now: None,
            is_crowded: false,
            strain: Strain::default(),
            spills: Spills::default(),
            slow: Vec::new(),
        }
    }

    /// Opens a link, without room.
    pub fn open(&mut self, now: Instant) -> LinkKey {
        let now = self.advance(now);
        self.spills.begin(now);
        let generation = self.generation();
        let index = self.links.insert(Generation { generation, value: Link::default() }) as u32;
        LinkKey { index, generation }
    }

    /// Opens a session on a link: a client enters a namespace. `None` when the link is gone.
    pub fn join(
        &mut self,
        link: LinkKey,
        namespace: NamespaceId,
        client: ClientId,
        transport: Transport,
        now: Instant,
    ) -> Option<SessionKey> {
        self.join_as(link, namespace, client, transport, None, now)
    }

    /// The same, for a client of whom the application has said who it is.
    pub fn join_as(
        &mut self,
        link: LinkKey,
        namespace: NamespaceId,
        client: ClientId,
        transport: Transport,
        principal: Option<Arc<str>>,
        now: Instant,
    ) -> Option<SessionKey> {
        let now = self.advance(now);
        self.link(link)?;
        let rules = self.books.catalog().namespace_entry(namespace).slow_client;
        let generation = self.generation();
        let seated = Seated {
            session: Session::new(client, namespace).with_ladder(rules).beginning(now),
            link,
            filed: None,
            retention: None,
            detached_until: None,
            identity: None,
            since: now,
            transport,
        };
        let index = self.sessions.insert(Generation { generation, value: seated }) as u32;
        let key = SessionKey { index, generation };
        self.link_mut(link)?.join(key);
        self.by_client.insert(client, key);
        if let Some(principal) = &principal {
            self.enlist(key, principal);
        }
        let path = self.path(namespace);
        self.books.push_event(Event::Connected { namespace: path, client, transport, principal });
        Some(key)
    }

    /// Ends a session; what its lanes held is counted as abandoned.
    pub fn leave(&mut self, key: SessionKey, reason: CloseReason, now: Instant) {
        self.advance(now);
        let Some(session) = self.session(key) else { return };
        let (client, namespace) = (session.client(), self.path(session.namespace()));
        let was_detached = self.sessions[key.index as usize].value.detached_until.is_some();
        self.remove(key);
        self.books.push_event(if was_detached {
            Event::SessionExpired { namespace, client }
        } else {
            Event::Disconnected { namespace, client, reason }
        });
    }

    /// Ends a link. Its sessions end with it, but for those that are retained and whose client may come back.
    pub fn close(&mut self, key: LinkKey, reason: CloseReason, now: Instant) {
        let now = self.advance(now);
        let Some(link) = self.link(key) else { return };
        for session in link.sessions().to_vec() {
            if !self.detach(session, reason, now) {
                self.leave(session, reason, now);
            }
        }
        self.links.remove(key.index as usize);
        self.strain.awaits(key);
    }

    /// Subscribes a session, and says so to the client in the order of its messages: everything after the answer's
    /// position comes after the answer. Where the topic has it so, its last values follow the answer at once. A second
    /// subscription changes nothing and is answered the same.
    ///
    /// Wishes may only lower what the policy gives. `None` when the session is gone.
    pub fn subscribe(
        &mut self,
        key: SessionKey,
        topic: &Arc<TopicEntry>,
        wishes: Wishes,
        request: Option<RequestId>,
        now: Instant,
    ) -> Option<Position> {
        let now = self.advance(now);
        let seated = &mut self.sessions.get_mut(key.index as usize).filter(|s| s.generation == key.generation)?.value;
        let (client, namespace) = (seated.session.client(), seated.session.namespace());
        let seats = self.topics.open(topic);
        let position = seats.position;
        seats.spills = topic.class.policy.spills();
        let place = seated.session.subscribe(topic, wishes);
        if let Some(place) = place {
            seated.session.seat(place, seats.lanes.len() as u32);
            seated.session.opens_after(place, position.offset);
            seats.lanes.push((key, place));
            let (path, name) = names(topic);
            self.books.push_event(Event::Subscribed { namespace: path, topic: name, client });
        }
        let answer = Transmit::Subscribed { namespace, client, topic: topic.clone(), position, request };
        self.tell(key, answer, now);
        // Where memory is short, a value counts as good as sent only if there is room for it behind the answer.
        if let Some(place) = place {
            self.offer_last(key, place, topic, now);
        }
        Some(position)
    }

    /// Ends a subscription and says so to the client. Without one the client is told the same, since that is what it
    /// wished for. `false` when there was none.
    pub fn unsubscribe(
        &mut self,
        key: SessionKey,
        topic: &Arc<TopicEntry>,
        reason: UnsubscribeReason,
        request: Option<RequestId>,
        now: Instant,
    ) -> bool {
        self.advance(now);
        let Some(seated) = self.sessions.get_mut(key.index as usize).filter(|s| s.generation == key.generation) else {
            return false;
        };
        if seated.value.session.has_spilled() {
            self.abandon_spilled(key, Some(topic.id));
        }
        let session = &mut self.sessions[key.index as usize].value.session;
        let (client, namespace) = (session.client(), session.namespace());
        let seat = session.unsubscribe(topic.id, &mut self.books);
        if let Some(seat) = seat {
            self.vacate(topic.id, seat);
            let (namespace, topic) = names(topic);
            self.books.push_event(Event::Unsubscribed { namespace, topic, client, reason });
        }
        let topic = topic.clone();
        self.tell(key, Transmit::Unsubscribed { namespace, topic, reason, request }, now);
        seat.is_some()
    }

    /// Offers a message to every lane of its topic, but not to the client `except`.
    pub fn publish(&mut self, message: &Arc<Message>, except: Option<ClientId>, now: Instant) -> Fanout {
        self.publish_unless(message, except.as_slice(), now)
    }

    /// Offers a message to one client's lane. `None` when the session is gone or not subscribed.
    pub fn publish_to(&mut self, key: SessionKey, message: &Arc<Message>, now: Instant) -> Option<Fanout> {
        let now = self.advance(now);
        self.books.traces.note(message);
        let goes_by_disk = self.topics.take_position(message).goes_by_disk();
        self.session(key)?;
        let place = self.sessions[key.index as usize].value.session.lane_of(message.topic.id)?;
        if goes_by_disk {
            return Some(self.publish_private(&[key], message, now));
        }
        let mut fanout = Fanout::default();
        fanout.add(self.offer(key, place, message, now));
        Some(fanout)
    }

    /// Says something to a client about its topics, before any message.
    pub fn tell(&mut self, key: SessionKey, what: Transmit, now: Instant) {
        self.advance(now);
        if self.session(key).is_none() {
            return;
        }
        // Whoever is detached hears no answers: the client that comes back asks again.
        let Some(link) = self.link_mut(self.sessions[key.index as usize].value.link) else { return };
        link.control_backlog += 1;
        self.sessions[key.index as usize].value.session.tell(what);
        self.settle(key, false);
    }

    /// Takes what a transport says it takes now.
    pub fn handle_room(&mut self, key: LinkKey, room: Room, now: Instant) {
        let now = self.advance(now);
        let Some(link) = self.link_mut(key) else { return };
        let clock_started = link.handle_room(room, now);
        if room != Room::NONE && self.strain.awaits(key) {
            self.feed_link(key);
        }
        // The clock stood still, and with it the deadlines: they are filed again from here.
        if clock_started {
            self.file_deadlines(key);
        }
        self.file_ready(key);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.spills.handle_timeout(now);
        while let Some(&Reverse((due, key))) = self.deadlines.peek() {
            if due > now {
                break;
            }
            self.deadlines.pop();
            let Some(seated) = self.sessions.get_mut(key.index as usize).filter(|s| s.generation == key.generation)
            else {
                continue;
            };
            if seated.value.filed != Some(due) {
                continue;
            }
            seated.value.filed = None;
            if seated.value.detached_until.is_some_and(|until| until <= now) {
                self.end_detached(key);
                continue;
            }
            let clock = self.clock_of(key, now);
            let session = &mut self.sessions[key.index as usize].value.session;
            if let Some(verdict) = session.handle_timeout(clock, now, &mut self.books) {
                self.carry_out(key, verdict, now);
            }
            if self.session(key).is_some() {
                self.settle(key, false);
            }
        }
    }

    /// Gives up everything queued that is not worth sending any more, and forgets topics made from a pattern that nobody
    /// holds.
    ///
    /// Lanes do so whenever they are touched; this is for those that are not, once per tick. It costs one comparison a
    /// lane while nothing expires. The same walk counts who is slow ([`Hub::slow_clients`]).
    pub fn expire(&mut self, now: Instant) {
        let now = self.advance(now);
        let mut lighter = Vec::new();
        self.slow.fill(SlowCounts::default());
        for (index, entry) in &mut self.sessions {
            let key = entry.session_key(index);
            let seated = &mut entry.value;
            if seated.session.expire(now, &mut self.books) {
                lighter.push(key);
            }
            if seated.detached_until.is_none() {
                seated.session.reassess(now, &mut self.books);
            }
            Self::count_slow(&mut self.slow, seated, &self.links, now);
        }
        for key in lighter {
            self.settle_lighter(key);
        }
        self.topics.expire_last(now);
        self.close_idle_logs(now);
        self.topics.forget_unused();
    }

    /// What to do next: events first, then what is rare, then the links in turn, a batch each.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        let now = self.advance(now);
        loop {
            if let Some(event) = self.books.pop_event() {
                return Some(Output::Event(event));
            }
            if let Some(given_up) = self.books.pop_given_up() {
                return Some(Output::GivenUp(given_up));
            }
            if let Some(disconnect) = self.disconnects.pop_front() {
                return Some(disconnect);
            }
            if let Some(command) = self.spills.poll(now) {
                return Some(Output::Spill(command));
            }
            self.is_crowded = false;
            let key = self.ready.pop_front()?;
            let Some(batch) = self.gather(key, now) else { continue };
            if !batch.is_empty() {
                return Some(Output::Transmit(key, batch));
            }
            self.recycle(batch);
            if self.feed_link(key) {
                continue;
            }
            // A link that has room but not for what it would say next waits for more room, not for its turn.
            if self.link(key).is_some_and(Link::is_ready) {
                return Some(Output::Starved(key));
            }
        }
    }

    /// When to call [`Hub::handle_timeout`]; never too late, perhaps too early.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.peek().map(|Reverse((due, _))| *due);
        earlier(deadline, self.spills.poll_timeout())
    }

    /// Takes an empty batch back.
    pub fn recycle(&mut self, mut batch: Batch) {
        if self.spare.len() < SPARE_BATCHES {
            batch.clear();
            self.spare.push(batch);
        }
    }

    /// Takes a session out, with its lanes and everything that points to it.
    fn remove(&mut self, key: SessionKey) {
        if self.sessions[key.index as usize].value.session.has_spilled() {
            self.abandon_spilled(key, None);
        }
        let mut seated = self.sessions.remove(key.index as usize).value;
        self.detached -= usize::from(seated.detached_until.is_some());
        let backlog = seated.session.control_backlog();
        if let Some(now) = self.now {
            seated.session.get_off(now, &mut self.books);
        }
        for (topic, seat) in seated.session.close(&mut self.books) {
            self.vacate(topic, seat);
        }
        if let Some(identity) = seated.identity.take() {
            self.delist(&identity);
        }
        let client = seated.session.client();
        // The client may have come back before its old session left.
        if self.by_client.get(&client) == Some(&key) {
            self.by_client.remove(&client);
        }
        if let Some(link) = self.link_mut(seated.link) {
            link.leave(key);
            link.control_backlog -= backlog;
        }
        // What it could not say for want of room may have held up the others of its link.
        self.file_ready(seated.link);
    }

    /// The one place where a session is filed anew, after anything happened to it.
    fn settle(&mut self, key: SessionKey, is_crowded: bool) {
        if !self.spills.is_empty() && self.sessions[key.index as usize].value.session.has_spilled() {
            self.feed(key);
        }
        let seated = &self.sessions[key.index as usize].value;
        let link_key = seated.link;
        if seated.session.is_ready()
            && let Some(link) = self.link_mut(link_key)
        {
            link.queue_up(key);
            let has_room = link.is_ready();
            self.is_crowded |= is_crowded && has_room;
            self.file_ready(link_key);
        }
        self.file_deadline(key);
    }

    /// The same after a session has lost something: what was too large for the room may have held up what there is room
    /// for, in this session or in another of its link.
    fn settle_lighter(&mut self, key: SessionKey) {
        self.settle(key, false);
        self.file_ready(self.sessions[key.index as usize].value.link);
    }

    fn file_ready(&mut self, key: LinkKey) {
        let Some(link) = self.link_mut(key) else { return };
        if link.is_ready() && !link.is_filed {
            link.is_filed = true;
            self.ready.push_back(key);
        }
    }

    /// Files the deadlines of all sessions of an open link.
    fn file_deadlines(&mut self, key: LinkKey) {
        for index in 0..self.links[key.index as usize].value.sessions().len() {
            self.file_deadline(self.links[key.index as usize].value.sessions()[index]);
        }
    }

    #[inline]
    fn file_deadline(&mut self, key: SessionKey) {
        let seated = &self.sessions[key.index as usize].value;
        if seated.session.has_timers() || seated.detached_until.is_some() {
            self.refile_deadline(key);
        }
    }

    fn refile_deadline(&mut self, key: SessionKey) {
        let seated = &mut self.sessions[key.index as usize].value;
        if let Some(now) = self.now
            && seated.detached_until.is_none()
        {
            seated.session.reassess(now, &mut self.books);
        }
        let seated = &self.sessions[key.index as usize].value;
        let on_link = || {
            let due = seated.session.poll_timeout()?;
            self.link(seated.link)?.clock().instant_of(due)
        };
        let attached = || on_link().into_iter().chain(seated.session.poll_alarm()).min();
        let Some(due) = seated.detached_until.or_else(attached) else { return };
        if seated.filed.is_none_or(|filed| due < filed) {
            self.sessions[key.index as usize].value.filed = Some(due);
            self.deadlines.push(Reverse((due, key)));
            self.forget_stale_deadlines();
        }
    }

    /// Throws out what no session has filed any more, once that is at least half of what is there, so that a push pays
    /// for it.
    fn forget_stale_deadlines(&mut self) {
        let before = self.deadlines.len();
        if before <= 2 * self.sessions.len() + SPARE_DEADLINES {
            return;
        }
        let mut deadlines = std::mem::take(&mut self.deadlines).into_vec();
        deadlines.sort_unstable();
        deadlines.dedup();
        deadlines.retain(|&Reverse((due, key))| {
            let entry = self.sessions.get(key.index as usize);
            entry.is_some_and(|entry| entry.generation == key.generation && entry.value.filed == Some(due))
        });
        debug_assert!(2 * deadlines.len() <= before, "each session has one deadline at most");
        self.deadlines = deadlines.into();
    }

    fn vacate(&mut self, topic: TopicId, seat: u32) {
        let Some(seats) = self.topics.get_mut(topic) else { return };
        seats.lanes.swap_remove(seat as usize);
        if let Some(&(moved, place)) = seats.lanes.get(seat as usize) {
            self.sessions[moved.index as usize].value.session.seat(place, seat);
        }
    }

    fn clock_of(&self, key: SessionKey, now: Instant) -> Duration {
        let link = self.sessions[key.index as usize].value.link;
        self.link(link).map_or(Duration::ZERO, |link| link.clock().now(now))
    }

    fn link(&self, key: LinkKey) -> Option<&Link> {
        let entry = self.links.get(key.index as usize)?;
        (entry.generation == key.generation).then_some(&entry.value)
    }

    fn link_mut(&mut self, key: LinkKey) -> Option<&mut Link> {
        let entry = self.links.get_mut(key.index as usize)?;
        (entry.generation == key.generation).then_some(&mut entry.value)
    }

    fn path(&self, namespace: NamespaceId) -> Arc<str> {
        self.books.catalog().namespace_entry(namespace).path.clone()
    }

    fn generation(&mut self) -> u32 {
        self.next_generation = self.next_generation.wrapping_add(1);
        self.next_generation
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |newest| newest.max(now));
        self.now = Some(now);
        self.books.traces.note_time(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn deadlines_that_were_brought_forward_leave_nothing_behind() {
        let promise = AtLeastOnce::default().ack_timeout(Duration::from_secs(1_000)).max_retries(9);
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t").at_least_once(promise));
        let catalog = Arc::new(catalog.build().expect("it is valid"));
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let (mut hub, start) = (Hub::new(catalog, Epoch(7)), Instant::now());
        let sessions = [(); 100].map(|()| {
            let link = hub.open(start);
            let client = ClientId([hub.links() as u8; 12]);
            let session = hub.join(link, NamespaceId(0), client, Transport::Other, start).expect("the link is open");
            hub.subscribe(session, &topic, Wishes::default(), None, start);
            hub.handle_room(link, Room { frames: 9, bytes: 1 << 20, is_empty: true }, start);
            session
        });
        let id = MessageId { epoch: Epoch(7), offset: Offset(1) };
        let (of, body) = (topic.clone(), Body::plain("hello".into()));
        let message =
            Arc::new(Message { topic: of, id, key: None, published: start, expires: None, trace: None, body });
        let _ = hub.publish(&message, None, start);
        while hub.poll_output(start).is_some() {}
        let _ = hub.handle_ack(sessions[1], topic.id, MessageId { epoch: Epoch(7), offset: Offset(9) }, start);
        assert_eq!(hub.deadlines.len(), sessions.len(), "each has filed its deadline once");

        let nack = |hub: &mut Hub, secs| {
            let _ = hub.handle_nack(sessions[0], topic.id, id, Duration::from_secs(secs), start);
            assert!(hub.deadlines.len() <= 2 * hub.sessions.len() + SPARE_DEADLINES);
        };
        for secs in (300..900).rev() {
            nack(&mut hub, secs);
        }
        for session in &sessions[50..] {
            hub.leave(*session, CloseReason::Client, start);
        }
        for secs in (100..300).rev() {
            nack(&mut hub, secs);
        }
        assert_eq!(hub.poll_timeout(), Some(start + Duration::from_secs(100)));
        hub.handle_timeout(start + Duration::from_secs(1_000));
        while hub.poll_output(start).is_some() {}
        assert_eq!(hub.stats(topic.id).retries, 50, "the deadlines that stand were kept");
    }

    #[test]
    fn no_more_empty_batches_are_kept_than_may_be() {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t")).build().expect("it is valid");
        let mut hub = Hub::new(Arc::new(catalog), Epoch(7));
        for _ in 0..2 * SPARE_BATCHES {
            hub.recycle(Batch::new());
        }
        assert_eq!(hub.spare.len(), SPARE_BATCHES);
    }
}
