//! The two directions of a stream, each in a hand of its own: the library reads while a shard writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use super::stream::Carrier;

/// What is read from.
#[derive(Debug)]
pub(crate) enum Reader {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    Shared(Shared),
}

/// What is written to.
#[derive(Debug)]
pub(crate) enum Writer {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    Shared(Shared),
}

/// A stream whose directions cannot be had apart, as that of TLS. They wait for each other, but only for a call.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<Box<dyn Carrier>>>);

/// Takes a TCP stream apart.
pub(crate) fn of_tcp(stream: TcpStream) -> (Reader, Writer) {
    let (reader, writer) = stream.into_split();
    (Reader::Tcp(reader), Writer::Tcp(writer))
}

/// Takes a Unix stream apart.
pub(crate) fn of_unix(stream: UnixStream) -> (Reader, Writer) {
    let (reader, writer) = stream.into_split();
    (Reader::Unix(reader), Writer::Unix(writer))
}

/// Takes any stream apart.
pub(crate) fn of_any(stream: Box<dyn Carrier>) -> (Reader, Writer) {
    let shared = Shared(Arc::new(Mutex::new(stream)));
    (Reader::Shared(shared.clone()), Writer::Shared(shared))
}

impl Reader {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buf),
            Self::Unix(half) => Pin::new(half).poll_read(cx, buf),
            Self::Shared(shared) => Pin::new(&mut **shared.lock()).poll_read(cx, buf),
        }
    }
}

impl Writer {
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(half) => poll_send(half.as_ref(), cx, bufs),
            Self::Unix(half) => Pin::new(half).poll_write_vectored(cx, bufs),
            Self::Shared(shared) => {
                let mut stream = shared.lock();
                if stream.is_write_vectored() {
                    return Pin::new(&mut **stream).poll_write_vectored(cx, bufs);
                }
                // Otherwise only the first would be written with each call.
                let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
                Pin::new(&mut **stream).poll_write(cx, first)
            }
        }
    }

    /// Looks at what a write looks at, before the kernel is called.
    pub(crate) fn prepare(&self) {
        if let Self::Tcp(half) = self {
            // Only asks whether the kernel has said no, and does not mind.
            let _ready = half.as_ref().try_io(Interest::WRITABLE, || Ok(()));
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // What the kernel has taken is all there is.
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())),
            Self::Shared(shared) => Pin::new(&mut **shared.lock()).poll_flush(cx),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(cx),
            Self::Unix(half) => Pin::new(half).poll_shutdown(cx),
            Self::Shared(shared) => Pin::new(&mut **shared.lock()).poll_shutdown(cx),
        }
    }

    /// Makes the coming drop of both halves a reset: what the kernel still holds for the peer is thrown away.
    pub(crate) fn reset_on_drop(&self) {
        match self {
            Self::Tcp(half) => half.as_ref().reset_on_drop(),
            Self::Unix(half) => half.as_ref().reset_on_drop(),
            Self::Shared(shared) => shared.lock().reset_on_drop(),
        }
    }

    /// Lets go without ending the direction: the drop of the reader ends both.
    pub(crate) fn release(self) {
        match self {
            Self::Tcp(half) => half.forget(),
            Self::Unix(half) => half.forget(),
            Self::Shared(_) => {}
        }
    }
}

/// Writes as `poll_write_vectored` does, with a call that asks the socket alone: one that writes to any file looks at
/// the file as well, and with very many connections that is memory nobody has looked at for long.
fn poll_send(stream: &TcpStream, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    loop {
        std::task::ready!(stream.poll_write_ready(cx))?;
        let sent = stream.try_io(Interest::WRITABLE, || SockRef::from(stream).send_vectored(bufs));
        match sent {
            // It is not ready after all, and says so from now on; or a signal came between.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            sent => return Poll::Ready(sent),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Box<dyn Carrier>> {
        // A stream that has panicked fails the next time it is asked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
