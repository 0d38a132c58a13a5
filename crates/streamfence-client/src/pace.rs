//! A client that reads slowly, on purpose.

use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How many bytes a second are read of a connection, whatever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(pub NonZeroU32);

impl Pace {
    /// What the kernel may take in beside: little, so that the other side feels the pace and not our buffer.
    pub(crate) const BUFFER_BYTES: u32 = 4 * 1024;
    /// Read without a pause when a connection begins, so that a slow client gets in at all.
    const AT_ONCE_BYTES: u32 = 8 * 1024;

    /// Most that is read with one call: a twentieth of a second's worth.
    fn sip_bytes(self) -> usize {
        (self.0.get() / 20).clamp(1, 64 * 1024) as usize
    }

    fn takes(self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 / f64::from(self.0.get()))
    }
}

/// A connection that is read at a pace.
#[derive(Debug)]
pub(crate) struct Paced<S> {
    stream: S,
    pace: Pace,
    /// How much may be read yet without a pause.
    at_once: usize,
    /// Nothing is read before.
    next: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, pace: Pace) -> Self {
        let next = Box::pin(sleep_until(Instant::now()));
        Self { stream, pace, at_once: Pace::AT_ONCE_BYTES as usize, next }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let most = if me.at_once > 0 {
            me.at_once
        } else {
            ready!(me.next.as_mut().poll(cx));
            me.pace.sip_bytes()
        };
        let room = buf.initialize_unfilled_to(most.min(buf.remaining()));
        let mut sip = ReadBuf::new(room);
        ready!(Pin::new(&mut me.stream).poll_read(cx, &mut sip))?;
        let read = sip.filled().len();
        buf.advance(read);
        if me.at_once > 0 {
            me.at_once -= read;
        } else {
            // From when it was due, so that the pace holds over all; who had nothing to read saves nothing up.
            let from = me.next.deadline().max(Instant::now().checked_sub(SLACK).unwrap_or_else(Instant::now));
            me.next.as_mut().reset(from + me.pace.takes(read));
        }
        Poll::Ready(Ok(()))
    }
}

/// How late a read may be without the next one's being later, too.
const SLACK: Duration = Duration::from_millis(20);

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_is_read_at_the_pace_after_what_is_read_at_once() {
        let bytes = vec![7; Pace::AT_ONCE_BYTES as usize + 10_000];
        let mut paced = Paced::new(&bytes[..], Pace(NonZeroU32::new(1_000).expect("it is not zero")));
        let began = Instant::now();
        let mut read = vec![0; Pace::AT_ONCE_BYTES as usize];
        paced.read_exact(&mut read).await.expect("it is there");
        assert_eq!(began.elapsed(), Duration::ZERO);
        let mut rest = Vec::new();
        paced.read_to_end(&mut rest).await.expect("it is there");
        assert_eq!(rest.len(), 10_000);
        let took = began.elapsed();
        assert!((Duration::from_millis(9_800)..=Duration::from_millis(10_300)).contains(&took), "{took:?}");
    }
}
