//! What a client costs that has subscribed and hears nothing.

use anyhow::ensure;
use clap::Args;
use serde::Serialize;

use crate::report::{Report, Target, median};
use crate::server::Kind;
use crate::stage::Stage;

#[derive(Args, Debug)]
pub(crate) struct IdleArgs {
    /// How many clients; a fifth of them comes before the memory is looked at for the first time.
    #[arg(long, default_value_t = 2_500)]
    clients: u32,
    /// How often each server is filled; the median counts.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Only these servers.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
}

#[derive(Debug, Serialize)]
struct Sample {
    kind: Kind,
    clients: u32,
    round: u32,
    kib_per_client: f64,
}

const KINDS: [Kind; 3] = [Kind::BareSend, Kind::Stock, Kind::Fence];

/// Fills each server in turn.
pub(crate) fn measure(args: &IdleArgs, report: &mut Report) -> anyhow::Result<()> {
    let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| args.only.is_empty() || args.only.contains(kind)).collect();
    let first = args.clients / 5;
    ensure!(first > 0, "{} clients are too few", args.clients);
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        for &kind in &kinds {
            let mut stage = Stage::empty(kind, args.clients, report.is_pinned)?;
            stage.fill(first)?;
            let before = stage.look()?.resident_kib as f64;
            stage.fill(args.clients - first)?;
            let kib_per_client = (stage.look()?.resident_kib as f64 - before) / f64::from(args.clients - first);
            samples.push(Sample { kind, clients: args.clients, round, kib_per_client });
        }
    }
    println!("\nidle: resident memory of the server for each of {} clients that have subscribed", args.clients);
    println!("  {:24} {:>8}", "", "KiB");
    let of = |kind: Kind| median(samples.iter().filter(|s| s.kind == kind).map(|s| s.kib_per_client));
    for &kind in &kinds {
        println!("  {:24} {:8.1}", kind.title(), of(kind).unwrap_or(f64::NAN));
    }
    if let Some(ours) = of(Kind::Fence) {
        report.judge("idle", "KiB of resident memory, a subscribed client", ours, Target::AtMost(20.0));
    }
    report.keep("idle", &samples)
}
