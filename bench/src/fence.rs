//! This project, as an application uses it: a fence, a server, `publish`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use futures_util::future::try_join_all;
use streamfence_core::{AckOutcome, AtLeastOnce, Observer, TopicId, TopicStats};
use streamfence_runtime::{Fence, Namespace, Overflow, Payload};
use streamfence_socketio::{Server, ServerOptions};
use tokio::net::TcpListener;

use crate::certificate;
use crate::message::{NAMESPACE, QUIET, Quote, TOPIC};
use crate::server::{Publisher, ServerArgs};

pub(crate) struct Fenced {
    fence: Fence,
    _server: Server,
    clients: u64,
    /// Whether messages may give way: some clients do not read.
    may_displace: bool,
    acks: Option<Arc<Acks>>,
}

/// What the observer has been told of acknowledgements.
#[derive(Debug, Default)]
struct Acks {
    released: AtomicU64,
    wrong: AtomicU64,
    resent: AtomicU64,
}

impl Observer for Acks {
    fn on_stats(&self, _: TopicId, since_last: &TopicStats) {
        let all: u64 = since_last.acks.iter().sum();
        let released = since_last.acks[AckOutcome::Released as usize];
        self.released.fetch_add(released, Ordering::Relaxed);
        self.wrong.fetch_add(all - released, Ordering::Relaxed);
        self.resent.fetch_add(since_last.retries + since_last.exhausted, Ordering::Relaxed);
    }
}

impl Fenced {
    pub(crate) fn start(listener: TcpListener, args: &ServerArgs) -> anyhow::Result<Self> {
        let namespace = Namespace::new(NAMESPACE).topic(QUIET).topic(TOPIC);
        // Otherwise larger than what the closed loop lets be on its way: nothing is to give way there.
        let may_displace = args.stuck > 0;
        let namespace =
            if may_displace { namespace } else { namespace.max_queued_messages(2_048).max_queued_bytes(2 << 20) };
        let (namespace, acks) = match args.window {
            None => (namespace.best_effort(Overflow::DropOldest), None),
            Some(window) => {
                // Far longer than an ack takes: a machine that pauses is not to cause retries.
                let promise = AtLeastOnce::default().window(window).ack_timeout(Duration::from_secs(20));
                (namespace.at_least_once(promise), Some(Arc::new(Acks::default())))
            }
        };
        let mut fence = Fence::builder().namespace(namespace).shards(1);
        if let Some(acks) = &acks {
            fence = fence.observer(acks.clone());
        }
        let fence = fence.build()?;
        let tls = args.tls.as_deref().map(certificate::of_server);
        let options = ServerOptions { tls, ..ServerOptions::default() };
        let server = Server::builder(fence.clone()).options(options).start_on(listener)?;
        Ok(Self { fence, _server: server, clients: args.clients, may_displace, acks })
    }
}

impl Publisher for Fenced {
    async fn publish(&mut self, quotes: Vec<Quote>) -> anyhow::Result<()> {
        let publishes = quotes.into_iter().map(async |quote| {
            let report = self.fence.publish(NAMESPACE, TOPIC, Payload::serialize(&quote)?).await?;
            let is_whole = u64::from(report.admitted) == self.clients && (report.displaced == 0 || self.may_displace);
            ensure!(is_whole, "a message went short: {report:?}");
            anyhow::Ok(())
        });
        // All of them at once, and each takes its place when it is first polled: in order, unless the runtime makes one
        // of them wait its turn.
        tokio::task::coop::unconstrained(try_join_all(publishes)).await.map(drop)
    }

    async fn acknowledged(&mut self, published: u64) -> anyhow::Result<u64> {
        let Some(acks) = &self.acks else { return Ok(0) };
        let wanted = published * self.clients;
        for _ in 0..PATIENCE {
            self.fence.flush_stats().await;
            if acks.released.load(Ordering::Relaxed) >= wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ensure!(acks.released.load(Ordering::Relaxed) == wanted, "wanted {wanted} acks, had {acks:?}");
        ensure!(acks.wrong.load(Ordering::Relaxed) + acks.resent.load(Ordering::Relaxed) == 0, "not once: {acks:?}");
        Ok(wanted)
    }
}

/// How many milliseconds the last acks may take.
const PATIENCE: u32 = 10_000;
