use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Context;

use bytes::Bytes;
use proptest::prelude::*;
use streamfence_core::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::link::halves::of_any;
use crate::link::stream::Carrier;

/// A kernel that takes as much with each call as it was told to, and nothing where that is 0.
#[derive(Clone, Debug, Default)]
struct Kernel(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    bytes: Vec<u8>,
    /// How much the next calls take; everything when there is no more.
    appetite: VecDeque<usize>,
    is_vectored: bool,
}

impl Carrier for Kernel {}

impl AsyncRead for Kernel {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Kernel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut taken = self.0.lock().expect("no panic");
        let offered: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        match taken.appetite.pop_front().unwrap_or(usize::MAX).min(offered.len()) {
            0 => Poll::Pending,
            len => {
                taken.bytes.extend(&offered[..len]);
                Poll::Ready(Ok(len))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().expect("no panic").is_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// The library is given a packet with so many attachments.
    Emit(usize),
    /// The library is given a ping of the websocket's.
    Ping,
    /// The library writes what it has.
    Write,
    /// The library flushes.
    Flush,
    /// The shard sends packets with so many attachments each, if there is room.
    Splice(Vec<usize>),
    /// The shard looks whether the kernel takes more.
    Resume,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0usize..3).prop_map(Step::Emit),
        1 => Just(Step::Ping),
        4 => Just(Step::Write),
        1 => Just(Step::Flush),
        4 => proptest::collection::vec(0usize..3, 1..5).prop_map(Step::Splice),
        2 => Just(Step::Resume),
    ]
}

/// Whoever said it, and which of theirs it was.
type Said = (&'static str, usize);

/// A text and its attachments, each with its maker's name and number.
fn parts((hand, n): Said, attachments: usize) -> (String, Vec<Vec<u8>>) {
    let kind = if attachments == 0 { "2".to_owned() } else { format!("5{attachments}-") };
    let text = format!("{kind}[\"{hand}\",{n},\"{}\"]", "x".repeat(n * 31 % 140));
    (text, (0..attachments).map(|at| format!("{hand} {n} {at}").into_bytes()).collect())
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => bytes.push(short as u8),
        long => {
            bytes.push(126);
            bytes.extend(u16::try_from(long).expect("short enough").to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// What arrived, read as strictly as a client may.
fn read(mut bytes: &[u8]) -> Vec<Said> {
    let (mut said, mut due) = (Vec::new(), VecDeque::new());
    while let [first, second, rest @ ..] = bytes {
        let (len, rest) = match second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            short => (usize::from(*short), rest),
        };
        let (payload, rest) = rest.split_at(len);
        bytes = rest;
        match first {
            0x89 => {}
            0x81 => {
                assert!(due.is_empty(), "a text comes where {due:?} is due");
                let text = std::str::from_utf8(payload).expect("text");
                let hand = if text.contains("shard") { "shard" } else { "library" };
                let n = text.split(',').nth(1).expect("a number").parse().expect("a number");
                let attachments = if text.starts_with("42") { 0 } else { usize::from(text.as_bytes()[2] - b'0') };
                let (wanted, binaries) = parts((hand, n), attachments);
                assert_eq!(text[1..], wanted);
                due = binaries.into();
                said.push((hand, n));
            }
            0x82 => assert_eq!(Some(payload.to_vec()), due.pop_front(), "an attachment is not what is due"),
            other => panic!("a frame of kind {other:#x}"),
        }
    }
    assert!(bytes.is_empty() && due.is_empty(), "the stream ends in the middle");
    said
}

/// The library and the shard over one stream.
struct Pair {
    outbound: Outbound,
    kernel: Kernel,
    /// What the library was given and has not written.
    buffer: Vec<u8>,
    made: [usize; 2],
    /// Of what the library was given: how many packets the shard had been sent before that, if the library could not
    /// be before them any more.
    earliest: Vec<usize>,
}

impl Pair {
    fn new(appetite: Vec<usize>, is_vectored: bool) -> Self {
        let taken = Taken { appetite: appetite.into(), is_vectored, ..Taken::default() };
        let kernel = Kernel(Arc::new(Mutex::new(taken)));
        let (_, writer) = of_any(Box::new(kernel.clone()));
        let outbound = Outbound::new(writer, Waker::noop().clone());
        Self { outbound, kernel, buffer: Vec::new(), made: [0, 0], earliest: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Emit(attachments) => {
                let (text, binaries) = parts(("library", self.made[0]), attachments);
                self.buffer.extend(frame(1, format!("4{text}").as_bytes()));
                self.buffer.extend(binaries.iter().flat_map(|binary| frame(2, binary)));
                self.made[0] += 1;
                self.earliest.push(self.made[1]);
            }
            Step::Ping => self.buffer.extend(frame(9, b"")),
            Step::Write => {
                while !self.buffer.is_empty()
                    && let Poll::Ready(len) = self.outbound.write(&self.buffer, |_| ())
                {
                    self.buffer.drain(..len.expect("the kernel lives"));
                }
            }
            Step::Flush if self.buffer.is_empty() => drop(self.outbound.flush()),
            Step::Flush => {}
            Step::Splice(packets) if self.outbound.has_room() => {
                let packets: Vec<_> = packets.into_iter().map(|attachments| self.packet(attachments)).collect();
                self.outbound.splice(&mut packets.into_iter().collect()).expect("the kernel lives");
            }
            Step::Splice(_) | Step::Resume => self.outbound.splice(&mut Packets::new()).expect("the kernel lives"),
        }
    }

    fn packet(&mut self, attachments: usize) -> Packet {
        let (text, binaries) = parts(("shard", self.made[1]), attachments);
        self.made[1] += 1;
        let mut bytes = text.into_bytes();
        let ranges = binaries.iter().map(|binary| {
            let start = bytes.len();
            bytes.extend(binary);
            start..bytes.len()
        });
        let attachments = ranges.collect();
        Packet::Own(Box::new(Body { bytes: Bytes::from(bytes), payload: 0..0, attachments }))
    }

    /// The kernel takes everything from now on.
    fn finish(&mut self) -> Vec<Said> {
        self.kernel.0.lock().expect("no panic").appetite.clear();
        self.step(Step::Write);
        self.step(Step::Resume);
        assert!(self.buffer.is_empty() && self.outbound.is_finished() && !self.outbound.is_full());
        read(&self.kernel.0.lock().expect("no panic").bytes)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever the kernel takes and whoever writes when: all arrives, whole, in each hand's order, and what the library
    /// was given after a packet of the shard's does not overtake it.
    #[test]
    fn all_that_both_write_arrives_whole_and_in_order(
        steps in proptest::collection::vec(step(), 1..60),
        appetite in proptest::collection::vec(prop_oneof![2 => Just(0usize), 3 => 1usize..40, 2 => 40usize..600], 0..80),
        is_vectored in any::<bool>(),
    ) {
        let mut pair = Pair::new(appetite, is_vectored);
        for step in steps {
            pair.step(step);
        }
        let said = pair.finish();
        for (hand, made) in [("library", pair.made[0]), ("shard", pair.made[1])] {
            let numbers: Vec<_> = said.iter().filter(|said| said.0 == hand).map(|said| said.1).collect();
            prop_assert_eq!(numbers, (0..made).collect::<Vec<_>>(), "of the {}", hand);
        }
        let mut spliced = 0;
        for (hand, n) in said {
            match hand {
                "shard" => spliced += 1,
                _ => prop_assert!(spliced >= pair.earliest[n], "library {n} overtakes shard {spliced}"),
            }
        }
    }
}

#[test]
fn what_waits_for_the_library_goes_when_it_is_done() {
    let mut pair = Pair::new(vec![1, 0], true);
    pair.step(Step::Emit(0));
    pair.step(Step::Write);
    pair.step(Step::Splice(vec![0]));
    assert!(!pair.outbound.is_finished(), "the library is in the middle of a frame");
    pair.step(Step::Write);
    assert!(pair.outbound.is_finished());
}

#[test]
fn a_library_that_never_stops_lets_the_shard_have_its_turn() {
    let mut pair = Pair::new([0].repeat(2), true);
    (0..4).for_each(|_| pair.step(Step::Emit(0)));
    pair.step(Step::Write);
    pair.step(Step::Splice(vec![0]));
    (0..4).for_each(|_| pair.step(Step::Emit(0)));
    let said = pair.finish();
    let place = said.iter().position(|said| said.0 == "shard").expect("it has arrived");
    assert!(place <= 1, "{said:?}");
}

#[test]
fn a_shard_that_never_stops_lets_the_library_have_its_turn() {
    let mut pair = Pair::new(vec![0], true);
    pair.step(Step::Emit(0));
    pair.step(Step::Emit(0));
    pair.step(Step::Write);
    // Two batches, with the kernel taking one call's worth in between.
    pair.step(Step::Splice(vec![0, 0]));
    pair.step(Step::Splice(vec![0, 0]));
    let said = pair.finish();
    let first = said.iter().position(|said| said.0 == "library").expect("it has arrived");
    assert!(first <= 2, "{said:?}");
}
