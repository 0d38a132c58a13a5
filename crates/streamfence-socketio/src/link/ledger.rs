//! What the fence has emitted and not yet seen leave.
//!
//! The fence shares a connection with the application's own emits, so what leaves is recognised: a packet that looks
//! like the oldest expected one releases it. The channel is first in, first out, so one that looks like a later entry
//! releases all before it too, and a miscount heals itself. Everything else is the application's.

use std::collections::VecDeque;

use bytes::Bytes;
use streamfence_core::Room;

/// How much of the fence's may lie between its lanes and the kernel.
pub const WINDOW_BYTES: u64 = 64 * 1024;

/// A packet the fence has emitted.
///
/// Packets are told by their Engine.IO payload, without the leading `4`: `2/feed,["snapshot",1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// One, and one per attachment.
    frames: u32,
    /// Text and attachments.
    bytes: u64,
    text_bytes: u64,
    /// The beginning of the text, at most [`PREFIX_BYTES`].
    prefix: Bytes,
    /// Where the emitting library puts an ack id of its own choice.
    ack_at: Option<usize>,
}

impl Expected {
    /// A packet of one text frame.
    #[must_use]
    pub fn text(text: &Bytes) -> Self {
        Self::beginning(text, text.len())
    }

    /// A packet of one text frame, whose text is the first `len` bytes of a buffer.
    pub(crate) fn beginning(buffer: &Bytes, len: usize) -> Self {
        let prefix = buffer.slice(..len.min(PREFIX_BYTES));
        Self { frames: 1, bytes: len as u64, text_bytes: len as u64, prefix, ack_at: None }
    }

    /// The same packet followed by so many attachments of so many bytes together.
    #[must_use]
    pub fn with_attachments(mut self, count: u32, bytes: u64) -> Self {
        self.frames += count;
        self.bytes += bytes;
        self
    }

    /// The same packet with an ack id, unknown yet, at this place of the text: before its `[`.
    #[must_use]
    pub fn with_ack_id_at(mut self, at: usize) -> Self {
        self.ack_at = Some(at);
        self
    }

    fn looks_like(&self, size_bytes: u64, head: &[u8]) -> bool {
        let Some(at) = self.ack_at else {
            return size_bytes == self.text_bytes && head.starts_with(&self.prefix);
        };
        if at > self.prefix.len() {
            // A namespace so long that the id stands behind all that is kept.
            let digits = size_bytes.saturating_sub(self.text_bytes);
            return (1..=MOST_ID_DIGITS).contains(&digits) && head.starts_with(&self.prefix);
        }
        let (Some((before, after)), Some((start, rest))) =
            (self.prefix.split_at_checked(at), head.split_at_checked(at))
        else {
            return false;
        };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        start == before
            && digits > 0
            && size_bytes == self.text_bytes + digits as u64
            && rest[digits..].starts_with(&after[..after.len().min(rest.len() - digits)])
    }
}

/// A packet that has left for the kernel, or for a poll response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A message's text.
    Text {
        /// Its length without the leading `4`.
        size_bytes: u64,
        /// Its first bytes without the leading `4`, more of them than any expected prefix and ack id.
        head: &'a [u8],
    },
    /// An attachment.
    Binary,
}

/// The fence's packets below its lanes, oldest first.
#[derive(Debug)]
pub struct Ledger {
    window_frames: u32,
    expected: VecDeque<Expected>,
    /// Texts that the library emits by itself, and that the fence must not come before. No later packet stands for one
    /// of them: two hands emit, and may do so in another order than they wrote it down.
    awaited: Vec<Bytes>,
    /// Sum of `frames` over `expected`.
    frames: u64,
    /// Sum of `bytes` over `expected`.
    bytes: u64,
    /// The most entries since it was last empty.
    peak: usize,
    /// How many attachments of the oldest entry are still to pass, once its text has.
    attachments_left: u32,
}

impl Ledger {
    /// An empty ledger with a window of so many frames.
    #[must_use]
    pub fn new(window_frames: u32) -> Self {
        Self {
            window_frames,
            expected: VecDeque::new(),
            awaited: Vec::new(),
            frames: 0,
            bytes: 0,
            peak: 0,
            attachments_left: 0,
        }
    }

    /// Writes a packet down. To be called before the packet is emitted: it may leave at once.
    pub fn expect(&mut self, packet: Expected) {
        self.frames += u64::from(packet.frames);
        self.bytes += packet.bytes;
        if self.expected.capacity() == 0 {
            // A websocket that is spliced has only its CONNECT here, and a queue makes room for four.
            self.expected.reserve_exact(1);
        }
        self.expected.push_back(packet);
        self.peak = self.peak.max(self.expected.len());
    }

    /// Writes down a text that the library is about to emit by itself. It takes no room, but nothing of ours is in order
    /// before it has left.
    pub fn wait_for(&mut self, text: Bytes) {
        self.awaited.push(text);
    }

    /// Takes a packet out again, because emitting it failed. It need not be the newest: whoever enters a namespace
    /// meanwhile has another hand.
    pub fn retract(&mut self, packet: &Expected) {
        let place = self.expected.iter().rposition(|other| other == packet);
        if let Some(packet) = place.and_then(|place| self.expected.remove(place)) {
            self.subtract(&packet);
        }
        if self.expected.is_empty() {
            self.attachments_left = 0;
        }
    }

    /// Looks at a packet that has left and says whether room returned.
    pub fn saw(&mut self, packet: Seen<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        let Seen::Text { size_bytes, head } = packet else {
            return self.saw_attachment();
        };
        // Attachments follow their text directly, so a text means that none are to come any more.
        let is_cut_short = self.attachments_left > 0;
        if is_cut_short {
            self.release(1);
        }
        let is_it =
            |text: &Bytes| text.len() as u64 == size_bytes && head.starts_with(&text[..text.len().min(PREFIX_BYTES)]);
        if let Some(place) = self.awaited.iter().position(is_it) {
            self.awaited.swap_remove(place);
            if self.awaited.is_empty() {
                self.awaited = Vec::new();
            }
            return true;
        }
        let found = self.expected.iter().take(LOOK_AHEAD).position(|entry| entry.looks_like(size_bytes, head));
        let Some(at) = found else { return is_cut_short };
        self.attachments_left = self.expected[at].frames - 1;
        self.release(if self.attachments_left == 0 { at + 1 } else { at });
        is_cut_short || at > 0 || self.attachments_left == 0
    }

    /// What may be emitted now.
    #[must_use]
    pub fn room(&self) -> Room {
        let frames = u32::try_from(self.frames).map_or(0, |below| self.window_frames.saturating_sub(below));
        Room { frames, bytes: WINDOW_BYTES.saturating_sub(self.bytes), is_empty: self.is_empty() }
    }

    /// Whether all that was emitted has left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expected.is_empty() && self.awaited.is_empty()
    }

    fn saw_attachment(&mut self) -> bool {
        match self.attachments_left {
            0 => return false,
            1 => self.release(1),
            _ => {}
        }
        self.attachments_left = self.attachments_left.saturating_sub(1);
        self.attachments_left == 0
    }

    fn release(&mut self, count: usize) {
        for _ in 0..count {
            let packet = self.expected.pop_front().expect("no more is released than was found");
            self.subtract(&packet);
        }
        if self.expected.is_empty() {
            // Whoever has bursts keeps the memory for them, and gives it back when they are over.
            let needed = std::mem::take(&mut self.peak).max(KEPT_CAPACITY);
            if self.expected.capacity() > 2 * needed {
                self.expected.shrink_to(needed);
            }
        }
    }

    fn subtract(&mut self, packet: &Expected) {
        self.frames -= u64::from(packet.frames);
        self.bytes -= packet.bytes;
    }
}

/// How much of a text is kept to recognise it by.
pub const PREFIX_BYTES: usize = 96;
/// How many digits an ack id has at most.
const MOST_ID_DIGITS: u64 = 19;
/// How many entries are compared with a packet before it is taken for the application's.
const LOOK_AHEAD: usize = 32;
/// How many entries a quiet connection keeps memory for.
const KEPT_CAPACITY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &str) -> Expected {
        Expected::text(&Bytes::copy_from_slice(text.as_bytes()))
    }

    fn text(text: &str) -> Seen<'_> {
        Seen::Text { size_bytes: text.len() as u64, head: &text.as_bytes()[..text.len().min(127)] }
    }

    fn ledger(packets: impl IntoIterator<Item = Expected>) -> Ledger {
        let mut ledger = Ledger::new(8);
        packets.into_iter().for_each(|packet| ledger.expect(packet));
        ledger
    }

    #[test]
    fn a_packet_takes_room_until_it_is_seen() {
        let mut ledger = ledger([packet("2[\"a\"]"), packet("2[\"b\"]")]);
        assert_eq!(ledger.room(), Room { frames: 6, bytes: WINDOW_BYTES - 12, is_empty: false });
        assert!(ledger.saw(text("2[\"a\"]")));
        assert_eq!(ledger.room().frames, 7);
        assert!(ledger.saw(text("2[\"b\"]")));
        assert_eq!(ledger.room(), Room { frames: 8, bytes: WINDOW_BYTES, is_empty: true });
    }

    #[test]
    fn the_packets_of_the_application_are_not_ours() {
        let mut ledger = ledger([packet("2/feed,[\"a\",1]")]);
        assert!(!ledger.saw(text("2/chat,[\"a\",1]")));
        assert!(!ledger.saw(text("2/feed,[\"a\",12]")));
        assert!(!ledger.saw(Seen::Binary));
        assert_eq!(ledger.room().frames, 7);
    }

    #[test]
    fn a_later_packet_releases_the_earlier_ones() {
        let mut ledger = ledger([packet("2[1]"), packet("2[22]"), packet("2[333]")]);
        assert!(ledger.saw(text("2[22]")));
        assert_eq!(ledger.room().frames, 7);
        assert!(!ledger.saw(text("2[1]")));
    }

    #[test]
    fn attachments_are_counted_behind_their_text() {
        let mut ledger = ledger([packet("52-[\"a\"]").with_attachments(2, 100), packet("2[1]")]);
        assert_eq!(ledger.room(), Room { frames: 4, bytes: WINDOW_BYTES - 112, is_empty: false });
        assert!(!ledger.saw(text("52-[\"a\"]")));
        assert!(!ledger.saw(Seen::Binary));
        assert!(ledger.saw(Seen::Binary));
        assert_eq!(ledger.room().frames, 7);
        assert!(ledger.saw(text("2[1]")));
        assert!(ledger.is_empty());
    }

    #[test]
    fn attachments_that_never_come_are_released_by_the_next_text() {
        let mut ledger = ledger([packet("51-[\"a\"]").with_attachments(1, 10)]);
        assert!(!ledger.saw(text("51-[\"a\"]")));
        assert!(ledger.saw(text("2[\"other\"]")));
        assert!(ledger.is_empty());
    }

    #[test]
    fn an_ack_id_is_recognised_whatever_it_is() {
        for seen in ["2/feed,7[\"a\",1]", "2/feed,1234567[\"a\",1]"] {
            let mut ledger = ledger([packet("2/feed,[\"a\",1]").with_ack_id_at(7)]);
            assert!(ledger.saw(text(seen)), "{seen}");
        }
        for seen in ["2/feed,[\"a\",1]", "2/feed,7[\"b\",1]", "2/fee,77[\"a\",1]", "2"] {
            let mut ledger = ledger([packet("2/feed,[\"a\",1]").with_ack_id_at(7)]);
            assert!(!ledger.saw(text(seen)), "{seen}");
        }
    }

    #[test]
    fn an_ack_id_behind_the_prefix_is_recognised_by_what_it_adds() {
        let head = format!("2/{},", "n".repeat(PREFIX_BYTES));
        let expected = || packet(&format!("{head}[\"a\",1]")).with_ack_id_at(head.len());
        let mut ledger = ledger([expected()]);
        assert!(!ledger.saw(text(&format!("{head}[\"a\",1]"))), "without an id it is another packet");
        assert!(ledger.saw(text(&format!("{head}12[\"a\",1]"))));
    }

    #[test]
    fn a_long_text_is_told_by_its_length_and_its_beginning() {
        let long = format!("2[\"a\",\"{}\"]", "x".repeat(300));
        let other = format!("2[\"a\",\"{}\"]", "y".repeat(300));
        let mut ledger = ledger([packet(&long)]);
        assert!(!ledger.saw(text(&other)));
        assert!(ledger.saw(text(&long)));
    }

    #[test]
    fn a_retracted_packet_gives_its_room_back() {
        let mut ledger = ledger([packet("2[1]"), packet("2[2]")]);
        ledger.retract(&packet("2[2]"));
        assert_eq!(ledger.room().frames, 7);
        assert!(!ledger.saw(text("2[2]")));
    }

    #[test]
    fn a_retracted_packet_takes_none_with_it_that_came_later() {
        let mut ledger = ledger([packet("2/a,[1]"), packet("0/b,{}")]);
        ledger.retract(&packet("2/a,[1]"));
        assert!(ledger.saw(text("0/b,{}")));
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_the_library_emits_by_itself_takes_no_room_and_is_seen_itself() {
        let mut ledger = ledger([packet("2/a,[1]")]);
        ledger.wait_for(Bytes::from_static(b"0/b,{}"));
        ledger.expect(packet("2/a,[2]"));
        assert_eq!(ledger.room().frames, 6);
        assert!(ledger.saw(text("2/a,[2]")), "a later packet releases the earlier ones");
        assert_eq!((ledger.room().frames, ledger.is_empty()), (8, false));
        assert!(!ledger.saw(text("0/c,{}")));
        assert!(ledger.saw(text("0/b,{}")) && ledger.is_empty());
    }

    #[test]
    fn more_than_the_window_is_no_room_and_no_overflow() {
        let mut ledger = ledger((0..20).map(|_| packet("2[1]").with_attachments(0, WINDOW_BYTES)));
        assert_eq!(ledger.room(), Room { frames: 0, bytes: 0, is_empty: false });
        (0..20).for_each(|_| assert!(ledger.saw(text("2[1]"))));
        assert!(ledger.is_empty());
    }
}
