//! What is known of one connection, shared by its stream, the layer and its outlet.
//!
//! Never a decision: it says what room there is, who is told, and whether the connection is to die.

mod traffic;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use streamfence_auth::Token;
use streamfence_core::{CloseReason, RefusalReason, Tier, Transport};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::traffic::Traffic;
use super::allowance::{Allowance, CONNECTS, IDLE};
use super::census::Census;
use super::stream::Peer;
use crate::connection::Connection;
use crate::registry::{Registered, Registry};

/// What bounds one connection.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// How many frames of the fence may lie between its lanes and the kernel.
    pub window_frames: u32,
    /// How long the peer may accept no byte while there is something to write.
    pub stall_timeout: Duration,
    /// How long nothing may be heard from a peer that takes nothing either: a ping that cannot be written is one that
    /// cannot be answered, and the library would wait for its writer for ever.
    pub silence: Duration,
    /// How many bytes are read from the peer, beyond those written, while a write is blocked.
    pub blocked_read_budget_bytes: u64,
    /// The largest message that the peer may send over a websocket.
    pub max_message_bytes: u64,
    /// The tier of a websocket.
    pub tier: Tier,
}

/// One connection: an Engine.IO session, whatever carries it.
///
/// ```text
/// Polling --upgrade begins--> Upgrading --client's `5`--> WebSocket
///    '------------------------------'----------------------'---> Killed --> Ended
/// ```
///
/// Ended is told once, and only after that may the connection be forgotten.
pub struct LinkState {
    limits: LinkLimits,
    peer: Option<Peer>,
    client: Option<IpAddr>,
    traffic: Mutex<Traffic>,
    /// Whether the kernel said no. Written under the lock of `traffic`, read without.
    is_kernel_full: AtomicBool,
    /// Whether a poll waits for an answer. Without meaning once the session is a websocket.
    is_poll_waiting: AtomicBool,
    is_websocket: AtomicBool,
    is_upgrading: AtomicBool,
    /// The library's, while it waits for the peer to say something, and while it waits for the kernel.
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// Whether a batch may be written below the websocket. Written under the lock of `traffic`, read without.
    has_room: AtomicBool,
    /// Whether a shard waits for the kernel.
    is_shard_waiting: AtomicBool,
    /// Whether the reader looks after the time a blocked connection has.
    is_stall_watched: AtomicBool,
    opened: Instant,
    /// When a byte came from the peer, in milliseconds since it was opened.
    last_heard_ms: AtomicU64,
    is_posting: AtomicBool,
    /// Whether the peer has begun a message that is larger than it may be.
    is_too_large: AtomicBool,
    /// What the peer may still send, whatever carries it.
    allowed: Mutex<Allowed>,
    /// How many want reading to pause.
    pauses: AtomicU32,
    /// Told when reading goes on, or when the connection has ended: for requests, which have no stream to wake.
    resumed: Notify,
    killed: OnceLock<CloseReason>,
    on_room: OnceLock<Hook>,
    end: Mutex<End>,
    /// Closes the Engine.IO session from above, for sessions that have no stream to cut.
    closer: OnceLock<Hook>,
    sid: OnceLock<Box<str>>,
    /// Who opened it, where a certificate or the application in front says so.
    opener: OnceLock<Box<str>>,
    /// The token that its requests show, where they show one.
    token: Mutex<Option<Token>>,
    registered: Registered,
    /// What serves it, once it has come as far as a fenced namespace. Weak, because that holds this.
    connection: Mutex<Weak<Connection>>,
}

type Hook = Box<dyn Fn() + Send + Sync>;
type EndHook = Box<dyn FnOnce(CloseReason) + Send>;

#[derive(Default)]
struct Allowed {
    connects: Allowance,
    idle: Allowance,
}

#[derive(Default)]
struct End {
    reason: Option<CloseReason>,
    hook: Option<EndHook>,
}

impl LinkState {
    pub(crate) fn new(
        limits: LinkLimits,
        transport: Transport,
        (peer, client): (Option<Peer>, Option<IpAddr>),
        registered: Registered,
    ) -> Self {
        let is_websocket = transport == Transport::WebSocket;
        Self {
            limits,
            peer,
            client,
            traffic: Mutex::new(Traffic::new(&limits)),
            is_kernel_full: AtomicBool::new(false),
            is_poll_waiting: AtomicBool::new(false),
            is_websocket: AtomicBool::new(is_websocket),
            is_upgrading: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            has_room: AtomicBool::new(false),
            is_shard_waiting: AtomicBool::new(false),
            is_stall_watched: AtomicBool::new(false),
            opened: Instant::now(),
            last_heard_ms: AtomicU64::new(0),
            is_posting: AtomicBool::new(false),
            allowed: Mutex::default(),
            is_too_large: AtomicBool::new(false),
            pauses: AtomicU32::new(0),
            resumed: Notify::new(),
            killed: OnceLock::new(),
            on_room: OnceLock::new(),
            end: Mutex::default(),
            closer: OnceLock::new(),
            sid: OnceLock::new(),
            opener: OnceLock::new(),
            token: Mutex::default(),
            registered,
            connection: Mutex::default(),
        }
    }

    /// A connection that no registry knows, for tests and for streams that did not come through the layer.
    #[must_use]
    pub fn detached(limits: LinkLimits, transport: Transport) -> Self {
        Self::new(limits, transport, (None, None), Registry::new(1).unregistered())
    }

    /// Notes who opened this connection.
    pub(crate) fn set_opener(&self, name: &str) {
        let _known = self.opener.set(name.into());
    }

    /// Whether this is who opened it, or nobody was and is known.
    pub(crate) fn is_opener(&self, name: Option<&str>) -> bool {
        self.opener.get().map(|name| &**name) == name
    }

    /// Notes the token that whoever has this connection shows with each request.
    pub(crate) fn learn(&self, token: Token) {
        *self.token() = Some(token);
    }

    /// Whether this is that token.
    pub(crate) fn knows(&self, token: &Token) -> bool {
        self.token().as_ref().is_some_and(|known| known.is(token))
    }

    /// Whether there is one.
    pub(crate) fn knows_any(&self) -> bool {
        self.token().is_some()
    }

    fn token(&self) -> MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What serves this connection, opened by the first namespace that asks.
    pub(crate) fn connection(&self, open: impl FnOnce() -> Arc<Connection>) -> Arc<Connection> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = connection.upgrade() {
            return connection;
        }
        let opened = open();
        *connection = Arc::downgrade(&opened);
        opened
    }

    /// What serves this connection, if it has come as far as a fenced namespace and has not ended.
    pub(crate) fn opened_connection(&self) -> Option<Arc<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Stops reading from the peer, or goes on: for an inbox that fills faster than it is emptied.
    pub fn pause_reading(&self, is_paused: bool) {
        if is_paused {
            self.pauses.fetch_add(1, Ordering::SeqCst);
        } else {
            self.pauses.fetch_sub(1, Ordering::SeqCst);
        }
        if !is_paused {
            self.wake_reader();
            self.resumed.notify_waiters();
        }
    }

    /// Takes note of what the peer has sent. Says until when nothing more is to be read from it, where that is too much of
    /// what it may have more of later.
    pub(crate) fn take_note(&self, census: Census) -> Option<Instant> {
        if census == Census::default() {
            return None;
        }
        let (mut wait, mut is_flood) = (None, false);
        if census.connects + census.idle > 0 {
            let (mut allowed, now) = (self.allowed.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
            if census.connects > 0 {
                wait = allowed.connects.spend(census.connects, CONNECTS, now);
            }
            is_flood = census.idle > 0 && allowed.idle.spend(census.idle, IDLE, now).is_some();
        }
        // The first of them is the last that the library reads.
        if census.is_overfull {
            self.registered.refuse(RefusalReason::Attachments, self.client);
        }
        if census.is_too_large && !self.is_too_large.swap(true, Ordering::SeqCst) {
            self.registered.refuse(RefusalReason::PayloadTooLarge, self.client);
            self.say_goodbye(TOO_LARGE);
        }
        // Once: what was on its way when it was cut is no other flood.
        if is_flood && self.killed().is_none() {
            self.registered.refuse(RefusalReason::ControlFrames, self.client);
            self.kill(CloseReason::RateLimited);
        }
        wait
    }

    /// Whether the peer has begun a message that is larger than it may be: nothing that it says is read any more.
    pub(crate) fn is_too_large(&self) -> bool {
        self.is_too_large.load(Ordering::Relaxed)
    }

    /// The largest message that the peer may send.
    pub(crate) fn max_message_bytes(&self) -> u64 {
        self.limits.max_message_bytes
    }

    /// Waits until the peer may say more.
    pub(crate) async fn may_read(&self) {
        loop {
            let resumed = self.resumed.notified();
            if !self.is_reading_paused() || self.ended().is_some() {
                return;
            }
            resumed.await;
        }
    }

    /// Ends the connection, whatever it is doing: a websocket is cut with a reset, a polling session is closed.
    ///
    /// The first reason stands; the end itself is told by [`Self::set_on_end`].
    pub fn kill(&self, reason: CloseReason) {
        if self.killed.set(reason).is_err() {
            return;
        }
        self.reader.wake();
        self.writer.wake();
        if !self.is_websocket.load(Ordering::SeqCst) {
            self.close_session();
            self.end(reason);
        }
    }

    /// Says that the connection has ended for good. Only the first call counts, and a kill's reason wins over any.
    pub fn end(&self, reason: CloseReason) {
        let reason = self.killed().unwrap_or(reason);
        let hook = {
            let mut end = self.end.lock().expect("nothing panics while it ends a connection");
            if end.reason.is_some() {
                return;
            }
            end.reason = Some(reason);
            end.hook.take()
        };
        self.resumed.notify_waiters();
        self.registered.forget(self.sid());
        if let Some(hook) = hook {
            hook(reason);
        }
    }

    /// Sets what is called, from inside the stream's own poll, when awaited room returned or [`Self::is_blocked`]
    /// changed.
    ///
    /// It must be cheap and must not wait. Only the first call counts.
    pub fn set_on_room(&self, hook: impl Fn() + Send + Sync + 'static) {
        let _first_wins = self.on_room.set(Box::new(hook));
    }

    /// Sets what is called once, when the connection has ended; at once if it has already.
    pub fn set_on_end(&self, hook: impl FnOnce(CloseReason) + Send + 'static) {
        let ended = {
            let mut end = self.end.lock().expect("nothing panics while it ends a connection");
            match end.reason {
                Some(reason) => reason,
                None => {
                    end.hook = Some(Box::new(hook));
                    return;
                }
            }
        };
        hook(ended);
    }

    /// Whether the kernel said no, or, while polling, no poll waits for an answer.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        match self.transport() {
            Transport::WebSocket => self.is_kernel_full(),
            _ => !self.is_poll_waiting.load(Ordering::SeqCst),
        }
    }

    /// Whether the kernel said no.
    pub(crate) fn is_kernel_full(&self) -> bool {
        self.is_kernel_full.load(Ordering::SeqCst)
    }

    /// What carries the session now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        if self.is_websocket.load(Ordering::SeqCst) { Transport::WebSocket } else { Transport::Polling }
    }

    /// Who is at the other end, if the accept loop said so.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// The address of the client, behind trusted proxies too, where it is known.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Why it was killed, if it was.
    #[must_use]
    pub fn killed(&self) -> Option<CloseReason> {
        self.killed.get().copied()
    }

    /// Why it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<CloseReason> {
        self.end.lock().expect("nothing panics while it ends a connection").reason
    }

    pub(crate) fn registered(&self) -> &Registered {
        &self.registered
    }

    /// Names the session, once: a polling session is known by its id from the answer to its handshake on.
    pub(crate) fn set_session(&self, sid: &str, closer: impl Fn() + Send + Sync + 'static) {
        let _first_wins = self.sid.set(sid.into());
        let _first_wins = self.closer.set(Box::new(closer));
    }

    /// The session's id: a bearer secret, never to be shown.
    pub(crate) fn sid(&self) -> Option<&str> {
        self.sid.get().map(AsRef::as_ref)
    }

    /// Closes the session from above, if it is one that can be.
    pub(crate) fn close_session(&self) {
        if let Some(close) = self.closer.get() {
            close();
        }
    }

    /// Claims the session for a websocket. One at a time: two would share the same books.
    pub(crate) fn begin_upgrade(&self) -> bool {
        self.transport() == Transport::Polling
            && self.ended().is_none()
            && self.is_upgrading.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Gives the claim back: no websocket came of it.
    pub(crate) fn abort_upgrade(&self) {
        self.is_upgrading.store(false, Ordering::SeqCst);
    }

    /// The client speaks websocket from now on.
    pub(crate) fn finish_upgrade(&self) {
        self.is_websocket.store(true, Ordering::SeqCst);
        self.tell_room();
    }

    /// A poll waits for an answer, or waits no more.
    pub(crate) fn set_polling(&self, is_waiting: bool) {
        let was_waiting = self.is_poll_waiting.swap(is_waiting, Ordering::SeqCst);
        if was_waiting != is_waiting && self.transport() == Transport::Polling {
            self.tell_room();
        }
    }

    /// Begins to take a POST in. One at a time: the packets of two would mix.
    pub(crate) fn begin_post(&self) -> bool {
        !self.is_posting.swap(true, Ordering::SeqCst)
    }

    /// The POST has been taken in, or given up.
    pub(crate) fn finish_post(&self) {
        self.is_posting.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_reading_paused(&self) -> bool {
        self.pauses.load(Ordering::SeqCst) > 0
    }

    /// Remembers who is to be woken when reading may go on, or when the connection is killed.
    pub(crate) fn keep_reader(&self, waker: &Waker) {
        self.reader.register(waker);
    }

    pub(crate) fn wake_reader(&self) {
        self.reader.wake();
    }

    /// A byte came from the peer.
    pub(crate) fn heard(&self) {
        self.last_heard_ms.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Says whether the reader looks after the time a blocked connection has: it is woken when it is to begin.
    pub(crate) fn watch_stalls(&self, is_watched: bool) {
        self.is_stall_watched.store(is_watched, Ordering::SeqCst);
    }

    /// When a connection that is blocked since then is to be killed, and as what, if nothing moves until then.
    pub(crate) fn patience(&self, blocked_since: Instant) -> (Instant, CloseReason) {
        let last_heard = self.opened + Duration::from_millis(self.last_heard_ms.load(Ordering::Relaxed));
        let stalled = (blocked_since + self.limits.stall_timeout, CloseReason::Stalled);
        let silent = (last_heard + self.limits.silence, CloseReason::Heartbeat);
        if silent.0 < stalled.0 { silent } else { stalled }
    }

    fn tell_room(&self) {
        if let Some(hook) = self.on_room.get() {
            hook();
        }
    }
}

/// The kernel takes more: whoever was told that it does not tries again. Called with the stream locked.
impl Wake for LinkState {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.writer.wake();
        if self.is_shard_waiting.swap(false, Ordering::SeqCst) {
            self.tell_room();
        }
    }
}

impl fmt::Debug for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkState")
            .field("transport", &self.transport())
            .field("tier", &self.tier())
            .field("peer", &self.peer)
            .field("room", &self.room())
            .field("is_blocked", &self.is_blocked())
            .field("killed", &self.killed())
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}

/// Why a websocket is closed on which a message is too large (RFC 6455, section 7.4.1).
const TOO_LARGE: u16 = 1009;
/// What separates packets in an Engine.IO 4 payload.
pub(crate) const PACKET_SEPARATOR: u8 = 0x1e;

#[cfg(test)]
mod tests;
