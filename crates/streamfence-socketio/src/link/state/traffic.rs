//! What passes over a connection: the packets below the lanes, and the bytes they leave as.

use std::hint::black_box;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use streamfence_core::{CloseReason, Room, Tier, Transport};
use tokio::time::Instant;

use super::{LinkLimits, LinkState, PACKET_SEPARATOR};
use crate::link::frame::Frame;
use crate::link::halves::Writer;
use crate::link::ledger::{Expected, Ledger, Seen, WINDOW_BYTES};
use crate::link::outbound::Outbound;
use crate::link::packet::{FRAMES_PER_CALL, Packets};

/// Locked by whoever sends.
pub(super) struct Traffic {
    /// What the library was given.
    ledger: Ledger,
    /// What it writes to, while there is a websocket.
    outbound: Option<Outbound>,
    /// Since when the kernel accepts nothing.
    blocked_since: Option<Instant>,
    /// Whether somebody waits for more room than there was.
    is_room_awaited: bool,
    /// How many more bytes are read while a write is blocked. Written bytes are added, a write that is not blocked
    /// fills it up.
    read_budget_bytes: u64,
    /// Whether a read was withheld for want of budget: a write that moves wakes the reader.
    is_read_withheld: bool,
}

impl Traffic {
    pub(super) fn new(limits: &LinkLimits) -> Self {
        Self {
            ledger: Ledger::new(limits.window_frames),
            outbound: None,
            blocked_since: None,
            is_room_awaited: false,
            read_budget_bytes: limits.blocked_read_budget_bytes,
            is_read_withheld: false,
        }
    }

    /// Whether a batch may be written below the websocket, if that is the connection's tier.
    fn has_room(&self) -> bool {
        self.ledger.is_empty() && self.outbound.as_ref().is_some_and(Outbound::has_room)
    }
}

impl LinkState {
    /// Writes down a packet that the library is about to be given.
    pub fn expect(&self, packet: Expected) {
        let mut traffic = self.traffic();
        traffic.ledger.expect(packet);
        self.note_room(&traffic);
    }

    /// Writes down a text that the library is about to emit by itself, and that the fence must not come before.
    pub(crate) fn wait_for(&self, text: String) {
        let mut traffic = self.traffic();
        traffic.ledger.wait_for(text.into());
        self.note_room(&traffic);
    }

    /// Takes an expected packet back, because the library did not take it.
    pub fn retract(&self, packet: &Expected) {
        let mut traffic = self.traffic();
        traffic.ledger.retract(packet);
        self.note_room(&traffic);
    }

    /// How messages that need no callback leave now.
    ///
    /// A client that polls has no stream to write to. One that has become a websocket hears first what the library was
    /// given before.
    #[must_use]
    pub fn tier(&self) -> Tier {
        match self.transport() {
            Transport::WebSocket => self.limits.tier,
            _ => Tier::Emit,
        }
    }

    /// What the fence may send now.
    #[must_use]
    pub fn room(&self) -> Room {
        // Asked after every write of a shard, and the answer is nearly always this.
        if self.tier() == Tier::Splice && self.has_room.load(Ordering::SeqCst) {
            return SPLICED_ROOM;
        }
        self.room_in(&self.traffic())
    }

    /// What the fence may send now, and a call of the hook of [`Self::set_on_room`] is owed when there is more.
    #[must_use]
    pub fn await_room(&self) -> Room {
        let mut traffic = self.traffic();
        traffic.is_room_awaited = true;
        self.room_in(&traffic)
    }

    fn room_in(&self, traffic: &Traffic) -> Room {
        if self.tier() == Tier::Splice {
            return if self.may_splice(traffic) { SPLICED_ROOM } else { Room::NONE };
        }
        let mut room = traffic.ledger.room();
        if self.transport() == Transport::Polling {
            let below = self.limits.window_frames.saturating_sub(room.frames);
            room.frames = room.frames.min(POLLED_FRAMES.saturating_sub(below));
        }
        room
    }

    /// Whether a packet may be written below the websocket now. What the library was given before leaves before: the
    /// namespace's CONNECT, and what was said while the client still polled.
    fn may_splice(&self, traffic: &Traffic) -> bool {
        self.tier() == Tier::Splice && traffic.has_room()
    }

    /// Writes down for whoever does not want to wait for the lock what room there is below the websocket. To be called
    /// before the lock goes, by whoever has changed it.
    fn note_room(&self, traffic: &Traffic) {
        self.has_room.store(traffic.has_room(), Ordering::SeqCst);
    }

    /// Since when the kernel has taken nothing.
    #[must_use]
    pub fn blocked_since(&self) -> Option<Instant> {
        self.traffic().blocked_since
    }

    /// Whether something was sent that its writer has not taken yet, although it could.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.is_blocked() && !self.traffic().ledger.is_empty()
    }

    /// Whether the next packets may be spliced: nothing that the library was given is still to leave before them.
    pub(crate) fn is_in_order(&self) -> bool {
        self.tier() == Tier::Splice && (self.has_room.load(Ordering::SeqCst) || self.traffic().ledger.is_empty())
    }

    /// Looks at what [`Self::splice`] looks at; waits for nobody, and changes nothing.
    pub(crate) fn prepare(&self) {
        black_box((self.tier(), self.has_room.load(Ordering::Relaxed)));
        if let Ok(traffic) = self.traffic.try_lock()
            && let Some(outbound) = &traffic.outbound
        {
            black_box((traffic.has_room(), traffic.blocked_since));
            outbound.prepare();
        }
    }

    /// Writes these packets below the websocket, behind what was begun before; what the kernel does not take waits.
    pub(crate) fn splice(&self, packets: &mut Packets) {
        let spliced = {
            let mut traffic = self.traffic();
            let Some(outbound) = traffic.outbound.as_mut() else { return };
            // Before the kernel is asked: it may take more at once.
            self.is_shard_waiting.store(true, Ordering::SeqCst);
            let spliced = outbound.splice(packets);
            spliced.map(|()| self.book(&mut traffic))
        };
        match spliced {
            Ok(Turned::Full) if !self.is_stall_watched.load(Ordering::SeqCst) => self.wake_reader(),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a connection is broken");
                self.kill(CloseReason::Transport);
            }
        }
    }

    /// Has what is left of the shard's written, where that is why there is no room: whoever was to write it may have had
    /// no budget of its runtime left, which is no word of the kernel's. Says whether there is room again.
    pub(crate) fn resume(&self) -> bool {
        if self.tier() != Tier::Splice || self.has_room.load(Ordering::SeqCst) {
            return false;
        }
        self.splice(&mut Packets::new());
        self.has_room.load(Ordering::SeqCst)
    }

    /// The websocket's stream is there.
    pub(crate) fn set_outbound(self: &Arc<Self>, writer: Writer) {
        let waker = Waker::from(Arc::clone(self));
        let mut traffic = self.traffic();
        traffic.outbound = Some(Outbound::new(writer, waker));
        self.note_room(&traffic);
    }

    /// The websocket's stream is over; `is_reset` if what the kernel still has for the peer is to be thrown away.
    pub(crate) fn take_outbound(&self, is_reset: bool) {
        let outbound = {
            let mut traffic = self.traffic();
            let outbound = traffic.outbound.take();
            self.note_room(&traffic);
            outbound
        };
        if let Some(outbound) = outbound {
            outbound.release(is_reset);
        }
    }

    /// Writes for the library.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut is_seen = false;
        self.poll_outbound(cx, |outbound, ledger| {
            let written = outbound.write(bytes, |frame| {
                if let Some(packet) = packet_of(&frame) {
                    self.note_join(&packet);
                    is_seen |= ledger.saw(packet);
                }
            });
            written.map_ok(|len| (len, is_seen))
        })
    }

    /// Flushes for the library.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_outbound(cx, |outbound, _| outbound.flush().map_ok(|()| ((), false)))
    }

    /// Ends the direction for the library.
    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.register(cx.waker());
        self.traffic().outbound.as_mut().map_or(Poll::Ready(Ok(())), Outbound::shutdown)
    }

    /// Closes the websocket for a reason, and lets the library say nothing more, where that can be said now. The library
    /// ends the stream.
    pub(super) fn say_goodbye(&self, code: u16) {
        let mut traffic = self.traffic();
        if let Some(outbound) = &mut traffic.outbound {
            // A stream that is broken is found to be so by whoever writes next.
            let _said_or_broken = outbound.close_with(code);
        }
        self.note_room(&traffic);
    }

    /// Polls for the library, which also says whether a packet of ours has left.
    fn poll_outbound<T>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Outbound, &mut Ledger) -> Poll<io::Result<(T, bool)>>,
    ) -> Poll<io::Result<T>> {
        let mut traffic = self.traffic();
        let Traffic { ledger, outbound, .. } = &mut *traffic;
        let Some(outbound) = outbound else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        if !outbound.is_finished() {
            self.is_shard_waiting.store(true, Ordering::SeqCst);
        }
        let mut polled = poll(outbound, ledger);
        if polled.is_pending() {
            // The stream wakes the link, and the link its writer; it may have done so already.
            self.writer.register(cx.waker());
            polled = poll(outbound, ledger);
        }
        let turned = self.book(&mut traffic);
        let is_seen = matches!(polled, Poll::Ready(Ok((_, true))));
        let is_told = turned != Turned::Not || self.is_due(&mut traffic, is_seen);
        drop(traffic);
        if is_told {
            self.tell_room();
        }
        polled.map_ok(|(answer, _)| answer)
    }

    /// Whether awaited room is there, and so to be told.
    fn is_due(&self, traffic: &mut Traffic, is_seen: bool) -> bool {
        let has_room = match self.tier() {
            Tier::Emit => is_seen,
            Tier::Splice => traffic.is_room_awaited && self.may_splice(traffic),
        };
        has_room && std::mem::take(&mut traffic.is_room_awaited)
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
            let packets = packets.inspect(|packet| self.note_join(packet));
            let is_seen = packets.fold(false, |is_seen, packet| traffic.ledger.saw(packet) | is_seen);
            self.note_room(&traffic);
            self.is_due(&mut traffic, is_seen)
        };
        if has_room {
            self.tell_room();
        }
    }

    /// Notes that the client has joined a namespace, whoever's it is: it is sent a CONNECT.
    fn note_join(&self, packet: &Seen<'_>) {
        if let Seen::Text { head: [b'0', ..], .. } = packet {
            self.registered.join();
        }
    }

    /// Books what a write has moved, and whether the kernel said no with it.
    fn book(&self, traffic: &mut Traffic) -> Turned {
        self.note_room(traffic);
        let Some(outbound) = traffic.outbound.as_mut() else { return Turned::Not };
        let (moved_bytes, is_full) = (outbound.take_moved_bytes(), outbound.is_full());
        if outbound.is_finished() {
            self.is_shard_waiting.store(false, Ordering::SeqCst);
        }
        self.allow_reads(traffic, moved_bytes, !is_full);
        let was_full = self.is_kernel_full.swap(is_full, Ordering::SeqCst);
        if !is_full {
            traffic.blocked_since = None;
        } else if !was_full || moved_bytes > 0 {
            traffic.blocked_since = Some(Instant::now());
        }
        match (was_full, is_full) {
            (false, true) => Turned::Full,
            (true, false) => Turned::Free,
            _ => Turned::Not,
        }
    }

    /// Gives a blocked peer as much to say as it has read.
    fn allow_reads(&self, traffic: &mut Traffic, written_bytes: u64, is_free: bool) {
        let full = self.limits.blocked_read_budget_bytes;
        traffic.read_budget_bytes =
            if is_free { full } else { full.min(traffic.read_budget_bytes.saturating_add(written_bytes)) };
        if traffic.is_read_withheld && traffic.read_budget_bytes > 0 {
            traffic.is_read_withheld = false;
            self.wake_reader();
        }
    }

    /// Whether a peer that does not read may still say something; if not, the reader is woken when it may.
    pub(crate) fn may_say_more(&self) -> bool {
        let mut traffic = self.traffic();
        traffic.is_read_withheld = traffic.read_budget_bytes == 0;
        !traffic.is_read_withheld
    }

    /// A peer that does not read has said so much.
    pub(crate) fn said(&self, bytes: u64) {
        let mut traffic = self.traffic();
        traffic.read_budget_bytes = traffic.read_budget_bytes.saturating_sub(bytes);
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().expect("nothing panics while it holds the books")
    }
}

/// What a write has made of the kernel's mind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turned {
    Not,
    Full,
    Free,
}

fn packet_of<'a>(frame: &Frame<'a>) -> Option<Seen<'a>> {
    match (frame.opcode, frame.head) {
        (Frame::TEXT, [b'4', head @ ..]) => Some(Seen::Text { size_bytes: frame.size_bytes - 1, head }),
        (Frame::BINARY, _) => Some(Seen::Binary),
        _ => None,
    }
}

/// How many frames of the fence go into the answer to one poll: python-engineio hangs up on more than 16 packets, and a
/// ping and the application's own want their place.
const POLLED_FRAMES: u32 = 12;
/// What is taken while the kernel has not said no: one call's worth. What the kernel leaves of it is kept.
const SPLICED_ROOM: Room = Room { frames: FRAMES_PER_CALL as u32, bytes: WINDOW_BYTES, is_empty: true };
