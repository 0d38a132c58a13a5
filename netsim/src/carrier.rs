//! The simulated network as a server's own: its listener and its streams.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use streamfence_socketio::link::{Carrier, Peer, Stream};
use streamfence_socketio::server::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// Accepts what the simulated network brings.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    /// How much one write takes at most.
    pub(crate) segment_bytes: usize,
}

impl Listener for Door {
    async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        let (stream, address) = self.listener.accept().await?;
        let carrier = Segments { stream, most: self.segment_bytes };
        Ok((Stream::custom(carrier), Peer::Tcp(address)))
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }
}

/// A simulated TCP stream. The simulation takes any write whole, as one segment; a kernel takes what there is place for,
/// from several buffers with one call, so this does.
#[derive(Debug)]
struct Segments {
    stream: TcpStream,
    most: usize,
}

impl Carrier for Segments {}

impl AsyncRead for Segments {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Segments {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut segment = Vec::with_capacity(self.most);
        for buf in bufs {
            let len = buf.len().min(self.most - segment.len());
            segment.extend_from_slice(&buf[..len]);
        }
        Pin::new(&mut self.stream).poll_write(cx, &segment)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
