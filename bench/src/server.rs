//! A server process: waits for orders on its standard input, publishes to its clients, says what that took.

use std::io::BufRead;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::pace::{Load, Pace};
use crate::usage::{Cpu, Since, raise_descriptors, resident_kib};
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
    clients: u64,
    /// Makes the fence's topic at-least-once with this window.
    #[arg(long)]
    window: Option<u16>,
}

/// Where a server listens, told on its first line.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Ports {
    pub(crate) clients: u16,
    pub(crate) control: u16,
}

/// An order: one line of JSON.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) in_flight: u64,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Order {
    pub(crate) fn new(load: Load, measured: Duration) -> Self {
        Self { in_flight: load.in_flight(), warm_up: measured / 5, measured }
    }
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
    /// Publishes the messages with these numbers, in order.
    fn publish(&mut self, numbers: Range<u64>) -> impl Future<Output = anyhow::Result<()>> + Send;

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
            Kind::BareSend => serve(bare::Bare::start(clients, false), args.clients, control, ports).await,
            Kind::BareCoalesced => serve(bare::Bare::start(clients, true), args.clients, control, ports).await,
            Kind::Stock => serve(stock::Stock::start(clients), args.clients, control, ports).await,
            Kind::Fence => {
                serve(fence::Fenced::start(clients, args.clients, args.window)?, args.clients, control, ports).await
            }
        }
    })
}

async fn serve<P: Publisher + 'static>(
    publisher: P,
    clients: u64,
    control: TcpListener,
    ports: Ports,
) -> anyhow::Result<()> {
    let mut orders = orders();
    say(&ports)?;
    let mut bench = Bench { publisher, pace: Pace::listen(control), clients };
    // On the worker, where the sockets are: the thread that started the runtime is not one of its own.
    let work = tokio::spawn(async move {
        while let Some(order) = orders.recv().await {
            say(&bench.obey(order).await?)?;
        }
        anyhow::Ok(())
    });
    work.await?
}

struct Bench<P> {
    publisher: P,
    pace: Pace,
    clients: u64,
}

impl<P: Publisher> Bench<P> {
    async fn obey(&mut self, order: Order) -> anyhow::Result<Outcome> {
        self.push(order.in_flight, order.warm_up).await?;
        let (since, begun) = (Since::now(), Instant::now());
        let (published, acks) = (self.pace.published, self.publisher.acknowledged(self.pace.published).await?);
        let acks_now = self.push(order.in_flight, order.measured).await?;
        Ok(Outcome {
            cpu: since.used(),
            seconds: begun.elapsed().as_secs_f64(),
            published: self.pace.published,
            delivered: (self.pace.published - published) * self.clients,
            acks: acks_now - acks,
            resident_kib: resident_kib(),
        })
    }

    /// Publishes for a while, then waits until everything has arrived: it begins and ends with nothing on its way.
    async fn push(&mut self, in_flight: u64, how_long: Duration) -> anyhow::Result<u64> {
        let begun = Instant::now();
        while begun.elapsed() < how_long {
            let room = self.pace.room(in_flight).await?;
            let next = self.pace.published + 1;
            self.pace.published += room;
            self.publisher.publish(next..next + room).await?;
        }
        self.pace.drained().await?;
        self.publisher.acknowledged(self.pace.published).await
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
