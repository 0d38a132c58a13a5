//! What the kernel takes of a stream's bytes, and what it says when it takes no more. Never whose bytes they are.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};

use tokio::task::coop::has_budget_remaining;

use super::halves::Writer;

/// The one place where bytes are offered to the kernel.
#[derive(Debug)]
pub(crate) struct Sink {
    writer: Writer,
    /// Woken when the kernel takes more, whoever was told that it does not.
    waker: Waker,
    /// Whether the kernel said no, and has not taken all it was offered since.
    is_full: bool,
    /// The same of a stream that has taken something itself, as TLS may.
    is_flush_full: bool,
    /// How many bytes the kernel has taken and nobody has asked about.
    moved_bytes: u64,
}

impl Sink {
    pub(crate) fn new(writer: Writer, waker: Waker) -> Self {
        Self { writer, waker, is_full: false, is_flush_full: false, moved_bytes: 0 }
    }

    /// Whether the kernel takes nothing now.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full || self.is_flush_full
    }

    /// Looks at what a write looks at.
    pub(crate) fn prepare(&self) {
        self.writer.prepare();
    }

    /// How many bytes the kernel has taken since this was asked last.
    pub(crate) fn take_moved_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.moved_bytes)
    }

    /// Offers bytes, and says how many of them the kernel has taken.
    ///
    /// # Errors
    /// The stream's own; and where it takes nothing and says nothing of waiting it is broken.
    pub(crate) fn offer(&mut self, slices: &[IoSlice<'_>]) -> io::Result<Poll<usize>> {
        match self.writer.poll_write(&mut Context::from_waker(&self.waker), slices)? {
            Poll::Ready(0) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(taken) => {
                self.moved_bytes += taken as u64;
                self.is_full &= taken < slices.iter().map(|slice| slice.len()).sum();
                Ok(Poll::Ready(taken))
            }
            Poll::Pending => {
                // Without a budget it is the runtime that said no, to let other tasks run.
                self.is_full |= has_budget_remaining();
                Ok(Poll::Pending)
            }
        }
    }

    /// Has the stream hand on what it has taken itself.
    pub(crate) fn flush(&mut self) -> io::Result<Poll<()>> {
        let flushed = self.writer.poll_flush(&mut Context::from_waker(&self.waker))?;
        match flushed {
            Poll::Ready(()) => self.is_flush_full = false,
            Poll::Pending => self.is_flush_full |= has_budget_remaining(),
        }
        Ok(flushed)
    }

    /// Ends the direction.
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
}
