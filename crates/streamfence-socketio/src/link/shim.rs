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
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::{Frame, FrameTracker};
use super::state::LinkState;
use super::stream::Carrier;

/// A stream that keeps its [`LinkState`] true.
///
/// Its drop is the end of the connection.
#[derive(Debug)]
pub struct Shim<T: Carrier> {
    inner: T,
    link: Arc<LinkState>,
    outbound: FrameTracker,
    upgrade: Upgrade,
    /// How many more bytes are read while a write is blocked. Written bytes are added, a write that is not blocked
    /// fills it up.
    read_budget_bytes: u64,
    /// Whether a read was withheld for want of budget: a write that moves wakes the reader.
    is_read_withheld: bool,
    /// Polled while a write is blocked; may be armed too early, never too late.
    stall: Option<Pin<Box<Sleep>>>,
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

impl<T: Carrier> Shim<T> {
    /// The stream of a session that begins as a websocket.
    #[must_use]
    pub fn new(inner: T, link: Arc<LinkState>) -> Self {
        Self::of(inner, link, Upgrade::None)
    }

    /// The stream a polling session is about to be upgraded to.
    #[must_use]
    pub(crate) fn upgrading(inner: T, link: Arc<LinkState>) -> Self {
        Self::of(inner, link, Upgrade::Awaited(Box::default()))
    }

    fn of(inner: T, link: Arc<LinkState>, upgrade: Upgrade) -> Self {
        let read_budget_bytes = link.limits().blocked_read_budget_bytes;
        Self {
            inner,
            link,
            outbound: FrameTracker::default(),
            upgrade,
            read_budget_bytes,
            is_read_withheld: false,
            stall: None,
        }
    }

    fn check_alive(&self) -> io::Result<()> {
        if self.link.killed().is_some() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Books what the kernel accepted.
    fn wrote(&mut self, bytes: &[u8], is_all: bool) {
        self.link.wrote(&mut self.outbound, bytes, is_all);
        let full = self.link.limits().blocked_read_budget_bytes;
        self.read_budget_bytes =
            if is_all { full } else { full.min(self.read_budget_bytes.saturating_add(bytes.len() as u64)) };
        if self.is_read_withheld && self.read_budget_bytes > 0 {
            self.is_read_withheld = false;
            self.link.wake_reader();
        }
    }

    /// Books that the kernel accepts nothing, and kills the connection once that has lasted too long.
    fn write_blocked<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        if !has_budget_remaining() {
            // It was the runtime that said no, to let other tasks run; this one is woken at once.
            return Poll::Pending;
        }
        let since = self.link.blocked(cx.waker());
        self.watch_stall(since, cx);
        match self.check_alive() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn watch_stall(&mut self, since: Instant, cx: &mut Context<'_>) {
        let (deadline, _) = self.link.patience(since);
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        while stall.as_mut().poll(cx).is_ready() {
            let (deadline, reason) = self.link.patience(since);
            if Instant::now() >= deadline {
                self.link.kill(reason);
                return;
            }
            stall.as_mut().reset(deadline);
        }
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

impl<T: Carrier> AsyncRead for Shim<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Before the checks, so that a kill or a resumption between them and the return finds someone to wake.
        this.link.keep_reader(cx.waker());
        this.check_alive()?;
        if this.link.is_reading_paused() {
            return Poll::Pending;
        }
        let is_blocked = this.link.is_blocked() && this.stall.is_some();
        if is_blocked && this.read_budget_bytes == 0 {
            this.is_read_withheld = true;
            if let Some(since) = this.link.blocked_since() {
                this.watch_stall(since, cx);
            }
            this.check_alive()?;
            return Poll::Pending;
        }
        let filled = buf.filled().len();
        std::task::ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let bytes = &buf.filled()[filled..];
        this.link.heard();
        if is_blocked {
            this.read_budget_bytes = this.read_budget_bytes.saturating_sub(bytes.len() as u64);
        }
        this.watch_upgrade(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<T: Carrier> AsyncWrite for Shim<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.check_alive()?;
        match Pin::new(&mut this.inner).poll_write(cx, buf) {
            Poll::Ready(Ok(len)) => {
                this.wrote(&buf[..len], len == buf.len());
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.write_blocked(cx),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.check_alive()?;
        match Pin::new(&mut this.inner).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                this.link.flushed();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.write_blocked(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_alive()?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<T: Carrier> Drop for Shim<T> {
    fn drop(&mut self) {
        let is_stuck = self.stall.is_some() && self.link.is_blocked();
        if self.link.killed().is_some() || is_stuck {
            self.inner.reset_on_drop();
        }
        if !matches!(self.upgrade, Upgrade::None) {
            // The library forgets a session whose upgrade came to nothing only when it is asked to; a session that has
            // become a websocket refuses to be closed this way, and one that is gone is unknown.
            self.link.close_session();
        }
        end_soon(&self.link);
    }
}

/// Ends the connection, but lets whoever knows the reason better say it first.
fn end_soon(link: &Arc<LinkState>) {
    match (link.killed(), Handle::try_current()) {
        (None, Ok(runtime)) => {
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
