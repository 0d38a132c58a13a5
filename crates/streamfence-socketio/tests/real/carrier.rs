//! A server on streams of an embedder's own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use streamfence_core::CloseReason;
use streamfence_socketio::ServerOptions;
use streamfence_socketio::link::{Carrier, Peer, Stream};
use streamfence_socketio::server::{Listener, Server};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

use crate::app;
use crate::common::client::{Message, WebSocket};
use crate::common::patience::eventually;

/// What an embedder's tunnel gives: a pipe that knows when it is to be broken off.
#[derive(Debug)]
struct Tunnel {
    pipe: DuplexStream,
    resets: Arc<AtomicUsize>,
}

impl Carrier for Tunnel {
    fn reset_on_drop(&self) {
        self.resets.fetch_add(1, Ordering::SeqCst);
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// Accepts tunnels.
struct Mouth(mpsc::Receiver<Tunnel>);

impl Listener for Mouth {
    async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        match self.0.recv().await {
            Some(tunnel) => Ok((Stream::custom(tunnel), Peer::Memory)),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_carrier_of_ones_own_is_served_and_told_when_it_is_cut() {
    let options = ServerOptions { stall_timeout: Duration::from_millis(400), ..app::options() };
    let (layer, io, mut news) = app::layer(&options);
    let (tunnels, mouth) = mpsc::channel(1);
    let server = Server::start(Mouth(mouth), &layer, &options).expect("the options can be kept");
    let resets = Arc::new(AtomicUsize::new(0));
    let (near, far) = duplex(4096);
    tunnels.send(Tunnel { pipe: far, resets: resets.clone() }).await.expect("the server accepts");

    let mut client = WebSocket::join(near).await;
    let (socket, link) = news.joined.recv().await.expect("it joined");
    assert_eq!((link.peer(), server.connections()), (Some(&Peer::Memory), 1));
    socket.emit("hello", "there").expect("there is room");
    assert_eq!(client.receive().await.expect("it comes"), Message::Text(r#"42["hello","there"]"#.into()));

    // More than the pipe holds, which nobody reads.
    socket.emit("hello", &"x".repeat(16 * 1024)).expect("there is room");
    eventually("the stalled client is cut", || link.ended() == Some(CloseReason::Stalled)).await;
    assert_eq!((resets.load(Ordering::SeqCst), server.connections()), (1, 0));
    drop((io, client));
}
