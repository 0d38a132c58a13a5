//! Clients that come all at once, as after a restart: how many get in a second, and what one costs the server.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::client::Client;
use crate::clients::{CONNECTED_AT_ONCE, PATIENCE};
use crate::latency::{Histogram, Spread, now_ns};
use crate::message::QUIET;
use crate::report::{Report, Target, median};
use crate::server::{Kind, say};
use crate::stage::Stage;

#[derive(Args, Debug)]
pub(crate) struct StormArgs {
    /// How many clients come.
    #[arg(long, default_value_t = 2_000)]
    clients: u32,
    /// How often each server is stormed; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// An order to storm: until one of both is reached.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Storm {
    pub(crate) clients: u32,
    pub(crate) at_most: Duration,
    /// Whether they stay until all are in, rather than leave as soon as they are.
    pub(crate) stay: bool,
}

/// What came of a storm.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Stormed {
    /// How many connected and subscribed.
    pub(crate) clients: u32,
    pub(crate) seconds: f64,
    /// How long one took to get in.
    pub(crate) entering: Spread,
}

impl Stormed {
    pub(crate) fn a_second(&self) -> f64 {
        f64::from(self.clients) / self.seconds
    }
}

#[derive(Debug, Serialize)]
struct Sample {
    kind: Kind,
    round: u32,
    us_per_client: f64,
    #[serde(flatten)]
    stormed: Stormed,
}

const KINDS: [Kind; 2] = [Kind::Stock, Kind::Fence];

/// Storms each server in turn, round by round.
pub(crate) fn measure(args: &StormArgs, report: &mut Report) -> anyhow::Result<()> {
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        for kind in KINDS {
            let mut stage = Stage::empty(kind, args.clients, report.is_pinned)?;
            let mut storm = stage.storm(args.clients)?;
            // What a server does once only is not what a client costs.
            let few = Storm { clients: CONNECTED_AT_ONCE, at_most: PATIENCE, stay: true };
            storm.ask::<Stormed>(&few, 2 * PATIENCE)?;
            let before = stage.look()?;
            let order = Storm { clients: args.clients, ..few };
            let stormed: Stormed = storm.ask(&order, 2 * PATIENCE)?;
            let after = stage.look()?;
            ensure!(stormed.clients == args.clients, "only {} of {} clients got in", stormed.clients, args.clients);
            let us_per_client = (after.cpu_us - before.cpu_us) / f64::from(stormed.clients);
            samples.push(Sample { kind, round, us_per_client, stormed });
        }
    }
    println!("\nstorm of {} clients, {CONNECTED_AT_ONCE} at once: connect, join, subscribe", args.clients);
    println!("  {:24} {:>12} {:>9} {:>12}", "", "us a client", "clients/s", "p99 ms to enter");
    let of = |kind: Kind, what: fn(&Sample) -> f64| {
        median(samples.iter().filter(|s| s.kind == kind).map(what)).unwrap_or(f64::NAN)
    };
    for kind in KINDS {
        let rate = of(kind, |s| s.stormed.a_second());
        let (cost, p99) = (of(kind, |s| s.us_per_client), of(kind, |s| s.stormed.entering.p99_us / 1e3));
        println!("  {:24} {cost:12.1} {rate:9.0} {p99:12.1}", kind.title());
    }
    let ratio = |what: fn(&Sample) -> f64| of(Kind::Fence, what) / of(Kind::Stock, what);
    let by_cpu = ratio(|s| 1.0 / s.us_per_client);
    report.judge("storm", "clients a second of server CPU, x stock", by_cpu, Target::AtLeast(1.0));
    report.judge("storm", "clients a second, x stock", ratio(|s| s.stormed.a_second()), Target::AtLeast(1.0));
    report.keep("storm", &samples)
}

/// Obeys orders to storm until standard input ends.
pub(crate) async fn run(port: u16, most: u32, orders: &mut mpsc::Receiver<String>) -> anyhow::Result<()> {
    say(&most)?;
    // Their end would cost the server something while it is looked at.
    let mut all = Vec::new();
    while let Some(order) = orders.recv().await {
        let order: Storm = serde_json::from_str(&order).context("an order to storm")?;
        let (stormed, staying) = storm(port, order).await?;
        all.extend(staying);
        say(&stormed)?;
    }
    Ok(())
}

async fn storm(port: u16, order: Storm) -> anyhow::Result<(Stormed, Vec<Client>)> {
    let begun = Instant::now();
    let shared: Rc<RefCell<(u32, Histogram, Vec<Client>)>> = Rc::default();
    let lanes = (0..CONNECTED_AT_ONCE.min(order.clients)).map(|_| {
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            while begun.elapsed() < order.at_most {
                if shared.borrow().0 == order.clients {
                    break;
                }
                shared.borrow_mut().0 += 1;
                let began = now_ns();
                let client = tokio::time::timeout(PATIENCE, Client::join(port, QUIET, false, None)).await;
                let client = client.context("a client was not let in")??;
                let (_, entering, staying) = &mut *shared.borrow_mut();
                entering.add_ns(now_ns() - began);
                if order.stay {
                    staying.push(client);
                }
            }
            anyhow::Ok(())
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (clients, mut entering, staying) = shared.take();
    Ok((Stormed { clients, seconds, entering: entering.take() }, staying))
}
