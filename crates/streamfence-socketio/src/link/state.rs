//! What is known of one connection, shared by its stream, the layer and its outlet.
//!
//! Never a decision: it says what room there is, who is told, and whether the connection is to die.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use streamfence_core::{CloseReason, Room, Transport};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::frame::{Frame, FrameTracker};
use super::ledger::{Expected, Ledger, Seen};
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
    traffic: Mutex<Traffic>,
    /// Written under the lock of `traffic`, read without.
    is_blocked: AtomicBool,
    is_websocket: AtomicBool,
    is_upgrading: AtomicBool,
    is_posting: AtomicBool,
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
    registered: Registered,
    /// What serves it, once it has come as far as a fenced namespace. Weak, because that holds this.
    connection: Mutex<Weak<Connection>>,
}

type Hook = Box<dyn Fn() + Send + Sync>;
type EndHook = Box<dyn FnOnce(CloseReason) + Send>;

struct Traffic {
    ledger: Ledger,
    /// Since when the kernel accepts nothing, or no poll waits. Invariant: `Some` while `is_blocked`.
    blocked_since: Option<Instant>,
    /// When a byte came from the peer.
    last_heard: Instant,
    /// Whether somebody waits for more room than there was.
    is_room_awaited: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Default)]
struct End {
    reason: Option<CloseReason>,
    hook: Option<EndHook>,
}

impl LinkState {
    pub(crate) fn new(limits: LinkLimits, transport: Transport, peer: Option<Peer>, registered: Registered) -> Self {
        let is_websocket = transport == Transport::WebSocket;
        let traffic = Traffic {
            ledger: Ledger::new(limits.window_frames),
            // A polling session begins without a poll that waits.
            blocked_since: (!is_websocket).then(Instant::now),
            last_heard: Instant::now(),
            is_room_awaited: false,
            reader: None,
            writer: None,
        };
        Self {
            limits,
            peer,
            traffic: Mutex::new(traffic),
            is_blocked: AtomicBool::new(!is_websocket),
            is_websocket: AtomicBool::new(is_websocket),
            is_upgrading: AtomicBool::new(false),
            is_posting: AtomicBool::new(false),
            pauses: AtomicU32::new(0),
            resumed: Notify::new(),
            killed: OnceLock::new(),
            on_room: OnceLock::new(),
            end: Mutex::default(),
            closer: OnceLock::new(),
            sid: OnceLock::new(),
            registered,
            connection: Mutex::default(),
        }
    }

    /// A connection that no registry knows, for tests and for streams that did not come through the layer.
    #[must_use]
    pub fn detached(limits: LinkLimits, transport: Transport) -> Self {
        Self::new(limits, transport, None, Registry::new(1).unregistered())
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

    /// Writes down a packet that is about to be emitted.
    pub fn expect(&self, packet: Expected) {
        self.traffic().ledger.expect(packet);
    }

    /// Takes the newest expected packet back, because emitting it failed.
    pub fn retract(&self) {
        self.traffic().ledger.retract();
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
        let (reader, writer) = {
            let traffic = self.traffic();
            (traffic.reader.clone(), traffic.writer.clone())
        };
        reader.into_iter().chain(writer).for_each(Waker::wake);
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

    /// What the fence may emit now.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room_below(&self.traffic().ledger)
    }

    fn room_below(&self, ledger: &Ledger) -> Room {
        let mut room = ledger.room();
        if self.transport() == Transport::Polling {
            let below = self.limits.window_frames.saturating_sub(room.frames);
            room.frames = room.frames.min(POLLED_FRAMES.saturating_sub(below));
        }
        room
    }

    /// What the fence may emit now, and a call of the hook of [`Self::set_on_room`] is owed when there is more.
    #[must_use]
    pub fn await_room(&self) -> Room {
        let mut traffic = self.traffic();
        traffic.is_room_awaited = true;
        self.room_below(&traffic.ledger)
    }

    /// Whether the kernel said no, or, while polling, no poll waits for an answer.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::SeqCst)
    }

    /// Since when it is blocked.
    #[must_use]
    pub fn blocked_since(&self) -> Option<Instant> {
        self.traffic().blocked_since
    }

    /// Whether something was emitted that its writer has not taken yet, although it could.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.is_blocked() && !self.traffic().ledger.is_empty()
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

    pub(crate) fn limits(&self) -> LinkLimits {
        self.limits
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
        self.set_blocked(false);
    }

    /// A poll waits for an answer, or waits no more. Without meaning once the session is a websocket.
    pub(crate) fn set_polling(&self, is_waiting: bool) {
        if !self.is_websocket.load(Ordering::SeqCst) {
            self.set_blocked(!is_waiting);
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

    /// The packets of a poll response, as they are on the wire.
    pub(crate) fn saw_payload(&self, payload: &[u8]) {
        let has_room = {
            let mut traffic = self.traffic();
            let packets = payload.split(|&byte| byte == PACKET_SEPARATOR).filter_map(|packet| match packet {
                [b'4', text @ ..] => Some(Seen::Text { size_bytes: text.len() as u64, head: text }),
                [b'b', ..] => Some(Seen::Binary),
                _ => None,
            });
            let has_room = packets.fold(false, |has_room, packet| traffic.ledger.saw(packet) | has_room);
            has_room && std::mem::take(&mut traffic.is_room_awaited)
        };
        if has_room {
            self.tell_room();
        }
    }

    /// The kernel accepted these bytes of the websocket; `is_all` if nothing is left to write.
    pub(crate) fn wrote(&self, tracker: &mut FrameTracker, bytes: &[u8], is_all: bool) {
        let (has_room, is_unblocked) = {
            let mut traffic = self.traffic();
            let mut has_room = false;
            tracker.feed(bytes, |frame| {
                if let Some(packet) = packet_of(&frame) {
                    has_room |= traffic.ledger.saw(packet);
                }
            });
            let is_blocked = self.is_blocked.load(Ordering::Relaxed);
            if is_all && is_blocked {
                traffic.blocked_since = None;
                self.is_blocked.store(false, Ordering::SeqCst);
            } else if is_blocked {
                traffic.blocked_since = Some(Instant::now());
            }
            (has_room && std::mem::take(&mut traffic.is_room_awaited), is_all && is_blocked)
        };
        if has_room || is_unblocked {
            self.tell_room();
        }
    }

    /// The kernel accepts no more now. Answers since when.
    pub(crate) fn blocked(&self, waker: &Waker) -> Instant {
        let (since, is_new) = {
            let mut traffic = self.traffic();
            keep(&mut traffic.writer, waker);
            let is_new = traffic.blocked_since.is_none();
            let since = *traffic.blocked_since.get_or_insert_with(Instant::now);
            self.is_blocked.store(true, Ordering::SeqCst);
            (since, is_new)
        };
        if is_new {
            self.tell_room();
        }
        since
    }

    /// The kernel has taken everything.
    pub(crate) fn flushed(&self) {
        if self.is_blocked() {
            self.set_blocked(false);
        }
    }

    pub(crate) fn is_reading_paused(&self) -> bool {
        self.pauses.load(Ordering::SeqCst) > 0
    }

    /// Remembers who is to be woken when reading may go on, or when the connection is killed.
    pub(crate) fn keep_reader(&self, waker: &Waker) {
        keep(&mut self.traffic().reader, waker);
    }

    /// A byte came from the peer.
    pub(crate) fn heard(&self) {
        self.traffic().last_heard = Instant::now();
    }

    /// When a connection that is blocked since then is to be killed, and as what, if nothing moves until then.
    pub(crate) fn patience(&self, blocked_since: Instant) -> (Instant, CloseReason) {
        let stalled = (blocked_since + self.limits.stall_timeout, CloseReason::Stalled);
        let silent = (self.traffic().last_heard + self.limits.silence, CloseReason::Heartbeat);
        if silent.0 < stalled.0 { silent } else { stalled }
    }

    pub(crate) fn wake_reader(&self) {
        let reader = self.traffic().reader.clone();
        reader.into_iter().for_each(Waker::wake);
    }

    fn set_blocked(&self, is_blocked: bool) {
        let is_new = {
            let mut traffic = self.traffic();
            let is_new = self.is_blocked.swap(is_blocked, Ordering::SeqCst) != is_blocked;
            if is_new {
                traffic.blocked_since = is_blocked.then(Instant::now);
            }
            is_new
        };
        if is_new {
            self.tell_room();
        }
    }

    fn tell_room(&self) {
        if let Some(hook) = self.on_room.get() {
            hook();
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().expect("nothing panics while it holds the books")
    }
}

impl fmt::Debug for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkState")
            .field("transport", &self.transport())
            .field("peer", &self.peer)
            .field("room", &self.room())
            .field("is_blocked", &self.is_blocked())
            .field("killed", &self.killed())
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}

fn packet_of<'a>(frame: &Frame<'a>) -> Option<Seen<'a>> {
    match (frame.opcode, frame.head) {
        (Frame::TEXT, [b'4', head @ ..]) => Some(Seen::Text { size_bytes: frame.size_bytes - 1, head }),
        (Frame::BINARY, _) => Some(Seen::Binary),
        _ => None,
    }
}

fn keep(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(kept) => kept.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

/// How many frames of the fence go into the answer to one poll: python-engineio hangs up on more than 16 packets, and a
/// ping and the application's own want their place.
const POLLED_FRAMES: u32 = 12;
/// What separates packets in an Engine.IO 4 payload.
pub(crate) const PACKET_SEPARATOR: u8 = 0x1e;

#[cfg(test)]
mod tests;
