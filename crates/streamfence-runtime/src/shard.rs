//! The one loop that waits. Never a delivery rule: what is decided, the hub decides.

mod aftermath;
mod commands;
mod intake;
mod outputs;
mod publishing;
mod questions;
mod spilling;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use streamfence_core::{
    ClientId, CloseReason, ErrorCode, Hub, LinkKey, NamespaceId, Output, Room, Secret, SessionKey, Tier, TopicEntry,
    Transmit, Transport, UnsubscribeReason,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::questions::Question;
use crate::acks::Waits;
use crate::budget::{Budget, Portion};
use crate::command::{Control, Publish};
use crate::dead_letters::DeadLetters;
use crate::directory::{Directory, FindError};
use crate::fence::WeakFence;
use crate::handler::Handlers;
use crate::inbox::{Input, SessionWish};
use crate::link::{Link, ReadyList};
use crate::outlet::Outlet;
use crate::seat::{Joined, Seat};
use crate::spill_pump::SpillPump;
use crate::tickets::Tickets;
use crate::tracer::Tracer;
use crate::watch::Watchers;

/// What one client may say in one turn.
const INPUTS_PER_TURN: usize = 256;
/// Answers a client may leave unread before its wishes wait.
const ANSWERS_UNREAD: usize = 64;
/// How long publishes wait for writers that have not run: our own CPU, so not long.
const LONGEST_HOLD: Duration = Duration::from_millis(10);
/// How often numbers go to the observers.
const TICK: Duration = Duration::from_secs(1);

/// Everything a shard is made of.
pub(crate) struct ShardParts {
    pub(crate) index: usize,
    /// How many there are.
    pub(crate) shards: usize,
    pub(crate) directory: Arc<Directory>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) publishes: mpsc::Receiver<Publish>,
    pub(crate) control: mpsc::Receiver<Control>,
    pub(crate) ready: Arc<ReadyList>,
    pub(crate) links: Arc<AtomicUsize>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) fence: WeakFence,
    /// What the messages may take.
    pub(crate) budget: Option<Arc<Budget>>,
    /// Where lanes spill to.
    pub(crate) spill: SpillPump,
    /// Who records the ways of messages.
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

/// One task that owns one hub.
pub(crate) struct Shard {
    parts: ShardParts,
    hub: Hub,
    /// Of the directory, as far as the hub knows it.
    version: u64,
    /// By the index of the link's key.
    seats: Vec<Option<Seat>>,
    /// The links taken from the ready list this turn; kept for its memory.
    news: Vec<Link>,
    /// How many seats are busy, and since when there was one.
    busy: usize,
    busy_since: Option<Instant>,
    next_tick: Instant,
    /// What is handed out at once; kept for its memory.
    outputs: Vec<Output>,
    tickets: Tickets,
    drain: Option<Drain>,
    /// What is to be published next, before what is in the channel.
    next_publish: Option<Publish>,
    portion: Option<Portion>,
    /// Publishers that wait for acks.
    waits: Waits,
    /// Bounded by whoever lets them be asked.
    questions: VecDeque<Question>,
    is_orphaned: bool,
    /// Whether it has ended every connection for good: whoever comes now came too late.
    is_closed: bool,
}

/// A client that wants to be let in.
struct Newcomer {
    namespace: NamespaceId,
    client: ClientId,
    transport: Transport,
    wish: Option<SessionWish>,
    principal: Option<Arc<str>>,
}

struct Drain {
    deadline: Instant,
    done: Vec<oneshot::Sender<()>>,
}

impl Shard {
    pub(crate) fn new(parts: ShardParts) -> Self {
        let (version, latest) = parts.directory.latest();
        let hub = Hub::new(latest.catalog, parts.directory.epoch());
        let hub = hub.on_shard(parts.index as u16, parts.shards as u16);
        let portion = parts.budget.clone().map(|budget| Portion::new(budget, parts.index));
        Self {
            parts,
            hub,
            version,
            seats: Vec::new(),
            news: Vec::new(),
            busy: 0,
            busy_since: None,
            next_tick: Instant::now() + TICK,
            outputs: Vec::new(),
            tickets: Tickets::default(),
            drain: None,
            next_publish: None,
            portion,
            waits: Waits::default(),
            questions: VecDeque::new(),
            is_orphaned: false,
            is_closed: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut more_outputs = false;
        while !self.is_finished() {
            let now = Instant::now();
            let more_news = self.take_news(now);
            let more_spill = self.take_completions(now);
            self.take_commands(now);
            // What was published before goes out first, or the lanes of those last in the line would fill for nothing.
            let more_publishes = !more_outputs && self.take_publishes(now);
            self.hub.handle_timeout(now.into_std());
            self.tick(now);
            more_outputs = self.drain_outputs(now);
            self.waits.pass_on(&mut self.hub);
            self.tell_traces();
            let more_questions = self.look_around(now);
            self.finish_drain(now);
            if more_news || more_spill || more_publishes || more_outputs || more_questions {
                // The sockets have writers of their own, and this is their turn.
                tokio::task::yield_now().await;
            } else {
                self.wait().await;
            }
        }
        self.close_all(CloseReason::ShuttingDown);
        self.hand_over_numbers(Instant::now());
    }

    /// Sleeps until there is anything to do. The only place that waits.
    async fn wait(&mut self) {
        let deadline = self.next_deadline();
        let takes_publishes = self.next_publish.is_none() && !self.is_holding(Instant::now());
        tokio::select! {
            () = self.parts.ready.wake.notified() => {}
            completion = poll_fn(|cx| self.parts.spill.poll(cx)) => self.hear_store(completion, Instant::now()),
            command = self.parts.control.recv() => match command {
                Some(command) => self.command(command, Instant::now()),
                None => self.is_orphaned = true,
            },
            publish = self.parts.publishes.recv(), if takes_publishes => {
                self.is_orphaned |= publish.is_none();
                self.next_publish = publish;
            }
            () = tokio::time::sleep_until(deadline) => {}
        }
    }

    fn next_deadline(&self) -> Instant {
        let hub = self.hub.poll_timeout().map(Instant::from_std);
        let hold = self.busy_since.map(|since| since + LONGEST_HOLD);
        let drain = self.drain.as_ref().map(|drain| drain.deadline);
        [hub, hold, drain].into_iter().flatten().fold(self.next_tick, Instant::min)
    }

    /// Hears what the clients and their transports have to say. `true` when there is more.
    fn take_news(&mut self, now: Instant) -> bool {
        let mut news = std::mem::take(&mut self.news);
        self.parts.ready.swap(&mut news);
        let mut is_more = false;
        for link in news.drain(..) {
            link.0.unfile();
            is_more |= self.hear(&link, now);
        }
        self.news = news;
        is_more
    }

    fn hear(&mut self, link: &Link, now: Instant) -> bool {
        let mut is_more = false;
        for turn in 0.. {
            let seat = link.seat();
            if turn == INPUTS_PER_TURN {
                link.wake();
                is_more = true;
                break;
            }
            if let Some(key) = seat
                && self.hub.control_backlog(key) >= ANSWERS_UNREAD
            {
                // Whoever does not read the answers is not asked for more wishes. Its end is heard all the same.
                let end = link.0.lock().end();
                if let Some(reason) = end {
                    self.end(key, reason, now);
                } else if let Some(seat) = self.seat_mut(key) {
                    seat.is_parked = true;
                }
                break;
            }
            let Some(input) = link.0.pop() else { break };
            self.input(link, input, now);
        }
        if let Some(key) = link.seat() {
            self.look_at_room(key, now);
        }
        is_more
    }

    fn input(&mut self, link: &Link, input: Input, now: Instant) {
        self.catch_up(now);
        let at = now.into_std();
        if let Input::Open(mut outlet) = input {
            if self.is_closed {
                outlet.close(CloseReason::ShuttingDown);
                self.parts.links.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            let key = self.hub.open(at);
            link.set_seat(Some(key));
            if self.seats.len() <= key.index() {
                self.seats.resize_with(key.index() + 1, || None);
            }
            self.seats[key.index()] = Some(Seat::new(link.clone(), outlet));
            return;
        }
        let Some(key) = link.seat() else { return };
        match input {
            Input::Open(_) => unreachable!("handled above"),
            Input::Join { namespace, client, transport, session, principal } => {
                self.join(key, Newcomer { namespace, client, transport, wish: session, principal }, now);
            }
            Input::Identify { namespace, principal, request } => {
                if let Some(session) = self.session(key, namespace)
                    && !self.hub.identify(session, &principal, request, at)
                {
                    let message = "this session is somebody else's; connect again".into();
                    let code = ErrorCode::AuthRejected;
                    self.hub.tell(session, Transmit::Error { namespace, code, message, topic: None, request }, at);
                }
            }
            Input::Leave { namespace, reason } => self.leave(key, namespace, reason, now),
            Input::Subscribe { namespace, topic, wishes, request } => {
                if let Some(session) = self.session(key, namespace) {
                    let (directory, name) = (&self.parts.directory, topic.name.clone());
                    match directory.refresh(topic) {
                        Ok(topic) => {
                            self.hub.subscribe(session, &topic, wishes, request, at);
                        }
                        // A reload took it away while the wish was on its way.
                        Err(why) => {
                            let code = match why {
                                FindError::Unknown => ErrorCode::UnknownTopic,
                                FindError::TooMany { .. } => ErrorCode::LimitExceeded,
                            };
                            let (message, topic) = (why.to_string().into(), Some((*name).into()));
                            self.hub.tell(session, Transmit::Error { namespace, code, message, topic, request }, at);
                        }
                    }
                }
            }
            Input::Unsubscribe { namespace, topic, reason, request } => {
                if let Some(session) = self.session(key, namespace) {
                    self.hub.unsubscribe(session, &topic, reason, request, at);
                }
            }
            Input::Publish { namespace, topic, payload, request } => {
                self.client_publish(key, namespace, &topic, payload, request, now);
            }
            Input::Ack { namespace, topic, id } => {
                if let Some(session) = self.session(key, namespace) {
                    let _ = self.hub.handle_ack(session, topic, id, at);
                }
            }
            Input::AckUpTo { namespace, topic, id } => {
                if let Some(session) = self.session(key, namespace) {
                    let _ = self.hub.handle_ack_up_to(session, topic, id, at);
                }
            }
            Input::Nack { namespace, topic, id, delay } => {
                if let Some(session) = self.session(key, namespace) {
                    let _ = self.hub.handle_nack(session, topic, id, delay, at);
                }
            }
            Input::StrayAcks { namespace, count } => {
                if let Some(session) = self.session(key, namespace) {
                    self.hub.handle_stray_acks(session, count, at);
                }
            }
            Input::Tell { namespace, what } => {
                if let Some(session) = self.session(key, namespace) {
                    self.hub.tell(session, what, at);
                }
            }
            Input::End(reason) => self.end(key, reason, now),
        }
    }

    /// Lets a client in: with the session it had, with a new one that survives its connection, or as any other.
    fn join(
        &mut self,
        key: LinkKey,
        Newcomer { namespace, client, transport, wish, principal }: Newcomer,
        now: Instant,
    ) {
        let at = now.into_std();
        let entry = self.hub.catalog().namespace_entry(namespace);
        if entry.is_removed {
            if let Some(seat) = self.seat_mut(key) {
                seat.outlet.disconnect(namespace, CloseReason::Removed);
            }
            return;
        }
        let retention = entry.session_retention;
        let is_refused = wish.is_some() && retention.is_zero();
        let wish = wish.filter(|_| !is_refused);
        let resumed = match wish {
            Some(SessionWish::Resume { client, secret }) => {
                self.find_session(client, &secret, namespace, principal.as_deref())
            }
            _ => None,
        };
        let session = match resumed {
            Some(session) => {
                // Another connection may still have it: this one is the client's word that it does not want that one.
                if let Some(old) = self.hub.link_of(session).and_then(|old| self.seat_mut(old)) {
                    old.sessions.retain(|joined| joined.session != session);
                    old.outlet.disconnect(namespace, CloseReason::Replaced);
                }
                self.hub.attach(session, key, transport, at).then_some(session)
            }
            None => self.hub.join_as(key, namespace, client, transport, principal, at),
        };
        let Some(session) = session else { return };
        if let Some(seat) = self.seat_mut(key) {
            // Most connections join one namespace.
            seat.sessions.reserve_exact(1);
            seat.sessions.push(Joined { namespace, session, workers: Default::default() });
        }
        if is_refused {
            self.hub.tell(session, Transmit::NoSession { namespace }, at);
        }
        if wish.is_none() {
            return;
        }
        let Some(seated) = self.hub.session(session) else { return };
        let (client, topics) = (seated.client(), seated.lanes().map(|lane| lane.entry().clone()).collect());
        let (topics, not_theirs) = self.still_theirs(key, namespace, topics);
        if resumed.is_none() {
            self.tickets.issue(client);
            self.hub.retain(session, retention);
        }
        let ticket = self.tickets.ticket(self.parts.index, client, retention, resumed.is_some(), topics);
        if let Some(ticket) = ticket {
            self.hub.tell(session, Transmit::Session { namespace, ticket: Box::new(ticket) }, at);
        }
        // Before anything of the session goes out, and told behind the news that it is there.
        for topic in not_theirs {
            self.hub.unsubscribe(session, &topic, UnsubscribeReason::AuthRejected, None, at);
        }
        if let Some(SessionWish::Resume { client, secret }) = wish {
            self.tell_why(session, namespace, client, &secret, now);
        }
    }

    /// Which subscriptions a client may keep, and which not, as its outlet says.
    fn still_theirs(
        &mut self,
        key: LinkKey,
        namespace: NamespaceId,
        topics: Vec<Arc<TopicEntry>>,
    ) -> (Vec<Arc<TopicEntry>>, Vec<Arc<TopicEntry>>) {
        match self.seat_mut(key) {
            Some(seat) => topics.into_iter().partition(|topic| seat.outlet.may_keep(namespace, topic)),
            None => (topics, Vec::new()),
        }
    }

    /// The session a client may come back to: it has its secret, and is who it was.
    fn find_session(
        &self,
        client: ClientId,
        secret: &Secret,
        namespace: NamespaceId,
        principal: Option<&str>,
    ) -> Option<SessionKey> {
        let session = self.hub.session_of(client).filter(|_| self.tickets.is_valid(client, secret))?;
        let is_theirs = self.hub.principal_of(session).map(|known| &**known) == principal;
        let is_here = self.hub.session(session).is_some_and(|session| session.namespace() == namespace);
        (is_theirs && is_here).then_some(session)
    }

    /// Goes on under the catalog there is now, before anything is handled that may know of it.
    fn catch_up(&mut self, now: Instant) {
        if self.parts.directory.version() == self.version {
            return;
        }
        let (version, latest) = self.parts.directory.latest();
        self.version = version;
        self.hub.reload(&latest, now.into_std());
        let is_removed = |namespace| self.hub.catalog().namespace_entry(namespace).is_removed;
        let gone: Vec<_> = self.hub.sessions().filter(|session| is_removed(session.namespace())).collect();
        for client in gone.into_iter().map(streamfence_core::Session::client).collect::<Vec<_>>() {
            self.disconnect(client, CloseReason::Removed, now);
        }
    }

    /// Whether publishes wait, for writers that have not run since they were given something.
    fn is_holding(&mut self, now: Instant) -> bool {
        let Some(since) = self.busy_since else { return false };
        if now < since + LONGEST_HOLD {
            return true;
        }
        // A publisher waits for our CPU, but not for ever: whoever is still busy is treated like a slow client.
        for seat in self.seats.iter_mut().flatten() {
            seat.is_busy = false;
        }
        self.busy = 0;
        self.busy_since = None;
        false
    }

    /// Asks a transport what it takes now, and whether its writer still has to run.
    fn look_at_room(&mut self, key: LinkKey, now: Instant) {
        let Some(room) = self.seat_mut(key).map(|seat| seat.outlet.room()) else { return };
        self.take_room(key, room, now);
    }

    fn take_room(&mut self, key: LinkKey, room: Room, now: Instant) {
        let Some(seat) = self.seat_mut(key) else { return };
        let (was_busy, is_busy) = seat.take_room(room);
        self.busy = self.busy + usize::from(is_busy) - usize::from(was_busy);
        self.busy_since = if self.busy == 0 { None } else { self.busy_since.or(Some(now)) };
        self.hub.handle_room(key, room, now.into_std());
    }

    fn leave(&mut self, key: LinkKey, namespace: NamespaceId, reason: CloseReason, now: Instant) {
        let Some(seat) = self.seat_mut(key) else { return };
        let Some(place) = seat.sessions.iter().position(|joined| joined.namespace == namespace) else { return };
        let joined = seat.sessions.swap_remove(place);
        self.hub.leave(joined.session, reason, now.into_std());
    }

    fn end(&mut self, key: LinkKey, reason: CloseReason, now: Instant) {
        let Some(seat) = self.seats.get_mut(key.index()).and_then(Option::take) else { return };
        self.busy -= usize::from(seat.is_busy);
        if self.busy == 0 {
            self.busy_since = None;
        }
        seat.link.set_seat(None);
        self.parts.links.fetch_sub(1, Ordering::Relaxed);
        self.hub.close(key, reason, now.into_std());
    }

    fn tick(&mut self, now: Instant) {
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.hub.expire(now.into_std());
            self.tickets.forget_old(now);
            self.waits.forget_ended(&mut self.hub);
            if self.parts.index == 0 {
                self.parts.directory.sweep();
            }
            self.hand_over_numbers(now);
        }
    }

    fn hand_over_numbers(&mut self, now: Instant) {
        for topic in self.hub.catalog().topics() {
            let mut stats = std::mem::take(self.hub.stats_mut(topic));
            // Every shard sees every message; one of them counts it.
            if self.parts.index == 0 {
                (stats.published, stats.published_bytes) = self.parts.directory.take_published(topic);
                stats.dead_letters_evicted = self.parts.dead_letters.take_evicted(topic);
            }
            if stats != Default::default() {
                self.parts.watchers.stats(topic, &stats);
            }
            let mut survey = self.hub.survey(topic, now.into_std());
            if self.parts.index == 0 {
                survey.dead_letters = self.parts.dead_letters.len(topic);
            }
            self.parts.watchers.survey(self.parts.index, topic, &survey);
        }
        for (namespace, entry) in self.hub.catalog().namespaces() {
            self.parts.watchers.slow(self.parts.index, &entry.path, &self.hub.slow_clients(namespace));
        }
        let of_tier = |tier| self.seats.iter().flatten().filter(|seat| seat.outlet.tier() == tier).count() as u64;
        self.parts.watchers.links(self.parts.index, Tier::ALL.map(of_tier));
        if let Some(portion) = &mut self.portion {
            portion.settle(&mut self.hub);
            self.parts.watchers.memory(&portion.budget().memory());
        }
        self.hand_over_stores();
    }

    /// Ends a drain when nothing is left to send, on its way and to be acked, or at its deadline.
    fn finish_drain(&mut self, now: Instant) {
        let Some(drain) = &self.drain else { return };
        let is_done = self.hub.resident() == 0
            && self.parts.publishes.is_empty()
            && self.next_publish.is_none()
            && self.seats.iter().flatten().all(|seat| seat.room.is_empty);
        if !is_done && now < drain.deadline {
            return;
        }
        let drain = self.drain.take().expect("it was there just now");
        self.is_closed = true;
        self.close_all(CloseReason::ShuttingDown);
        self.hand_over_numbers(now);
        for done in drain.done {
            // Whoever asked may have gone; the drain is done all the same.
            let _ = done.send(());
        }
    }

    fn close_all(&mut self, reason: CloseReason) {
        let now = Instant::now();
        for index in 0..self.seats.len() {
            let Some(seat) = &mut self.seats[index] else { continue };
            seat.outlet.close(reason);
            if let Some(key) = seat.link.seat() {
                self.end(key, reason, now);
            }
        }
        while let Some(output) = self.hub.poll_output(now.into_std()) {
            match output {
                Output::Event(event) => self.witness(&event, now),
                Output::GivenUp(given_up) => self.bury(*given_up),
                // Its files go, too.
                Output::Spill(command) => self.parts.spill.submit(command),
                // Nobody is there any more to hear it.
                Output::Transmit(..) | Output::Starved(_) | Output::Disconnect { .. } => {}
            }
        }
        self.waits.pass_on(&mut self.hub);
        self.tell_traces();
    }

    /// Whether nobody is left who could say anything.
    fn is_finished(&self) -> bool {
        self.is_orphaned
    }

    fn session(&mut self, key: LinkKey, namespace: NamespaceId) -> Option<SessionKey> {
        Some(self.seat_mut(key)?.joined(namespace)?.session)
    }

    /// Where the client of a link hears.
    fn seat_of(&self, key: LinkKey) -> Option<&dyn Outlet> {
        let seat = self.seats.get(key.index())?.as_ref()?;
        (seat.link.seat() == Some(key)).then_some(&*seat.outlet)
    }

    fn seat_mut(&mut self, key: LinkKey) -> Option<&mut Seat> {
        self.seats.get_mut(key.index())?.as_mut()
    }
}
