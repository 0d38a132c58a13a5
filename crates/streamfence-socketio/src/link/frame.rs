//! Websocket frames in a byte stream that may be cut anywhere.
//!
//! Only lengths and first bytes: whoever needs a payload reads it from a websocket library.

/// How many bytes of a payload are kept to recognise it by.
pub const HEAD_BYTES: usize = 128;

/// A frame that has passed in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What kind of frame it is (RFC 6455, section 5.2).
    pub opcode: u8,
    /// Whether it ends its message. Messages may be cut into frames, control frames may not.
    pub is_final: bool,
    /// The length of the payload.
    pub size_bytes: u64,
    /// The first bytes of the payload, unmasked, at most [`HEAD_BYTES`].
    pub head: &'a [u8],
}

impl Frame<'_> {
    /// The opcode of a text frame.
    pub const TEXT: u8 = 1;
    /// The opcode of a binary frame.
    pub const BINARY: u8 = 2;
    /// The opcode of the frame after which nothing may follow.
    pub const CLOSE: u8 = 8;

    /// Whether it is a part of a message, and no control frame.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.opcode < FIRST_CONTROL_OPCODE
    }
}

/// Finds the frames in one direction of a websocket.
///
/// ```text
/// Header --all header bytes--> Payload --last payload byte--> Header
/// ```
#[derive(Clone, Debug)]
pub struct FrameTracker {
    header: [u8; MAX_HEADER_BYTES],
    header_len: usize,
    /// `Some` between the last byte of a header and the last byte of its payload.
    payload: Option<Payload>,
    /// The first bytes of the payload, when it comes in pieces or masked. Without memory otherwise: there is a tracker
    /// for every connection, and next to no frame of a server comes so.
    head: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Payload {
    opcode: u8,
    is_final: bool,
    size_bytes: u64,
    left_bytes: u64,
    mask: Option<[u8; 4]>,
}

impl Default for FrameTracker {
    fn default() -> Self {
        Self { header: [0; MAX_HEADER_BYTES], header_len: 0, payload: None, head: Vec::new() }
    }
}

impl FrameTracker {
    /// Takes the next bytes of the stream and tells every frame that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(Frame<'_>)) {
        loop {
            let Some(payload) = self.payload else {
                let Some((&byte, rest)) = bytes.split_first() else { return };
                bytes = rest;
                self.take_header_byte(byte);
                continue;
            };
            let here = usize::try_from(payload.left_bytes).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (chunk, rest) = bytes.split_at(here);
            bytes = rest;
            let is_complete = here as u64 == payload.left_bytes;
            let is_whole = is_complete && payload.left_bytes == payload.size_bytes && payload.mask.is_none();
            if !is_whole {
                self.keep_head(&payload, chunk);
            }
            if !is_complete {
                self.payload = Some(Payload { left_bytes: payload.left_bytes - here as u64, ..payload });
                return;
            }
            self.payload = None;
            let head = if is_whole { &chunk[..chunk.len().min(HEAD_BYTES)] } else { &self.head[..] };
            let Payload { opcode, is_final, size_bytes, .. } = payload;
            on_frame(Frame { opcode, is_final, size_bytes, head });
            self.head = Vec::new();
        }
    }

    /// Whether the stream stands between two frames.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.payload.is_none() && self.header_len == 0
    }

    /// How large the payload is of which the header has come and not all of the rest; 0 where there is none.
    pub(super) fn size_begun(&self) -> u64 {
        self.payload.map_or(0, |payload| payload.size_bytes)
    }

    /// How many bytes of a payload are still to come; none while a header is.
    pub(super) fn payload_left(&self) -> usize {
        self.payload.map_or(0, |payload| usize::try_from(payload.left_bytes).unwrap_or(usize::MAX))
    }

    fn take_header_byte(&mut self, byte: u8) {
        self.header[self.header_len] = byte;
        self.header_len += 1;
        if self.header_len < 2 {
            return;
        }
        let (length_bytes, is_masked) = (self.header[1] & 0x7f, self.header[1] & 0x80 != 0);
        let length_end = match length_bytes {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if self.header_len < length_end + if is_masked { 4 } else { 0 } {
            return;
        }
        let size_bytes = match length_bytes {
            short @ ..126 => u64::from(short),
            _ => self.header[2..length_end].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        };
        let mask = is_masked.then(|| [0, 1, 2, 3].map(|at| self.header[length_end + at]));
        self.header_len = 0;
        let (opcode, is_final) = (self.header[0] & 0x0f, self.header[0] & FINAL != 0);
        self.payload = Some(Payload { opcode, is_final, size_bytes, left_bytes: size_bytes, mask });
    }

    fn keep_head(&mut self, payload: &Payload, chunk: &[u8]) {
        let take = chunk.len().min(HEAD_BYTES - self.head.len());
        if self.head.capacity() == 0 && take > 0 {
            self.head.reserve_exact(HEAD_BYTES);
        }
        for &byte in &chunk[..take] {
            let mask = payload.mask.map_or(0, |mask| mask[self.head.len() % 4]);
            self.head.push(byte ^ mask);
        }
    }
}

const MAX_HEADER_BYTES: usize = 14;
const FIRST_CONTROL_OPCODE: u8 = 8;
const FINAL: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Told = (u8, bool, u64, Vec<u8>);

    #[derive(Clone, Debug)]
    struct Sent {
        opcode: u8,
        is_final: bool,
        payload: Vec<u8>,
        mask: Option<[u8; 4]>,
    }

    fn encode(frames: &[Sent]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Sent { opcode, is_final, payload, mask } in frames {
            bytes.push(if *is_final { 0x80 } else { 0 } | opcode);
            let masked = if mask.is_some() { 0x80 } else { 0 };
            match payload.len() {
                short @ ..126 => bytes.push(masked | short as u8),
                middle @ ..65536 => {
                    bytes.push(masked | 126);
                    bytes.extend((middle as u16).to_be_bytes());
                }
                long => {
                    bytes.push(masked | 127);
                    bytes.extend((long as u64).to_be_bytes());
                }
            }
            bytes.extend(mask.iter().flatten());
            let mask = mask.unwrap_or_default();
            bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        }
        bytes
    }

    fn expect(frames: &[Sent]) -> Vec<Told> {
        let told = frames.iter().map(|frame| {
            let head = &frame.payload[..frame.payload.len().min(HEAD_BYTES)];
            (frame.opcode, frame.is_final, frame.payload.len() as u64, head.to_vec())
        });
        told.collect()
    }

    fn track<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Told>, bool) {
        let mut tracker = FrameTracker::default();
        let mut told = Vec::new();
        for chunk in chunks {
            tracker
                .feed(chunk, |frame| told.push((frame.opcode, frame.is_final, frame.size_bytes, frame.head.to_vec())));
        }
        (told, tracker.is_between_frames())
    }

    fn sent() -> impl Strategy<Value = Sent> {
        let size = prop_oneof![4 => 0usize..140, 1 => 120usize..400, 1 => 65_530usize..65_545];
        let payload = (size, any::<u8>())
            .prop_map(|(size, seed)| (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect());
        let opcode = prop_oneof![Just(0u8), Just(1), Just(2), Just(8), Just(9), Just(10)];
        (opcode, any::<bool>(), payload, any::<Option<[u8; 4]>>()).prop_map(|(opcode, is_final, payload, mask)| Sent {
            opcode,
            is_final,
            payload,
            mask,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_cut_in_two_tells_the_same_frames(frames in proptest::collection::vec(sent(), 1..4)) {
            let bytes = encode(&frames);
            let expected = expect(&frames);
            // Long payloads are cut near their ends only: their insides are all alike.
            let cuts = (0..=bytes.len()).filter(|cut| *cut < 600 || bytes.len() - cut < 600);
            for cut in cuts {
                let (told, is_between) = track([&bytes[..cut], &bytes[cut..]]);
                prop_assert_eq!(&told, &expected);
                prop_assert!(is_between);
            }
        }

        #[test]
        fn any_chunks_tell_the_same_frames(
            frames in proptest::collection::vec(sent(), 0..8),
            sizes in proptest::collection::vec(1usize..200, 1..64),
        ) {
            let bytes = encode(&frames);
            let mut rest = bytes.as_slice();
            let mut chunks = Vec::new();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, tail) = rest.split_at(rest.len().min(*size));
                chunks.push(chunk);
                rest = tail;
            }
            prop_assert_eq!(track(chunks).0, expect(&frames));
        }
    }

    #[test]
    fn a_stream_of_single_bytes_tells_each_frame_at_its_last_byte() {
        let bytes = encode(&[
            Sent { opcode: 1, is_final: true, payload: b"42[1]".to_vec(), mask: None },
            Sent { opcode: 9, is_final: true, payload: b"ping".to_vec(), mask: None },
            Sent { opcode: 2, is_final: true, payload: vec![], mask: None },
        ]);
        let mut tracker = FrameTracker::default();
        let mut told_at = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            tracker.feed(std::slice::from_ref(byte), |frame| told_at.push((at, frame.opcode)));
        }
        assert_eq!(told_at, [(6, 1), (12, 9), (14, 2)]);
    }
}
