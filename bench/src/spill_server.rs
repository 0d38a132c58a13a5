//! The server process of the spill row: one shard, one topic that is full at once, and a store on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use streamfence_core::{AtLeastOnce, LosslessOverflow, SpillRefusal, SpillRules, StoreId};
use streamfence_runtime::{Fence, Namespace, Payload, PublishReport};
use streamfence_socketio::{Server, ServerOptions};
use streamfence_spill::{Store, StoreConfig};
use tokio::net::TcpListener;

use crate::client::Client;
use crate::clients::lines;
use crate::message::{NAMESPACE, TOPIC};
use crate::server::say;
use crate::spill::Recovered;
use crate::usage::resident_kib;

/// What a lane that is full does.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Overflowing {
    /// Goes on on disk.
    Spill,
    /// Refuses.
    Reject,
}

impl Overflowing {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no overflow is hidden").get_name().to_owned()
    }
}

#[derive(Args, Debug)]
pub(crate) struct SpillServerArgs {
    overflow: Overflowing,
    /// Where to spill to.
    #[arg(long)]
    directory: PathBuf,
}

/// An order: one line of JSON.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SpillOrder {
    /// To publish so many as fast as they are taken.
    Absorb { messages: u64 },
    /// To publish so many one after the other.
    Time { messages: u64 },
}

/// What it took to publish.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Absorbed {
    pub(crate) seconds: f64,
    /// How many more were refused, because the disk was busy: the publisher waited a millisecond each time.
    pub(crate) refused: u64,
    pub(crate) resident_kib: u64,
}

/// How long publishes took.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Times {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p9999_us: f64,
    pub(crate) longest_us: f64,
}

#[derive(Serialize)]
struct Padded<'a> {
    seq: u64,
    at: u64,
    pad: &'a str,
}

/// How many messages may be sent and not acked, and how many a lane holds.
const WINDOW: u16 = 256;
const LANE: u32 = 1_024;
/// Publishes under way at a time.
const AT_ONCE: u64 = 128;

/// Runs until its standard input ends.
pub(crate) fn run(args: &SpillServerArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // Nothing is left to be refused for the want of what somebody else takes.
    let config = StoreConfig { min_free_bytes: 0, ..StoreConfig::new(&args.directory) };
    let store = Arc::new(Store::open(config).context("no store to spill to")?);
    let overflow = args.overflow;
    runtime.block_on(async move { tokio::spawn(serve(overflow, store)).await? })
}

async fn serve(overflow: Overflowing, store: Arc<Store>) -> anyhow::Result<()> {
    let overflow = match overflow {
        Overflowing::Spill => LosslessOverflow::Spill,
        Overflowing::Reject => LosslessOverflow::RejectNew,
    };
    // Far longer than the client withholds its acks.
    let promise = AtLeastOnce::default().window(WINDOW).ack_timeout(Duration::from_secs(600)).overflow(overflow);
    let namespace = Namespace::new(NAMESPACE)
        .topic(TOPIC)
        .at_least_once(promise)
        .max_queued_messages(LANE)
        .max_queued_bytes(4 << 20)
        .spill(SpillRules { store: StoreId(0), ..SpillRules::default() });
    let own = store.clone();
    let fence = Fence::builder().namespace(namespace).shards(1).memory_budget(256 << 20);
    let fence = fence.spill(StoreId(0), move |shard, charge| own.backend(shard, charge)).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let server = Server::builder(fence.clone()).options(ServerOptions::default()).start_on(listener)?;
    let mut orders = lines();
    say(&port)?;
    let mut published = 0;
    while let Some(order) = orders.recv().await {
        match serde_json::from_str(&order)? {
            SpillOrder::Absorb { messages } => say(&absorb(&fence, &mut published, messages).await?)?,
            SpillOrder::Time { messages } => say(&time(&fence, &mut published, messages).await?)?,
        }
    }
    drop(server);
    Ok(())
}

async fn publish(fence: &Fence, seq: u64) -> anyhow::Result<PublishReport> {
    let payload = Payload::serialize(&Padded { seq, at: 0, pad: PAD })?;
    Ok(fence.publish(NAMESPACE, TOPIC, payload).await?)
}

async fn absorb(fence: &Fence, published: &mut u64, messages: u64) -> anyhow::Result<Absorbed> {
    let begun = Instant::now();
    let (mut admitted, mut refused) = (0, 0);
    while admitted < messages {
        let first = *published + 1;
        *published += AT_ONCE.min(messages - admitted);
        let publishes = (first..=*published).map(|seq| publish(fence, seq));
        let reports = tokio::task::coop::unconstrained(try_join_all(publishes)).await?;
        let taken = reports.iter().filter(|report| report.admitted == 1).count() as u64;
        let busy = reports.iter().filter(|report| report.spill_refused == Some(SpillRefusal::Busy)).count() as u64;
        ensure!(taken + busy == reports.len() as u64, "a message was refused: {reports:?}");
        admitted += taken;
        refused += busy;
        if busy > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(Absorbed { seconds: begun.elapsed().as_secs_f64(), refused, resident_kib: resident_kib() })
}

async fn time(fence: &Fence, published: &mut u64, messages: u64) -> anyhow::Result<Times> {
    let mut took_ns = Vec::with_capacity(messages as usize);
    for seq in *published + 1..=*published + messages {
        let begun = Instant::now();
        publish(fence, seq).await?;
        took_ns.push(begun.elapsed().as_nanos() as u64);
    }
    *published += messages;
    took_ns.sort_unstable();
    let at = |share: f64| {
        let place = ((took_ns.len() as f64 * share) as usize).min(took_ns.len().saturating_sub(1));
        took_ns.get(place).map_or(f64::NAN, |&ns| ns as f64 / 1e3)
    };
    Ok(Times { p50_us: at(0.5), p99_us: at(0.99), p9999_us: at(0.9999), longest_us: at(1.0) })
}

/// Makes a message a kibibyte.
const PAD: &str = match std::str::from_utf8(&[b'x'; 980]) {
    Ok(pad) => pad,
    Err(_) => panic!("x is a letter"),
};

#[derive(Args, Debug)]
pub(crate) struct SpillClientArgs {
    #[arg(long)]
    port: u16,
    /// How many messages it is to get.
    #[arg(long)]
    messages: u64,
}

/// Plays the client: subscribes, acks nothing until it is told to, and then everything.
pub(crate) fn client(args: &SpillClientArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = Client::join(args.port, TOPIC, true, None).await?.with_gaps();
        let mut orders = lines();
        say(&true)?;
        let mut told: Option<Instant> = None;
        let mut messages = 0;
        let mut heard = vec![0; 1 << 20];
        loop {
            let rest = client.rest().len();
            heard[..rest].copy_from_slice(client.rest());
            tokio::select! {
                biased;
                read = tokio::io::AsyncReadExt::read(&mut client.stream, &mut heard[rest..]) => {
                    let read = read?;
                    ensure!(read > 0, "the server hung up after {messages} messages");
                    client.hear(&heard[..rest + read], |_| messages += 1)?;
                }
                order = orders.recv(), if told.is_none() => {
                    ensure!(order.is_some(), "nobody waits any more");
                    told = Some(Instant::now());
                }
            }
            let Some(told) = told else { continue };
            client.answer().await?;
            if messages == args.messages {
                say(&Recovered { seconds: told.elapsed().as_secs_f64() })?;
                return Ok(());
            }
        }
    })
}
