//! The stream between the websocket library and the kernel.
//!
//! It sees every frame that leaves, reports room from inside its own poll, bounds what a peer that does not read can
//! make the process keep, and cuts the connection when it is told to or when nothing moves. Never a packet's meaning.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use streamfence_core::CloseReason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep_until};

use super::census::Counter;
use super::frame::{Frame, FrameTracker};
use super::stall::StallWatch;
use super::state::LinkState;
use super::stream::{Inbound, Stream};

/// A stream that keeps its [`LinkState`] true.
///
/// Its drop is the end of the connection.
#[derive(Debug)]
pub struct Shim {
    inbound: Inbound,
    link: Arc<LinkState>,
    upgrade: Upgrade,
    counter: Counter,
    /// Set while the peer has asked for more than it may.
    wait: Option<Pin<Box<Sleep>>>,
    /// Each direction looks after the time a blocked connection has: the library may have given the other up.
    reader_watch: StallWatch,
    writer_watch: StallWatch,
}

/// How a stream came to carry its session.
#[derive(Debug)]
enum Upgrade {
    /// The session began on it.
    None,
    /// The session polls until the client's `5` has been read.
    Awaited(Box<FrameTracker>),
    /// The session polled once.
    Done,
}

impl Shim {
    /// The stream of a session that begins as a websocket.
    #[must_use]
    pub fn new(stream: impl Into<Stream>, link: Arc<LinkState>) -> Self {
        Self::of(stream.into(), link, Upgrade::None)
    }

    /// The stream a polling session is about to be upgraded to.
    #[must_use]
    pub(crate) fn upgrading(stream: impl Into<Stream>, link: Arc<LinkState>) -> Self {
        Self::of(stream.into(), link, Upgrade::Awaited(Box::default()))
    }

    fn of(stream: Stream, link: Arc<LinkState>, upgrade: Upgrade) -> Self {
        let (inbound, writer) = stream.split();
        link.set_outbound(writer);
        Self {
            inbound,
            link,
            upgrade,
            counter: Counter::default(),
            wait: None,
            reader_watch: StallWatch::default(),
            writer_watch: StallWatch::default(),
        }
    }

    fn check_alive(&self) -> io::Result<()> {
        if self.link.killed().is_some() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// What the library hears of a write: a blocked one is watched.
    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_pending() {
            self.writer_watch.poll(&self.link, cx);
            self.check_alive()?;
        }
        written
    }

    /// Looks for the client's `5`, after which its session is a websocket.
    fn watch_upgrade(&mut self, bytes: &[u8]) {
        let Upgrade::Awaited(inbound) = &mut self.upgrade else { return };
        let mut is_upgraded = false;
        inbound.feed(bytes, |frame| is_upgraded |= frame.opcode == Frame::TEXT && frame.head == b"5");
        if is_upgraded {
            self.upgrade = Upgrade::Done;
            self.link.finish_upgrade();
        }
    }
}

impl AsyncRead for Shim {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Before the checks, so that a kill or a resumption between them and the return finds someone to wake.
        this.link.keep_reader(cx.waker());
        let is_watched = this.reader_watch.poll(&this.link, cx);
        this.link.watch_stalls(is_watched);
        if !is_watched && this.link.is_kernel_full() {
            // A shard that has filled it meanwhile may have taken the last word for this one.
            let is_watched = this.reader_watch.poll(&this.link, cx);
            this.link.watch_stalls(is_watched);
        }
        this.check_alive()?;
        if this.link.is_too_large() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        if this.link.is_reading_paused() {
            return Poll::Pending;
        }
        if let Some(wait) = &mut this.wait {
            std::task::ready!(wait.as_mut().poll(cx));
            this.wait = None;
        }
        let is_full = this.link.is_kernel_full();
        if is_full && !this.link.may_say_more() {
            return Poll::Pending;
        }
        let filled = buf.filled().len();
        std::task::ready!(this.inbound.poll_read(cx, buf))?;
        let bytes = &buf.filled()[filled..];
        this.link.heard();
        if is_full {
            this.link.said(bytes.len() as u64);
        }
        this.watch_upgrade(bytes);
        let until = this.link.take_note(this.counter.count(bytes, this.link.max_message_bytes()));
        this.wait = until.map(|until| Box::pin(sleep_until(until)));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Shim {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_alive()?;
        let written = self.link.poll_write(cx, buf);
        self.written(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_alive()?;
        let flushed = self.link.poll_flush(cx);
        self.written(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_alive()?;
        self.link.poll_shutdown(cx)
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        let is_stuck = self.link.is_kernel_full();
        // Who still reads when a server stops has the kernel's last bytes too: they are what was drained.
        let is_cut = self.link.killed().is_some_and(|reason| reason != CloseReason::ShuttingDown);
        self.link.take_outbound(is_stuck || is_cut);
        if !matches!(self.upgrade, Upgrade::None) {
            // The library forgets a session whose upgrade came to nothing only when it is asked to; a session that has
            // become a websocket refuses to be closed this way, and one that is gone is unknown.
            self.link.close_session();
        }
        end_soon(&self.link);
    }
}

/// Ends the connection, but lets whoever knows the reason better say it first, where there is somebody to tell it to.
fn end_soon(link: &Arc<LinkState>) {
    let nobody_is_told = link.registered().is_pending() && link.opened_connection().is_none();
    match (link.killed().is_none() && !nobody_is_told, Handle::try_current()) {
        (true, Ok(runtime)) => {
            let link = Arc::clone(link);
            runtime.spawn(async move {
                tokio::time::sleep(REASON_GRACE).await;
                link.end(CloseReason::Transport);
            });
        }
        _ => link.end(CloseReason::Transport),
    }
}

/// How long after its stream a connection may still be told the reason of its end.
const REASON_GRACE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
