//! The closed loop: how many messages may be published now, as the clients themselves say.
//!
//! The same for every server, so that none is asked for more than another.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How far the slowest client is.
pub(crate) struct Pace {
    done: watch::Receiver<u64>,
    pub(crate) published: u64,
}

impl Pace {
    /// Listens to the clients, who tell after each step how many messages all of them have.
    pub(crate) fn listen(control: TcpListener) -> Self {
        let (tell, done) = watch::channel(0);
        tokio::spawn(async move {
            // An end of this task drops `tell`, and the publisher hears that the clients are gone.
            let Ok((mut stream, _)) = control.accept().await else { return };
            let (mut buffer, mut kept) = ([0; 4096], 0);
            while let Ok(read @ 1..) = stream.read(&mut buffer[kept..]).await {
                let len = kept + read;
                let whole = len / 8 * 8;
                if whole > 0 {
                    let newest = buffer[whole - 8..whole].try_into().expect("eight bytes");
                    tell.send_replace(u64::from_le_bytes(newest));
                }
                buffer.copy_within(whole..len, 0);
                kept = len - whole;
            }
        });
        Self { done, published: 0 }
    }

    /// How many messages may be published now, at least one.
    pub(crate) async fn room(&mut self, in_flight: u64) -> anyhow::Result<u64> {
        let published = self.published;
        let done = self.wait(|done| published - done < in_flight).await?;
        Ok(in_flight - (published - done))
    }

    /// Waits until every client has everything.
    pub(crate) async fn drained(&mut self) -> anyhow::Result<()> {
        let published = self.published;
        self.wait(|done| done == published).await.map(drop)
    }

    async fn wait(&mut self, mut is_enough: impl FnMut(u64) -> bool) -> anyhow::Result<u64> {
        loop {
            let done = *self.done.borrow_and_update();
            if is_enough(done) {
                return Ok(done);
            }
            let Ok(change) = tokio::time::timeout(STUCK, self.done.changed()).await else {
                bail!("no progress in {STUCK:?}: all clients have {done} of {} messages", self.published);
            };
            change.context("the clients are gone")?;
        }
    }
}

const STUCK: Duration = Duration::from_secs(30);
