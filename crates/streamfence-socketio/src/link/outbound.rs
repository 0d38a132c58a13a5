//! The outgoing direction of a websocket, which two write to: the library its own frames, and a shard, between them,
//! whole packets that were encoded once for all their receivers.
//!
//! What was begun is finished before anything else. Where both have something, they take turns: a ping must not wait
//! for a lane, and a lane not for an application that never stops.

use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::task::{Poll, Waker};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use super::frame::Frame;
use super::halves::Writer;
use super::packet::{FRAMES_PER_CALL, Packet, Packets, Parts};
use super::seam::Seam;
use super::sink::Sink;

/// What both writers share; to be locked while either writes.
#[derive(Debug)]
pub(crate) struct Outbound {
    sink: Sink,
    seam: Seam,
    /// What is left of a packet the kernel has begun to take: its text, and its attachments with it.
    rest: VecDeque<Bytes>,
    /// The packets of the shard behind it, one batch at most.
    queue: VecDeque<Packet>,
    /// Whether the library has something to write that the kernel has not taken.
    is_library_waiting: bool,
    /// Whether it is the library's turn: only while it waits.
    is_library_next: bool,
    /// Whether the stream may have something of the shard's to write that it has taken.
    is_unflushed: bool,
    /// Whether the websocket was closed here: the library's own farewell, and what it wanted to say before, is not sent.
    is_closed: bool,
}

impl Outbound {
    pub(crate) fn new(writer: Writer, waker: Waker) -> Self {
        Self {
            sink: Sink::new(writer, waker),
            seam: Seam::default(),
            rest: VecDeque::new(),
            queue: VecDeque::new(),
            is_library_waiting: false,
            is_library_next: false,
            is_unflushed: false,
            is_closed: false,
        }
    }

    /// Whether the shard may queue a batch: the last one has left, and it is not the shard's that fills the kernel.
    pub(crate) fn has_room(&self) -> bool {
        self.is_finished() && (!self.is_full() || self.is_library_waiting) && !self.seam.is_closed()
    }

    /// Looks at what a write looks at.
    pub(crate) fn prepare(&self) {
        black_box(self.seam.is_open());
        self.sink.prepare();
    }

    /// Whether nothing of the shard's is left.
    pub(crate) fn is_finished(&self) -> bool {
        self.rest.is_empty() && self.queue.is_empty() && !self.is_unflushed
    }

    /// Whether the kernel takes nothing now.
    pub(crate) fn is_full(&self) -> bool {
        self.sink.is_full()
    }

    /// How many bytes the kernel has taken since this was asked last.
    pub(crate) fn take_moved_bytes(&mut self) -> u64 {
        self.sink.take_moved_bytes()
    }

    /// Queues the packets of a shard, and writes what the kernel takes now.
    ///
    /// # Errors
    /// The stream's own: it is broken.
    pub(crate) fn splice(&mut self, packets: &mut Packets) -> io::Result<()> {
        if self.is_finished() && self.seam.is_open() && !self.is_library_next && !packets.is_empty() {
            // Nearly always, and then the kernel mostly takes all of it: what goes at once is not queued.
            let written = self.write_packets(packets.iter())?;
            if let Poll::Ready(taken) = written {
                packets.drain(..taken);
            }
            self.queue.extend(packets.drain(..));
            if written.is_pending() || self.finish()?.is_pending() {
                return Ok(());
            }
            self.end_turn();
        }
        self.queue.extend(packets.drain(..));
        let _blocked = self.advance()?;
        Ok(())
    }

    /// Writes for the library, and tells every frame of its that the kernel has taken in full.
    pub(crate) fn write(&mut self, bytes: &[u8], on_frame: impl FnMut(Frame<'_>)) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.is_library_waiting = true;
        std::task::ready!(self.advance()?);
        if self.is_closed {
            self.is_library_waiting = false;
            return Poll::Ready(Ok(bytes.len()));
        }
        // Up to where the shard may go on, if it has something.
        let end = if self.queue.is_empty() { None } else { self.seam.next_open(bytes) };
        let offered = &bytes[..end.unwrap_or(bytes.len())];
        let len = std::task::ready!(self.sink.offer(&[IoSlice::new(offered)])?);
        self.seam.feed(&bytes[..len], on_frame);
        self.is_library_next &= !self.seam.is_open();
        self.is_library_waiting = len < bytes.len();
        if !self.is_library_waiting {
            let _blocked = self.advance()?;
        }
        Poll::Ready(Ok(len))
    }

    /// Closes the websocket with a reason, where a frame may come now; where none may, the library closes it without one.
    ///
    /// # Errors
    /// The stream's own: it is broken.
    pub(crate) fn close_with(&mut self, code: u16) -> io::Result<()> {
        if !self.is_finished() || !self.seam.is_open() {
            return Ok(());
        }
        let [high, low] = code.to_be_bytes();
        let frame = [CLOSE_HEAD, 2, high, low];
        let Poll::Ready(written) = self.sink.offer(&[IoSlice::new(&frame)])? else { return Ok(()) };
        self.seam.feed(&frame, |_| ());
        (self.is_closed, self.is_unflushed) = (true, true);
        if written < frame.len() {
            self.rest.push_back(Bytes::copy_from_slice(&frame[written..]));
        }
        let _blocked = self.finish()?;
        Ok(())
    }

    /// Flushes for the library.
    pub(crate) fn flush(&mut self) -> Poll<io::Result<()>> {
        self.poll_flush()?.map(Ok)
    }

    /// Ends the direction for the library.
    pub(crate) fn shutdown(&mut self) -> Poll<io::Result<()>> {
        self.sink.shutdown()
    }

    /// Lets go of the stream, whose end is the reader's; `is_reset` if that is to be a reset.
    pub(crate) fn release(self, is_reset: bool) {
        self.sink.release(is_reset);
    }

    /// Writes what was begun, and what is queued where it may come next.
    fn advance(&mut self) -> io::Result<Poll<()>> {
        if self.is_finished() {
            return Ok(Poll::Ready(()));
        }
        if self.finish()?.is_pending() {
            return Ok(Poll::Pending);
        }
        while !self.queue.is_empty() && self.seam.is_open() && !self.is_library_next {
            let queue = std::mem::take(&mut self.queue);
            let written = self.write_packets(&queue);
            self.queue = queue;
            let Poll::Ready(taken) = written? else { return Ok(Poll::Pending) };
            self.queue.drain(..taken);
            if self.finish()?.is_pending() {
                return Ok(Poll::Pending);
            }
            self.end_turn();
        }
        if self.queue.is_empty() && self.queue.capacity() > KEPT_PACKETS {
            self.queue = VecDeque::new();
        }
        Ok(Poll::Ready(()))
    }

    /// Gives the library its turn if it waits for it. Not before the batch is out, or what the library is given meanwhile
    /// would overtake the end of it.
    fn end_turn(&mut self) {
        self.is_library_next = self.is_library_waiting && self.queue.is_empty();
    }

    /// Writes the first of these packets, with one call, and says how many of them are off.
    fn write_packets<'a>(&mut self, packets: impl IntoIterator<Item = &'a Packet>) -> io::Result<Poll<usize>> {
        let parts = Parts::of(packets);
        let Poll::Ready(written) = self.sink.offer(&parts.slices())? else { return Ok(Poll::Pending) };
        self.is_unflushed = true;
        Ok(Poll::Ready(parts.take(written, &mut self.rest)))
    }

    /// Writes what is left of what was begun.
    fn finish(&mut self) -> io::Result<Poll<()>> {
        while !self.rest.is_empty() {
            let written = {
                let slices = self.rest.iter().take(FRAMES_PER_CALL).map(|left| IoSlice::new(left));
                self.sink.offer(&slices.collect::<SmallVec<[IoSlice<'_>; FRAMES_PER_CALL]>>())?
            };
            let Poll::Ready(written) = written else { return Ok(Poll::Pending) };
            self.is_unflushed = true;
            self.advance_rest(written);
        }
        if self.rest.capacity() > 0 {
            // Whoever reads again needs no memory for having been slow.
            self.rest = VecDeque::new();
        }
        if self.is_unflushed { self.poll_flush() } else { Ok(Poll::Ready(())) }
    }

    fn advance_rest(&mut self, mut written: usize) {
        while let Some(first) = self.rest.front_mut().filter(|_| written > 0) {
            let here = written.min(first.len());
            first.advance(here);
            written -= here;
            if first.is_empty() {
                self.rest.pop_front();
            }
        }
    }

    fn poll_flush(&mut self) -> io::Result<Poll<()>> {
        let flushed = self.sink.flush()?;
        self.is_unflushed &= flushed.is_pending();
        Ok(flushed)
    }
}

/// A close frame, whole.
const CLOSE_HEAD: u8 = 0x80 | Frame::CLOSE;
/// How many packets a quiet connection keeps room for.
const KEPT_PACKETS: usize = 8;

#[cfg(test)]
mod tests;
