//! At least once: how many acknowledgements a core takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::child::can_pin;
use crate::report::{Target, median, save, verdict};
use crate::server::{Kind, Order, Outcome};
use crate::stage::Stage;

#[derive(Args, Debug)]
pub(crate) struct AcksArgs {
    /// How many messages a client may have and not have acknowledged.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 256])]
    windows: Vec<u16>,
    /// How many clients.
    #[arg(long, default_value_t = 100)]
    clients: u32,
    /// How long each cell is measured.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Where to keep all numbers.
    #[arg(long)]
    json: Option<PathBuf>,
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
pub(crate) fn run(args: &AcksArgs) -> anyhow::Result<()> {
    let is_pinned = can_pin();
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        for &window in &args.windows {
            let mut stage = Stage::set(Kind::Fence, args.clients, Some(window), is_pinned)?;
            let measured = Duration::from_secs_f64(args.seconds);
            // Enough that every window is full: twice the window, and not less than the fan-out has.
            let in_flight = (2 * u64::from(window)).max(32);
            let outcome = stage.run(Order { in_flight, warm_up: measured / 5, measured })?;
            let acks_per_cpu_second = outcome.acks as f64 / (outcome.cpu.total_us / 1e6);
            samples.push(Sample { window, clients: args.clients, round, acks_per_cpu_second, outcome });
        }
    }
    println!("\nat least once, {} acking clients: no loss, no duplicate, in order", args.clients);
    println!("  {:>8} {:>14} {:>9} {:>9} {:>8}", "window", "acks/s a core", "us each", "acks/s", "RSS MiB");
    for &window in &args.windows {
        let of = |what: fn(&Sample) -> f64| {
            median(samples.iter().filter(|s| s.window == window).map(what)).unwrap_or_default()
        };
        let rate = of(|s| s.acks_per_cpu_second);
        let (wall, resident) =
            (of(|s| s.outcome.acks as f64 / s.outcome.seconds), of(|s| s.outcome.resident_kib as f64 / 1024.0));
        println!("  {window:8} {rate:14.0} {:9.2} {wall:9.0} {resident:8.0}", 1e6 / rate);
    }
    for &window in args.windows.iter().filter(|&&window| window == 32) {
        let rates = samples.iter().filter(|s| s.window == window).map(|s| s.acks_per_cpu_second);
        println!(
            "  {}",
            verdict("acks/s a core, window 32", median(rates).unwrap_or_default(), Target::AtLeast(100_000.0))
        );
    }
    save(args.json.as_deref(), &samples)
}
