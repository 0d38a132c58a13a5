//! A server process: waits for orders on its standard input, publishes to its clients, says what that took.

use std::io::BufRead;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::latency::now_ns;
use crate::message::Quote;
use crate::pace::Pace;
use crate::usage::{Cpu, Since, cpu_us, raise_descriptors, resident_kib};
use crate::{bare, fence, stock};

/// What serves the clients.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// One `write` per client and message.
    BareSend,
    /// One `write` per client for all messages that may go at once.
    BareCoalesced,
    /// A room broadcast of the Socket.IO library alone.
    Stock,
    /// This project.
    Fence,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::BareSend, Self::BareCoalesced, Self::Stock, Self::Fence];

    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no kind is hidden").get_name().to_owned()
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::BareSend => "(a) bare send",
            Self::BareCoalesced => "(b) bare coalesced",
            Self::Stock => "(c) stock socketioxide",
            Self::Fence => "(d) streamfence",
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    kind: Kind,
    /// How many clients there will be.
    #[arg(long)]
    pub(crate) clients: u64,
    /// Makes the fence's topic at-least-once with this window.
    #[arg(long)]
    pub(crate) window: Option<u16>,
    /// How many of the clients will not read: they are not waited for, and their messages may give way.
    #[arg(long, default_value_t = 0)]
    pub(crate) stuck: u64,
    /// Has the fence speak TLS with the certificate in this directory.
    #[arg(long)]
    pub(crate) tls: Option<PathBuf>,
}

/// Where a server listens, told on its first line.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Ports {
    pub(crate) clients: u16,
    pub(crate) control: u16,
}

/// An order: one line of JSON.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// To publish, answered by an [`Outcome`].
    Publish { how: Pressure, warm_up: Duration, measured: Duration },
    /// To say what was used so far: a [`Look`].
    Look,
}

/// How much is published.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pressure {
    /// As much as the clients take, with so many messages on their way.
    InFlight(u64),
    /// So many messages a second, whatever becomes of them.
    PerSecond(f64),
}

/// What a server has used so far.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Look {
    pub(crate) cpu_us: f64,
    pub(crate) resident_kib: u64,
}

/// What an order took.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Published in this process's life, the warm-up included.
    pub(crate) published: u64,
    /// Messages delivered while measuring: published, times clients.
    pub(crate) delivered: u64,
    /// Acknowledgements taken while measuring.
    pub(crate) acks: u64,
    pub(crate) cpu: Cpu,
    pub(crate) seconds: f64,
    pub(crate) resident_kib: u64,
}

/// What is measured: something that gets messages to all clients.
pub(crate) trait Publisher: Send {
    /// Publishes these, in order.
    fn publish(&mut self, quotes: Vec<Quote>) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Waits until this many messages are acknowledged by all clients, where they are. Says how many acks that made.
    fn acknowledged(&mut self, _published: u64) -> impl Future<Output = anyhow::Result<u64>> + Send {
        async { Ok(0) }
    }
}

/// Runs a server until its standard input ends.
pub(crate) fn run(args: &ServerArgs) -> anyhow::Result<()> {
    raise_descriptors(args.clients + 64)?;
    // One worker: costs are per core, whether or not the process is pinned.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let clients = TcpListener::bind("127.0.0.1:0").await?;
        let control = TcpListener::bind("127.0.0.1:0").await?;
        let ports = Ports { clients: clients.local_addr()?.port(), control: control.local_addr()?.port() };
        match args.kind {
            Kind::BareSend => serve(bare::Bare::start(clients, false), args, control, ports).await,
            Kind::BareCoalesced => serve(bare::Bare::start(clients, true), args, control, ports).await,
            Kind::Stock => serve(stock::Stock::start(clients, args.stuck > 0), args, control, ports).await,
            Kind::Fence => serve(fence::Fenced::start(clients, args)?, args, control, ports).await,
        }
    })
}

async fn serve<P: Publisher + 'static>(
    publisher: P,
    args: &ServerArgs,
    control: TcpListener,
    ports: Ports,
) -> anyhow::Result<()> {
    let mut orders = orders();
    say(&ports)?;
    let mut bench = Bench { publisher, pace: Pace::listen(control), readers: args.clients - args.stuck };
    // On the worker, where the sockets are: the thread that started the runtime is not one of its own.
    let work = tokio::spawn(async move {
        while let Some(order) = orders.recv().await {
            match order {
                Order::Look => say(&Look { cpu_us: cpu_us(), resident_kib: resident_kib() })?,
                Order::Publish { how, warm_up, measured } => say(&bench.publish(how, warm_up, measured).await?)?,
            }
        }
        anyhow::Ok(())
    });
    work.await?
}

struct Bench<P> {
    publisher: P,
    pace: Pace,
    /// How many clients get every message.
    readers: u64,
}

impl<P: Publisher> Bench<P> {
    async fn publish(&mut self, how: Pressure, warm_up: Duration, measured: Duration) -> anyhow::Result<Outcome> {
        self.push(how, warm_up).await?;
        let (since, begun) = (Since::now(), Instant::now());
        let (published, acks) = (self.pace.published, self.publisher.acknowledged(self.pace.published).await?);
        let acks_now = self.push(how, measured).await?;
        Ok(Outcome {
            cpu: since.used(),
            seconds: begun.elapsed().as_secs_f64(),
            published: self.pace.published,
            delivered: (self.pace.published - published) * self.readers,
            acks: acks_now - acks,
            resident_kib: resident_kib(),
        })
    }

    /// Publishes for a while, then waits until everything has arrived: it begins and ends with nothing on its way.
    async fn push(&mut self, how: Pressure, how_long: Duration) -> anyhow::Result<u64> {
        match how {
            Pressure::InFlight(most) => {
                let begun = Instant::now();
                while begun.elapsed() < how_long {
                    let (room, now) = (self.pace.room(most).await?, now_ns());
                    self.publish_due(std::iter::repeat_n(now, room as usize)).await?;
                }
            }
            Pressure::PerSecond(rate) => {
                let begun = now_ns() + FIRST_DUE_NS;
                let due_ns = |number: u64| begun + (number as f64 * 1e9 / rate) as u64;
                let (mut next, end) = (0, (rate * how_long.as_secs_f64()) as u64);
                while next < end {
                    tokio::time::sleep(Duration::from_nanos(due_ns(next).saturating_sub(now_ns()))).await;
                    // Whoever is behind does not wait for one message to be out before the next one that is due.
                    let now = now_ns();
                    let behind = (next..end).take_while(|&number| due_ns(number) <= now).count() as u64;
                    let until = (next + behind).max(next + 1);
                    self.publish_due((next..until).map(due_ns)).await?;
                    next = until;
                }
            }
        }
        self.pace.drained().await?;
        self.publisher.acknowledged(self.pace.published).await
    }

    /// Publishes as many as there are times.
    async fn publish_due(&mut self, due_ns: impl Iterator<Item = u64>) -> anyhow::Result<()> {
        let quotes: Vec<_> =
            due_ns.zip(self.pace.published + 1..).map(|(due_ns, seq)| Quote::new(seq, due_ns)).collect();
        self.pace.published += quotes.len() as u64;
        self.publisher.publish(quotes).await
    }
}

/// The lines of standard input; their end ends the process.
fn orders() -> tokio::sync::mpsc::Receiver<Order> {
    let (tell, orders) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Some(order) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { break };
            if tell.blocking_send(order).is_err() {
                break;
            }
        }
        // Whoever gave the orders is gone: so is the reason to be here, whatever is being done.
        std::process::exit(0);
    });
    orders
}

/// Writes one line of JSON.
pub(crate) fn say(what: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(what).context("a report is JSON")?);
    Ok(())
}

/// How long before the first message of an open loop is due.
const FIRST_DUE_NS: u64 = 1_000_000;
