//! What a client sends, as far as limits ask: how many of which kind, and how large. Never what it means.

use super::frame::{Frame, FrameTracker};
use super::state::PACKET_SEPARATOR;

/// What is in some bytes of a client's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// CONNECTs of Socket.IO.
    pub(crate) connects: u32,
    /// What carries no message: frames of websocket's own and packets of Engine.IO's own, and pieces of a message with
    /// next to nothing in them.
    pub(crate) idle: u32,
    /// Whether a packet announces more attachments than it may have: the library ends the connection.
    pub(crate) is_overfull: bool,
    /// Whether a message is larger than it may be.
    pub(crate) is_too_large: bool,
}

impl Census {
    fn count_packet(&mut self, begun: &[u8]) {
        match begun {
            [b'4', b'0', ..] => self.connects += 1,
            [b'4', b'5' | b'6', announced @ ..] => self.is_overfull |= has_too_many(announced),
            [b'4', ..] => {}
            _ => self.idle += 1,
        }
    }
}

/// Counts what a client sends over a websocket.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    frames: FrameTracker,
    /// The first bytes of a message that comes in fragments, and how many of them have come.
    begun: [u8; BEGUN_BYTES],
    len: usize,
    is_text: bool,
    /// How large the fragments are that have come of a message.
    size_bytes: u64,
}

impl Counter {
    /// What these bytes complete, where no message may be larger than so much. One that is too large is so from the byte
    /// on that says it.
    pub(crate) fn count(&mut self, bytes: &[u8], most_bytes: u64) -> Census {
        let Self { frames, begun, len, is_text, size_bytes } = self;
        let mut census = Census::default();
        frames.feed(bytes, |frame| {
            if !frame.is_data() {
                census.idle += 1;
                return;
            }
            if frame.opcode != CONTINUATION {
                (*len, *is_text, *size_bytes) = (0, frame.opcode == Frame::TEXT, 0);
            }
            *size_bytes = size_bytes.saturating_add(frame.size_bytes);
            census.is_too_large |= *size_bytes > most_bytes;
            for byte in frame.head.iter().take(begun.len() - *len) {
                begun[*len] = *byte;
                *len += 1;
            }
            if frame.is_final {
                if *is_text {
                    census.count_packet(&begun[..*len]);
                }
                (*len, *is_text, *size_bytes) = (0, false, 0);
            } else if frame.size_bytes < SMALL_PIECE_BYTES {
                census.idle += 1;
            }
        });
        census.is_too_large |= frames.size_begun() > most_bytes;
        census
    }
}

/// What is in a polling client's payload.
pub(crate) fn census_of(payload: &[u8]) -> Census {
    let mut census = Census::default();
    for packet in payload.split(|&byte| byte == PACKET_SEPARATOR) {
        match packet {
            [b'b', ..] => {}
            _ => census.count_packet(&packet[..packet.len().min(BEGUN_BYTES)]),
        }
    }
    census
}

/// Whether more attachments are announced than a packet may have: `451-` announces one.
fn has_too_many(announced: &[u8]) -> bool {
    let digits = announced.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_whole = announced.get(digits) == Some(&b'-');
    let count = announced[..digits].iter().fold(0, |count, digit| count * 10 + usize::from(digit - b'0'));
    // A number that goes on is larger than what of it is here.
    count > MAX_ATTACHMENTS && (is_whole || digits == BEGUN_BYTES - 2)
}

/// How many attachments a packet from a client may have: as many as the common clients read in one.
pub(crate) const MAX_ATTACHMENTS: usize = 10;
/// How much of a packet tells what it is: `45`, a number and a `-`.
const BEGUN_BYTES: usize = 6;
/// Who sends a message in pieces sends larger ones.
const SMALL_PIECE_BYTES: u64 = 64;
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

    fn count(stream: &[u8], size: usize, most_bytes: u64) -> Census {
        let mut counter = Counter::default();
        let mut all = Census::default();
        for bytes in stream.chunks(size) {
            let census = counter.count(bytes, most_bytes);
            all.connects += census.connects;
            all.idle += census.idle;
            all.is_overfull |= census.is_overfull;
            all.is_too_large |= census.is_too_large;
        }
        all
    }

    #[test]
    fn packets_are_known_however_they_are_cut() {
        let large = [b'x'; 100];
        let stream = [
            frame(1, true, b"40"),
            frame(1, true, b"40/feed,{}"),
            frame(1, true, b"42[\"40\"]"),
            frame(1, true, b"4"),
            frame(2, true, b"40"),
            frame(1, true, b"4510-[]"),
            frame(2, true, b""),
            // Idle: a ping, a pong, a heartbeat, nothing.
            frame(9, true, b"40"),
            frame(10, true, b""),
            frame(1, true, b"3"),
            frame(1, true, b""),
            // One in fragments, with a ping in between: four of what is idle.
            frame(1, false, b""),
            frame(0, false, b"4"),
            frame(9, true, b"1"),
            frame(0, false, b"0/fe"),
            frame(0, true, b"ed,"),
            // And what only looks like one, the last of it in pieces that are worth it.
            frame(1, false, b"42"),
            frame(0, true, b"40"),
            frame(2, false, &large),
            frame(0, false, &large),
            frame(0, true, b"0"),
        ]
        .concat();
        for size in [1, 2, 3, 7, stream.len()] {
            let census = count(&stream, size, 201);
            assert_eq!(
                census,
                Census { connects: 3, idle: 9, is_overfull: false, is_too_large: false },
                "in pieces of {size}"
            );
        }
        let census = census_of(b"40/a,\x1e42[]\x1e40\x1e3\x1e4\x1e4511-[]\x1ebAAAA\x1e");
        assert_eq!(census, Census { connects: 2, idle: 2, is_overfull: true, is_too_large: false });
    }

    #[test]
    fn packets_with_too_many_attachments_are_known_by_their_number() {
        for (packet, is_overfull) in [
            ("450-[]", false),
            ("4510-[]", false),
            ("4610-[]", false),
            ("4511-[]", true),
            ("46999-[]", true),
            ("459999999-[]", true),
            // No number of attachments, but of a broken packet.
            ("45", false),
            ("4511", false),
            ("4511x-[]", false),
            ("4211-[]", false),
        ] {
            let census = count(&frame(1, true, packet.as_bytes()), 3, 1_000);
            assert_eq!((census.is_overfull, census.idle), (is_overfull, 0), "{packet}");
            assert_eq!(census_of(packet.as_bytes()), census, "{packet}");
        }
    }

    #[test]
    fn a_message_is_too_large_from_the_byte_on_that_says_it() {
        let whole = frame(2, true, &[0; 101]);
        let (head, fits) = (&whole[..6], frame(2, true, &[0; 100]));
        let pieces = [frame(2, false, &[0; 60]), frame(9, true, &[0; 60]), frame(0, true, &[0; 40])].concat();
        let too_many = [frame(2, false, &[0; 60]), frame(0, true, &[0; 41])].concat();
        for (bytes, is_too_large) in [
            (&fits[..], false),
            (&fits.repeat(3)[..], false),
            (&pieces[..], false),
            (head, true),
            (&head[..5], false),
            (&too_many[..], true),
        ] {
            for size in [1, 5, 1_000] {
                assert_eq!(count(bytes, size, 100).is_too_large, is_too_large, "{bytes:?} in pieces of {size}");
            }
        }
        let endless = [[0x82, 0xff].as_slice(), &[0xff; 8], &[0; 4]].concat();
        assert!(count(&endless, 1, u64::from(u32::MAX)).is_too_large);
    }
}
