//! The outgoing direction of a websocket, which two write to: the library its own frames, and a shard, between them,
//! whole packets that were encoded once for all their receivers.
//!
//! What was begun is finished before anything else. Where both have something, they take turns: a ping must not wait
//! for a lane, and a lane not for an application that never stops.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use tokio::task::coop::has_budget_remaining;

use super::frame::Frame;
use super::halves::Writer;
use super::packet::{FRAMES_PER_CALL, Packet, Parts};
use super::seam::Seam;

/// What both writers share; to be locked while either writes.
#[derive(Debug)]
pub(crate) struct Outbound {
    writer: Writer,
    seam: Seam,
    /// What is left of a packet the kernel has begun to take: its text, and its attachments with it.
    rest: VecDeque<Bytes>,
    /// The packets of the shard behind it, one batch at most.
    queue: VecDeque<Packet>,
    /// Whether the library has something to write that the kernel has not taken.
    is_library_waiting: bool,
    /// Whether it is the library's turn: only while it waits.
    is_library_next: bool,
    /// Whether the stream has something to write that it has taken: TLS may.
    is_unflushed: bool,
    /// Whether the kernel said no, and has not taken all it was offered since.
    is_full: bool,
    /// The same of a stream that has taken something itself.
    is_flush_full: bool,
    /// How many bytes the kernel has taken and nobody has asked about.
    moved_bytes: u64,
    /// Woken when the kernel takes more, whoever was told that it does not.
    waker: Waker,
}

impl Outbound {
    pub(crate) fn new(writer: Writer, waker: Waker) -> Self {
        Self {
            writer,
            seam: Seam::default(),
            rest: VecDeque::new(),
            queue: VecDeque::new(),
            is_library_waiting: false,
            is_library_next: false,
            is_unflushed: false,
            is_full: false,
            is_flush_full: false,
            moved_bytes: 0,
            waker,
        }
    }

    /// Whether the shard may queue a batch: the last one has left, and it is not the shard's that fills the kernel.
    pub(crate) fn has_room(&self) -> bool {
        self.is_finished() && (!self.is_full() || self.is_library_waiting) && !self.seam.is_closed()
    }

    /// Whether nothing of the shard's is left.
    pub(crate) fn is_finished(&self) -> bool {
        self.rest.is_empty() && self.queue.is_empty() && !self.is_unflushed
    }

    /// Whether the kernel takes nothing now.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full || self.is_flush_full
    }

    /// How many bytes the kernel has taken since this was asked last.
    pub(crate) fn take_moved_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.moved_bytes)
    }

    /// Queues the packets of a shard, and writes what the kernel takes now.
    ///
    /// # Errors
    /// The stream's own: it is broken.
    pub(crate) fn splice(&mut self, packets: impl IntoIterator<Item = Packet>) -> io::Result<()> {
        self.queue.extend(packets);
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
        // Up to where the shard may go on, if it has something.
        let end = if self.queue.is_empty() { None } else { self.seam.next_open(bytes) };
        let offered = &bytes[..end.unwrap_or(bytes.len())];
        let len = std::task::ready!(self.poll_write(&[IoSlice::new(offered)], offered.len())?);
        self.seam.feed(&bytes[..len], on_frame);
        self.is_library_next &= !self.seam.is_open();
        self.is_library_waiting = len < bytes.len();
        if !self.is_library_waiting {
            let _blocked = self.advance()?;
        }
        Poll::Ready(Ok(len))
    }

    /// Flushes for the library.
    pub(crate) fn flush(&mut self) -> Poll<io::Result<()>> {
        self.poll_flush()?.map(Ok)
    }

    /// Ends the direction for the library.
    pub(crate) fn shutdown(&mut self) -> Poll<io::Result<()>> {
        self.writer.poll_shutdown(&mut Context::from_waker(&self.waker))
    }

    /// Lets go of the stream, whose end is the reader's; `is_reset` if that is to be a reset.
    pub(crate) fn release(self, is_reset: bool) {
        if is_reset {
            self.writer.reset_on_drop();
        }
        self.writer.release();
    }

    /// Writes what was begun, and what is queued where it may come next.
    fn advance(&mut self) -> io::Result<Poll<()>> {
        if self.is_finished() {
            return Ok(Poll::Ready(()));
        }
        if self.finish()?.is_pending() {
            return Ok(Poll::Pending);
        }
        while !self.queue.is_empty() && self.seam.is_open() && !(self.is_library_waiting && self.is_library_next) {
            if self.write_queue()?.is_pending() || self.finish()?.is_pending() {
                return Ok(Poll::Pending);
            }
            // Not before the batch is out, or what the library is given meanwhile would overtake the end of it.
            self.is_library_next = self.is_library_waiting && self.queue.is_empty();
        }
        if self.queue.is_empty() && self.queue.capacity() > KEPT_PACKETS {
            self.queue = VecDeque::new();
        }
        Ok(Poll::Ready(()))
    }

    /// Writes the next packets of the queue, with one call.
    fn write_queue(&mut self) -> io::Result<Poll<()>> {
        let (written, taken) = {
            let parts = Parts::of(&self.queue);
            let cx = &mut Context::from_waker(&self.waker);
            let Poll::Ready(written) = accepted(self.writer.poll_write(cx, &parts.slices()))? else {
                self.is_full |= has_budget_remaining();
                return Ok(Poll::Pending);
            };
            self.is_full &= written < parts.size_bytes();
            (written, parts.take(written, &mut self.rest))
        };
        self.moved_bytes += written as u64;
        self.is_unflushed = true;
        self.queue.drain(..taken);
        Ok(Poll::Ready(()))
    }

    /// Writes what is left of what was begun.
    fn finish(&mut self) -> io::Result<Poll<()>> {
        while !self.rest.is_empty() {
            let slices = self.rest.iter().take(FRAMES_PER_CALL).map(|left| IoSlice::new(left));
            let slices: SmallVec<[IoSlice<'_>; FRAMES_PER_CALL]> = slices.collect();
            let offered = slices.iter().map(|slice| slice.len()).sum::<usize>();
            let written = accepted(self.writer.poll_write(&mut Context::from_waker(&self.waker), &slices))?;
            drop(slices);
            let Poll::Ready(written) = written else {
                self.is_full |= has_budget_remaining();
                return Ok(Poll::Pending);
            };
            self.moved_bytes += written as u64;
            self.is_unflushed = true;
            self.is_full &= written < offered;
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

    fn poll_write(&mut self, slices: &[IoSlice<'_>], offered: usize) -> io::Result<Poll<usize>> {
        let written = accepted(self.writer.poll_write(&mut Context::from_waker(&self.waker), slices))?;
        match written {
            Poll::Ready(written) => {
                self.moved_bytes += written as u64;
                self.is_full &= written < offered;
            }
            Poll::Pending => self.is_full |= has_budget_remaining(),
        }
        Ok(written)
    }

    fn poll_flush(&mut self) -> io::Result<Poll<()>> {
        let flushed = self.writer.poll_flush(&mut Context::from_waker(&self.waker))?;
        match flushed {
            Poll::Ready(()) => (self.is_unflushed, self.is_flush_full) = (false, false),
            Poll::Pending => self.is_flush_full |= has_budget_remaining(),
        }
        Ok(flushed)
    }
}

/// A stream that takes nothing and says nothing of waiting is broken.
fn accepted(written: Poll<io::Result<usize>>) -> io::Result<Poll<usize>> {
    match written {
        Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
        Poll::Ready(written) => written.map(Poll::Ready),
        Poll::Pending => Ok(Poll::Pending),
    }
}

/// How many packets a quiet connection keeps room for.
const KEPT_PACKETS: usize = 8;

#[cfg(test)]
mod tests;
