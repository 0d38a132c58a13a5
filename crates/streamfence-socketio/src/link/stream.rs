//! The streams a connection can come on, and what can be done to each.
//!
//! Never a byte of any protocol.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;

use super::encrypted::Encrypted;
use super::halves::{Reader, Writer, of_any, of_tcp, of_unix};
use super::tune::Tuning;
use crate::admission::StreamPlace;

/// Who is at the other end of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// A TCP address.
    Tcp(SocketAddr),
    /// Somebody on this machine, over a Unix socket.
    Unix,
    /// This process.
    Memory,
}

/// What a connection runs on: any stream of bytes, also one of an embedder's own ([`Stream::custom`]).
///
/// Room is what it takes: a write that is pending means that the peer has fallen behind, so a carrier must not buffer
/// without a limit.
pub trait Carrier: AsyncRead + AsyncWrite + fmt::Debug + Unpin + Send {
    /// Makes the coming drop a reset: what the kernel still holds for the peer is thrown away.
    fn reset_on_drop(&self) {}
}

impl Carrier for DuplexStream {}
impl Carrier for UnixStream {}
impl Carrier for TokioIo<Upgraded> {}
impl Carrier for TcpStream {
    fn reset_on_drop(&self) {
        // A socket that is gone already needs no reset.
        let _gone = self.set_zero_linger();
    }
}

/// A stream as the accept loop or an HTTP upgrade gives it.
#[derive(Debug)]
pub struct Stream {
    kind: Kind,
    /// What the HTTP side has read beyond the upgrade: it comes first.
    rewind: Bytes,
    /// The place of this connection under the accept loop's limit.
    _permit: Option<OwnedSemaphorePermit>,
    /// And under that of its address.
    _place: Option<StreamPlace>,
    /// Told that something was read, as long as it is HTTP.
    heard: Option<Arc<AtomicBool>>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
    Memory(DuplexStream),
    /// What an embedder's own listener gave.
    Custom(Box<dyn Carrier>),
    /// TLS over one of those.
    Tls(Box<Encrypted>),
    /// Whatever an unknown server upgraded: it works, but cannot be tuned or reset.
    Opaque(Box<TokioIo<Upgraded>>),
}

impl Stream {
    /// A stream of an embedder's own, for a [`Listener`](crate::server::Listener) that is neither TCP nor a Unix socket:
    /// a tunnel, another kind of socket, a simulated network. It is not tuned, and reset as its carrier says.
    #[must_use]
    pub fn custom(carrier: impl Carrier + 'static) -> Self {
        Self::of(Kind::Custom(Box::new(carrier)))
    }

    /// The stream below an HTTP upgrade: our own server's, a TCP or Unix stream below `axum::serve` (with the feature
    /// `axum-serve`), or an opaque one.
    #[must_use]
    pub fn from_upgraded(upgraded: Upgraded, tuning: &Tuning) -> Self {
        let upgraded = match upgraded.downcast::<TokioIo<Self>>() {
            Ok(parts) => return parts.io.into_inner().rewound(parts.read_buf),
            Err(upgraded) => upgraded,
        };
        Self::below_axum(upgraded, tuning)
            .unwrap_or_else(|upgraded| Self::of(Kind::Opaque(Box::new(TokioIo::new(upgraded)))))
    }

    /// The TCP or Unix stream below `axum::serve`, which wraps it in something of its own.
    #[cfg(feature = "axum-serve")]
    fn below_axum(upgraded: Upgraded, tuning: &Tuning) -> Result<Self, Upgraded> {
        use hyper_util::server::conn::auto::upgrade::downcast;

        let upgraded = match downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => {
                let stream = parts.io.into_inner();
                tuning.apply(&stream);
                return Ok(Self::from(stream).rewound(parts.read_buf));
            }
            Err(upgraded) => upgraded,
        };
        let parts = downcast::<TokioIo<UnixStream>>(upgraded)?;
        Ok(Self::from(parts.io.into_inner()).rewound(parts.read_buf))
    }

    #[cfg(not(feature = "axum-serve"))]
    fn below_axum(upgraded: Upgraded, _tuning: &Tuning) -> Result<Self, Upgraded> {
        Err(upgraded)
    }

    /// Asks the kernel for the options of a TCP connection; other kinds have none.
    pub fn tune(&self, tuning: &Tuning) {
        match &self.kind {
            Kind::Tcp(stream) => tuning.apply(stream),
            Kind::Tls(stream) => stream.tune(tuning),
            Kind::Unix(_) | Kind::Memory(_) | Kind::Custom(_) | Kind::Opaque(_) => {}
        }
    }

    /// Makes the coming drop a reset, where there is a connection of TCP or a carrier that can.
    pub(super) fn reset_on_drop(&self) {
        match &self.kind {
            Kind::Tcp(stream) => stream.reset_on_drop(),
            Kind::Custom(stream) => stream.reset_on_drop(),
            Kind::Tls(stream) => stream.reset_on_drop(),
            Kind::Unix(_) | Kind::Memory(_) | Kind::Opaque(_) => {}
        }
    }

    /// Whether its kind is known, so that it can be tuned and reset.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, Kind::Opaque(_))
    }

    /// The same stream, holding its place under a limit until it is dropped.
    #[must_use]
    pub(crate) fn holding(mut self, permit: OwnedSemaphorePermit) -> Self {
        self._permit = Some(permit);
        self
    }

    /// The same stream, counted against its address until it is dropped.
    #[must_use]
    pub(crate) fn counted(mut self, place: Option<StreamPlace>) -> Self {
        self._place = place;
        self
    }

    /// The same stream, which says there that something was read, until it is no HTTP any more.
    #[must_use]
    pub(crate) fn telling(mut self, heard: Arc<AtomicBool>) -> Self {
        self.heard = Some(heard);
        self
    }

    /// Its two directions. Only [`Inbound::poll_read`] gives what the HTTP side has read too much.
    pub(crate) fn split(self) -> (Inbound, Writer) {
        let Self { kind, rewind, _permit, _place, heard: _ } = self;
        let (reader, writer) = match kind {
            Kind::Tcp(stream) => of_tcp(stream),
            Kind::Unix(stream) => of_unix(stream),
            Kind::Memory(stream) => of_any(Box::new(stream)),
            Kind::Custom(stream) => of_any(stream),
            Kind::Tls(stream) => of_any(stream),
            Kind::Opaque(stream) => of_any(stream),
        };
        (Inbound { reader, rewind, _permit, _place }, writer)
    }

    fn rewound(mut self, rewind: Bytes) -> Self {
        // Copied, so that a few bytes do not keep a whole read buffer.
        self.rewind = Bytes::copy_from_slice(&rewind);
        self
    }

    fn of(kind: Kind) -> Self {
        Self { kind, rewind: Bytes::new(), _permit: None, _place: None, heard: None }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::of(Kind::Tcp(stream))
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self::of(Kind::Unix(stream))
    }
}

impl From<DuplexStream> for Stream {
    fn from(stream: DuplexStream) -> Self {
        Self::of(Kind::Memory(stream))
    }
}

impl From<Encrypted> for Stream {
    fn from(stream: Encrypted) -> Self {
        Self::of(Kind::Tls(Box::new(stream)))
    }
}

/// The incoming direction of a stream. Its drop is the end of both.
#[derive(Debug)]
pub(crate) struct Inbound {
    reader: Reader,
    /// What was read and not yet taken: by the HTTP side, or ahead.
    rewind: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
    _place: Option<StreamPlace>,
}

impl Inbound {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.rewind.is_empty() {
            return rewind(&mut self.rewind, buf);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut ahead = ReadBuf::new(scratch);
            std::task::ready!(self.reader.poll_read(cx, &mut ahead))?;
            let (now, later) = ahead.filled().split_at(buf.remaining().min(ahead.filled().len()));
            buf.put_slice(now);
            if !later.is_empty() {
                self.rewind = Bytes::copy_from_slice(later);
            }
            Poll::Ready(Ok(()))
        })
    }
}

thread_local! {
    /// What every connection of a thread is read into, one at a time: one that says much at once takes few calls, and
    /// one that says nothing keeps no memory.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AHEAD_BYTES].into());
}

/// How much is read at once, and kept at most for a connection whose reader has taken a part of it.
const READ_AHEAD_BYTES: usize = 16 * 1024;

/// Gives what was read too early.
fn rewind(rewind: &mut Bytes, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    let len = rewind.len().min(buf.remaining());
    buf.put_slice(&rewind[..len]);
    rewind.advance(len);
    if rewind.is_empty() {
        *rewind = Bytes::new();
    }
    Poll::Ready(Ok(()))
}

impl Kind {
    fn reader(&mut self) -> Pin<&mut (dyn AsyncRead + Unpin)> {
        Pin::new(match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
            Self::Memory(stream) => stream,
            Self::Custom(stream) => stream,
            Self::Tls(stream) => stream,
            Self::Opaque(stream) => stream,
        })
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        Pin::new(match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
            Self::Memory(stream) => stream,
            Self::Custom(stream) => stream,
            Self::Tls(stream) => stream,
            Self::Opaque(stream) => stream,
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.rewind.is_empty() {
            return rewind(&mut self.rewind, buf);
        }
        let before = buf.filled().len();
        std::task::ready!(self.kind.reader().poll_read(cx, buf))?;
        if let Some(heard) = self.heard.as_ref().filter(|_| buf.filled().len() > before) {
            heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.kind.writer().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.kind.writer().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            Kind::Unix(stream) => stream.is_write_vectored(),
            Kind::Memory(stream) => stream.is_write_vectored(),
            Kind::Custom(stream) => stream.is_write_vectored(),
            Kind::Tls(stream) => stream.is_write_vectored(),
            Kind::Opaque(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.kind.writer().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.kind.writer().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_read_ahead_comes_in_order_and_leaves_no_memory_behind() {
        let said: Vec<u8> = (0..40_000_u32).map(|at| (at % 251) as u8).collect();
        let (mut far, near) = duplex(said.len());
        far.write_all(&said).await.expect("the pipe holds it");
        let (mut inbound, _writer) = Stream::from(near).rewound(Bytes::from_static(b"early")).split();
        let mut heard = Vec::new();
        while heard.len() < 5 + said.len() {
            let mut buffer = [0; 1000];
            let mut buf = ReadBuf::new(&mut buffer);
            std::future::poll_fn(|cx| inbound.poll_read(cx, &mut buf)).await.expect("the pipe is open");
            assert!(!buf.filled().is_empty(), "the pipe is not at its end");
            assert!(inbound.rewind.len() < READ_AHEAD_BYTES);
            heard.extend_from_slice(buf.filled());
        }
        assert!(heard == [b"early", &said[..]].concat());
        assert!(inbound.rewind.is_empty());
        drop(far);
        let mut buffer = [0; 10];
        let mut buf = ReadBuf::new(&mut buffer);
        std::future::poll_fn(|cx| inbound.poll_read(cx, &mut buf)).await.expect("it has ended well");
        assert!(buf.filled().is_empty(), "an end is told as an end");
    }
}
