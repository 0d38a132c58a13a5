//! Packets that a shard writes itself, as the frames they leave in.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use streamfence_core::{Body, Message};

use super::frame_head::FrameHead;

/// One packet: a text frame, and a binary frame for each attachment.
#[derive(Debug)]
pub(crate) enum Packet {
    /// The same for every receiver.
    Shared(Arc<Message>),
    /// For this one alone.
    Own(Box<Body>),
}

impl Packet {
    fn body(&self) -> &Body {
        match self {
            Self::Shared(message) => &message.body,
            Self::Own(body) => body,
        }
    }
}

/// One frame of a packet.
struct Part<'a> {
    head: FrameHead,
    buffer: &'a Bytes,
    payload: Range<usize>,
    ends_packet: bool,
}

/// The frames that go with one call to the kernel.
pub(super) struct Parts<'a>(SmallVec<[Part<'a>; FRAMES_PER_CALL]>);

pub(super) type Slices<'a> = SmallVec<[IoSlice<'a>; 2 * FRAMES_PER_CALL]>;

impl<'a> Parts<'a> {
    /// The frames of the first of these packets: as many packets as begin within one call's frames.
    pub(super) fn of(packets: impl IntoIterator<Item = &'a Packet>) -> Self {
        let mut parts = Self(SmallVec::new());
        for packet in packets {
            if parts.0.len() >= FRAMES_PER_CALL {
                break;
            }
            parts.push(packet.body());
        }
        parts
    }

    fn push(&mut self, packet: &'a Body) {
        let (buffer, text) = (&packet.bytes, packet.text().len());
        let ends_packet = packet.attachments.is_empty();
        self.0.push(Part { head: FrameHead::message(text), buffer, payload: 0..text, ends_packet });
        for (at, payload) in packet.attachments.iter().enumerate() {
            let (head, payload) = (FrameHead::binary(payload.len()), payload.clone());
            self.0.push(Part { head, buffer, payload, ends_packet: at + 1 == packet.attachments.len() });
        }
    }

    pub(super) fn slices(&self) -> Slices<'_> {
        self.0.iter().flat_map(|part| [IoSlice::new(&part.head), IoSlice::new(part.payload())]).collect()
    }

    /// What the kernel has left of a packet it began to take, when it took so many bytes. Answers how many packets are
    /// off the queue with that.
    pub(super) fn take(&self, written: usize, rest: &mut VecDeque<Bytes>) -> usize {
        let (mut left, mut taken, mut is_begun) = (written, 0, false);
        for part in &self.0 {
            let here = left.min(part.len());
            left -= here;
            is_begun |= here > 0;
            if !is_begun {
                break;
            }
            part.keep(here, rest);
            if part.ends_packet {
                taken += 1;
                is_begun = false;
                if !rest.is_empty() {
                    break;
                }
            }
        }
        taken
    }
}

impl<'a> Part<'a> {
    fn len(&self) -> usize {
        self.head.len() + self.payload.len()
    }

    fn payload(&self) -> &'a [u8] {
        &self.buffer[self.payload.clone()]
    }

    /// Keeps what is left behind so many bytes.
    fn keep(&self, taken: usize, rest: &mut VecDeque<Bytes>) {
        let taken_of_head = taken.min(self.head.len());
        if taken_of_head < self.head.len() {
            rest.push_back(Bytes::copy_from_slice(&self.head[taken_of_head..]));
        }
        let taken_of_payload = taken - taken_of_head;
        if taken_of_payload < self.payload.len() {
            rest.push_back(self.buffer.slice(self.payload.start + taken_of_payload..self.payload.end));
        }
    }
}

/// Packets on their way from a shard, at most a batch; without an allocation.
pub(crate) type Packets = SmallVec<[Packet; FRAMES_PER_CALL]>;

/// How many frames go with one call to the kernel.
pub(crate) const FRAMES_PER_CALL: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with a text and attachments of these sizes.
    fn packet(text: usize, attachments: &[usize]) -> Packet {
        let mut bytes: Vec<u8> = vec![b't'; text];
        let ranges = attachments.iter().enumerate().map(|(at, size)| {
            let start = bytes.len();
            bytes.extend(vec![b'0' + at as u8; *size]);
            start..bytes.len()
        });
        let attachments = ranges.collect();
        Packet::Own(Box::new(Body { bytes: bytes.into(), payload: 0..0, attachments }))
    }

    /// Wherever the kernel stops, what it took and what is kept are whole packets together, and no more than those it
    /// began.
    #[test]
    fn what_was_begun_is_kept_to_its_end() {
        let packets: VecDeque<Packet> = [packet(3, &[]), packet(130, &[2, 0, 200]), packet(0, &[1])].into();
        let parts = Parts::of(&packets);
        let whole = parts.slices().iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
        let ends: Vec<usize> = (1..=packets.len())
            .map(|count| Parts::of(packets.iter().take(count)).0.iter().map(Part::len).sum())
            .collect();
        for written in 1..=whole.len() {
            let mut rest = VecDeque::new();
            let taken = parts.take(written, &mut rest);
            let rest: Vec<u8> = rest.into_iter().flatten().collect();
            assert_eq!(whole[..written].iter().chain(&rest).count(), ends[taken - 1], "{written} bytes were taken");
            assert_eq!(rest, whole[written..ends[taken - 1]]);
            assert!(taken < 2 || ends[taken - 2] < written, "{written} bytes do not begin packet {taken}");
        }
    }

    #[test]
    fn a_packet_is_not_cut_between_two_calls() {
        let packets: VecDeque<Packet> = (0..3).map(|_| packet(1, &[1; 40])).collect();
        assert_eq!(Parts::of(&packets).0.len(), 82);
    }
}
