//! How many CONNECTs a client may send, and how fast.
//!
//! The library makes a task of each before it looks whether the client has joined that namespace already, and one that it
//! ignores is not even answered: nothing else bounds them. Who sends more than its share is read no further for a while.

use std::time::Duration;

use tokio::time::Instant;

use super::frame::{Frame, FrameTracker};
use super::state::PACKET_SEPARATOR;

/// What a client may still send: a bucket that fills up again with time.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// When the bucket is full again; `None` before the first CONNECT.
    full_at: Option<Instant>,
}

impl Allowance {
    /// Takes note of so many. Says until when nothing more is to be read, where they are too many.
    pub(crate) fn spend(&mut self, count: u32, now: Instant) -> Option<Instant> {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + EACH * count;
        self.full_at = Some(full_at);
        let too_soon = (full_at - now).saturating_sub(EACH * AT_ONCE);
        (!too_soon.is_zero()).then(|| now + too_soon)
    }
}

/// How many may come at once: more namespaces than anybody joins.
const AT_ONCE: u32 = 128;
/// How long it takes until another one may come.
const EACH: Duration = Duration::from_millis(20);

/// Finds the CONNECTs in what a client sends over a websocket.
#[derive(Debug, Default)]
pub(crate) struct ConnectCounter {
    frames: FrameTracker,
    /// The first bytes of a text that comes in fragments, and how many of them have come.
    begun: [u8; CONNECT.len()],
    len: usize,
    is_text: bool,
}

impl ConnectCounter {
    /// How many messages end in these bytes that are a CONNECT.
    pub(crate) fn count(&mut self, bytes: &[u8]) -> u32 {
        let Self { frames, begun, len, is_text } = self;
        let mut count = 0;
        frames.feed(bytes, |frame| {
            if !frame.is_data() {
                return;
            }
            if frame.opcode != CONTINUATION {
                (*len, *is_text) = (0, frame.opcode == Frame::TEXT);
            }
            for byte in frame.head.iter().take(begun.len() - *len) {
                begun[*len] = *byte;
                *len += 1;
            }
            if frame.is_final {
                count += u32::from(*is_text && begun[..*len] == *CONNECT);
                (*len, *is_text) = (0, false);
            }
        });
        count
    }
}

/// How many packets of a polling client's payload are a CONNECT.
pub(crate) fn connects_in(payload: &[u8]) -> u32 {
    let packets = payload.split(|&byte| byte == PACKET_SEPARATOR);
    packets.filter(|packet| packet.starts_with(CONNECT)).count().try_into().unwrap_or(u32::MAX)
}

/// How a CONNECT begins: a message of Engine.IO, and the kind of its packet.
const CONNECT: &[u8; 2] = b"40";
const CONTINUATION: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
        let mask = [9, 8, 7, 6];
        let head = [opcode | if is_final { 0x80 } else { 0 }, 0x80 | payload.len() as u8];
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        head.into_iter().chain(mask).chain(masked).collect()
    }

    #[test]
    fn connects_are_found_however_they_are_cut() {
        let stream = [
            frame(1, true, b"40"),
            frame(1, true, b"40/feed,{}"),
            frame(1, true, b"42[\"40\"]"),
            frame(1, true, b"4"),
            frame(2, true, b"40"),
            frame(9, true, b"40"),
            // One in fragments, with a ping in between.
            frame(1, false, b""),
            frame(0, false, b"4"),
            frame(9, true, b"1"),
            frame(0, false, b"0/fe"),
            frame(0, true, b"ed,"),
            // And what only looks like one.
            frame(1, false, b"42"),
            frame(0, true, b"40"),
            frame(2, false, b"4"),
            frame(0, true, b"0"),
        ]
        .concat();
        for size in [1, 2, 3, 7, stream.len()] {
            let mut counter = ConnectCounter::default();
            assert_eq!(stream.chunks(size).map(|bytes| counter.count(bytes)).sum::<u32>(), 3, "in pieces of {size}");
        }
        assert_eq!(connects_in(b"40/a,\x1e42[]\x1e40\x1e3\x1e4"), 2);
    }

    #[test]
    fn an_allowance_is_spent_at_once_and_comes_back_with_time() {
        let start = Instant::now();
        let mut allowance = Allowance::default();
        assert_eq!(allowance.spend(AT_ONCE, start), None);
        assert_eq!(allowance.spend(1, start), Some(start + EACH));
        assert_eq!(allowance.spend(1, start + EACH * 2), None);
        assert_eq!(allowance.spend(10, start + EACH * 2), Some(start + EACH * 12));
        // Never more than a full bucket, however long it has stood.
        let later = start + Duration::from_secs(3600);
        assert_eq!(allowance.spend(AT_ONCE + 5, later), Some(later + EACH * 5));
        assert!(allowance.spend(u32::MAX, later).is_some());
    }
}
