//! A steady rhythm: how long messages are on their way when the publisher waits for nobody.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::latency::Spread;
use crate::report::{Report, Target, median};
use crate::server::{Kind, Outcome, Pressure};
use crate::stage::{Cast, Stage};

#[derive(Args, Debug)]
pub(crate) struct OpenArgs {
    /// How many messages a second, one table for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [50.0, 100.0])]
    rates: Vec<f64>,
    /// How many clients.
    #[arg(long, default_value_t = 1_000)]
    clients: u32,
    /// How long each cell is measured.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Sample {
    kind: Kind,
    rate: f64,
    round: u32,
    latency: Spread,
    #[serde(flatten)]
    outcome: Outcome,
}

const KINDS: [Kind; 2] = [Kind::Stock, Kind::Fence];

/// Measures both servers in turn, round by round; which one goes first changes with the rounds.
pub(crate) fn measure(args: &OpenArgs, report: &mut Report) -> anyhow::Result<()> {
    let measured = Duration::from_secs_f64(args.seconds);
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        let mut kinds = KINDS;
        kinds.rotate_left(round as usize % KINDS.len());
        for kind in kinds {
            let mut stage = Stage::set(Cast::new(kind, args.clients), report.is_pinned)?;
            for &rate in &args.rates {
                // Asked apart, so that the times are those of the measured part alone.
                stage.run(Pressure::PerSecond(rate), Duration::ZERO, measured / 5)?;
                let (outcome, seen) = stage.run(Pressure::PerSecond(rate), Duration::ZERO, measured)?;
                samples.push(Sample { kind, rate, round, latency: seen.latency, outcome });
            }
        }
    }
    for &rate in &args.rates {
        println!("\nopen loop, {rate} messages a second to {} clients: from due to read, in ms", args.clients);
        println!("  {:24} {:>8} {:>8} {:>8} {:>12}", "", "p50", "p99", "longest", "us a message");
        let of = |kind: Kind, what: fn(&Sample) -> f64| {
            let here = samples.iter().filter(|s| s.kind == kind && s.rate == rate);
            median(here.map(what)).unwrap_or(f64::NAN)
        };
        for kind in KINDS {
            let ms = |what: fn(&Sample) -> f64| of(kind, what) / 1e3;
            let (p50, p99) = (ms(|s| s.latency.p50_us), ms(|s| s.latency.p99_us));
            let longest = ms(|s| s.latency.longest_us);
            let cost = of(kind, |s| s.outcome.cpu.total_us / s.outcome.delivered as f64);
            println!("  {:24} {p50:8.2} {p99:8.2} {longest:8.2} {cost:12.2}", kind.title());
        }
        let ratio = |what: fn(&Sample) -> f64| of(Kind::Fence, what) / of(Kind::Stock, what);
        let of_stock = |which: &str| format!("{which}, {rate} messages a second, x stock");
        report.judge("open", of_stock("p50"), ratio(|s| s.latency.p50_us), Target::AtMost(1.0));
        report.judge("open", of_stock("p99"), ratio(|s| s.latency.p99_us), Target::AtMost(1.0));
    }
    report.keep("open", &samples)
}
