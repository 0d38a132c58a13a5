//! At least once: how many acknowledgements a core takes.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::report::{Report, Target, median};
use crate::server::{Kind, Outcome, Pressure};
use crate::stage::{Cast, Stage};

#[derive(Args, Debug)]
pub(crate) struct AcksArgs {
    /// How many messages a client may have and not have acknowledged.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 256])]
    windows: Vec<u16>,
    /// How many clients.
    #[arg(long, default_value_t = 100)]
    clients: u32,
    /// How long each cell is measured.
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Sample {
    window: u16,
    clients: u32,
    round: u32,
    acks_per_cpu_second: f64,
    #[serde(flatten)]
    outcome: Outcome,
}

/// Measures every window in turn, round by round. Loss, duplicates and disorder end it with an error.
pub(crate) fn measure(args: &AcksArgs, report: &mut Report) -> anyhow::Result<()> {
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        for &window in &args.windows {
            let cast = Cast { window: Some(window), ..Cast::new(Kind::Fence, args.clients) };
            let mut stage = Stage::set(cast, report.is_pinned)?;
            let measured = Duration::from_secs_f64(args.seconds);
            // Enough that every window is full: twice the window, and not less than the fan-out has.
            let in_flight = (2 * u64::from(window)).max(32);
            let (outcome, _) = stage.run(Pressure::InFlight(in_flight), measured / 5, measured)?;
            let acks_per_cpu_second = outcome.acks as f64 / (outcome.cpu.total_us / 1e6);
            samples.push(Sample { window, clients: args.clients, round, acks_per_cpu_second, outcome });
        }
    }
    println!("\nat least once, {} acking clients: no loss, no duplicate, in order", args.clients);
    println!("  {:>8} {:>14} {:>9} {:>9} {:>8}", "window", "acks/s a core", "us each", "acks/s", "RSS MiB");
    let of = |window: u16, what: fn(&Sample) -> f64| {
        median(samples.iter().filter(|s| s.window == window).map(what)).unwrap_or(f64::NAN)
    };
    for &window in &args.windows {
        let rate = of(window, |s| s.acks_per_cpu_second);
        let wall = of(window, |s| s.outcome.acks as f64 / s.outcome.seconds);
        let resident = of(window, |s| s.outcome.resident_kib as f64 / 1024.0);
        println!("  {window:8} {rate:14.0} {:9.2} {wall:9.0} {resident:8.0}", 1e6 / rate);
    }
    if args.windows.contains(&32) {
        let rate = of(32, |s| s.acks_per_cpu_second);
        report.judge("acks", "acks a second of server CPU, window 32", rate, Target::AtLeast(250_000.0));
        if args.windows.contains(&1) {
            let rate = of(1, |s| s.acks_per_cpu_second);
            report.judge("acks", "acks a second of server CPU, window 1", rate, Target::AtLeast(125_000.0));
        }
    }
    report.keep("acks", &samples)
}
