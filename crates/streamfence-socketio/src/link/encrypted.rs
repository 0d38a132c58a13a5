//! A stream under TLS.
//!
//! Never a handshake, never a certificate: it begins when both sides have agreed. What it adds to the library's stream
//! is that a write says what the kernel took and not what lies encrypted in this process.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::has_budget_remaining;
use tokio_rustls::server::TlsStream;

use super::stream::{Carrier, Stream};
use super::tune::Tuning;

/// A connection that speaks TLS, over any of our streams.
#[derive(Debug)]
pub(crate) struct Encrypted(TlsStream<Stream>);

impl Encrypted {
    /// The most bytes that are encrypted and wait for the kernel, one record of TLS: a message is written in pieces of
    /// this size, and no next one is encrypted before the last has gone. A peer that does not take a whole one within
    /// the stall timeout is a stalled one.
    pub(crate) const BUFFER_BYTES: usize = 16 * 1024;

    /// Asks the kernel for the options of the connection below.
    pub(crate) fn tune(&self, tuning: &Tuning) {
        self.below().tune(tuning);
    }

    fn below(&self) -> &Stream {
        self.0.get_ref().0
    }

    /// Waits until the kernel has what was encrypted before.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.get_ref().1.wants_write() { Pin::new(&mut self.0).poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }
}

impl From<TlsStream<Stream>> for Encrypted {
    fn from(mut stream: TlsStream<Stream>) -> Self {
        stream.get_mut().1.set_buffer_limit(Some(Self::BUFFER_BYTES));
        Self(stream)
    }
}

impl Carrier for Encrypted {
    fn reset_on_drop(&self) {
        self.below().reset_on_drop();
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, buf) {
            // Many clients hang up without the goodbye of TLS. HTTP and websocket know themselves where a message ends.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            outcome => outcome,
        }
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_sent(cx))?;
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_sent(cx))?;
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        // Many short frames become one record.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_shutdown(cx) {
            // The goodbye of TLS must not hold up the end of a connection whose peer does not read.
            Poll::Pending if has_budget_remaining() => Pin::new(self.0.get_mut().0).poll_shutdown(cx),
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests;
