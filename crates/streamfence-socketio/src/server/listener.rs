//! Where connections come from: TCP, a Unix socket, or this process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use tokio::io::{DuplexStream, duplex};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::link::{Peer, Stream};

/// A source of connections.
pub trait Listener: Send + 'static {
    /// Waits for the next connection. Must be safe to drop and call again.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Stream, Peer)>> + Send;

    /// The address it listens on, if it is one.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl Listener for TcpListener {
    async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        let (stream, address) = Self::accept(self).await?;
        Ok((stream.into(), Peer::Tcp(address)))
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self).ok()
    }
}

impl Listener for UnixListener {
    async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        let (stream, _) = Self::accept(self).await?;
        Ok((stream.into(), Peer::Unix))
    }
}

/// Listens on a Unix socket. One left over by a process that is gone, on which nobody answers, is replaced; anything
/// else is left alone.
///
/// # Errors
/// What the system says.
pub async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

/// A listener without a network.
#[derive(Debug)]
pub struct MemoryListener {
    accepted: mpsc::Receiver<DuplexStream>,
}

/// The way to a [`MemoryListener`].
#[derive(Clone, Debug)]
pub struct MemoryConnector {
    connecting: mpsc::Sender<DuplexStream>,
}

/// A listener in memory and the way to it.
#[must_use]
pub fn memory() -> (MemoryConnector, MemoryListener) {
    let (connecting, accepted) = mpsc::channel(BACKLOG);
    (MemoryConnector { connecting }, MemoryListener { accepted })
}

impl MemoryConnector {
    /// Connects through a pipe that holds so many bytes each way.
    ///
    /// # Errors
    ///
    /// The listener is gone.
    pub async fn connect(&self, pipe_bytes: usize) -> io::Result<DuplexStream> {
        let (near, far) = duplex(pipe_bytes);
        self.connecting.send(far).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }
}

impl MemoryConnector {
    /// Whether nobody listens any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connecting.is_closed()
    }

    /// How many connections wait to be accepted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.connecting.max_capacity() - self.connecting.capacity()
    }
}

impl Listener for MemoryListener {
    async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        match self.accepted.recv().await {
            Some(stream) => Ok((stream.into(), Peer::Memory)),
            // Nobody can connect any more, which is no failure.
            None => std::future::pending().await,
        }
    }
}

const BACKLOG: usize = 16;
