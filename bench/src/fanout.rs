//! One publisher, many subscribers: what a delivered message costs the server.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::child::can_pin;
use crate::pace::Load;
use crate::report::{Target, median, save, verdict};
use crate::server::{Kind, Order, Outcome};
use crate::stage::Stage;

#[derive(Args, Debug)]
pub(crate) struct FanoutArgs {
    /// How many clients, one table for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 5_000])]
    clients: Vec<u32>,
    /// How long each cell is measured.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only these servers.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Where to keep all numbers.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Sample {
    kind: Kind,
    clients: u32,
    load: Load,
    round: u32,
    us_per_message: f64,
    user_us_per_message: f64,
    #[serde(flatten)]
    outcome: Outcome,
}

/// Measures every cell in turn, round by round, so that a change of the machine's mood hits all rows alike.
pub(crate) fn run(args: &FanoutArgs) -> anyhow::Result<()> {
    let is_pinned = can_pin();
    if !is_pinned {
        println!("note: `taskset` or a second core is missing; nothing is pinned, and ratios are less sure");
    }
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| args.only.is_empty() || args.only.contains(kind)).collect();
    let measured = Duration::from_secs_f64(args.seconds);
    let mut samples = Vec::new();
    for &clients in &args.clients {
        for round in 1..=args.rounds {
            for &kind in &kinds {
                let mut stage = Stage::set(kind, clients, None, is_pinned)?;
                for load in Load::ALL {
                    let outcome = stage.run(Order::new(load, measured))?;
                    let per_message = |us: f64| us / outcome.delivered as f64;
                    samples.push(Sample {
                        kind,
                        clients,
                        load,
                        round,
                        us_per_message: per_message(outcome.cpu.total_us),
                        user_us_per_message: per_message(outcome.cpu.user_us),
                        outcome,
                    });
                }
            }
        }
        for load in Load::ALL {
            let here: Vec<&Sample> = samples.iter().filter(|s| s.clients == clients && s.load == load).collect();
            print(clients, load, &here);
        }
    }
    save(args.json.as_deref(), &samples)
}

fn print(clients: u32, load: Load, samples: &[&Sample]) {
    println!("\nfan-out to {clients} clients, {} in flight: server CPU per delivered message", load.in_flight());
    println!(
        "  {:24} {:>8} {:>7} {:>7} {:>9} {:>8} {:>7} {:>7} {:>7}",
        "", "us", "user", "system", "msg/s", "RSS MiB", "x (a)", "x (b)", "x (c)"
    );
    let of = |kind: Kind, what: fn(&Sample) -> f64| median(samples.iter().filter(|s| s.kind == kind).map(|s| what(s)));
    for kind in Kind::ALL {
        let Some(cost) = of(kind, |s| s.us_per_message) else { continue };
        let user = of(kind, |s| s.user_us_per_message).unwrap_or_default();
        let rate = of(kind, |s| s.outcome.delivered as f64 / s.outcome.seconds).unwrap_or_default();
        let resident = of(kind, |s| s.outcome.resident_kib as f64 / 1024.0).unwrap_or_default();
        let ratios: String = [Kind::BareSend, Kind::BareCoalesced, Kind::Stock]
            .into_iter()
            .map(|other| {
                of(other, |s| s.us_per_message).map_or(format!(" {:>7}", ""), |other| format!(" {:>7.2}", cost / other))
            })
            .collect();
        let system = cost - user;
        println!("  {:24} {cost:8.2} {user:7.2} {system:7.2} {rate:9.0} {resident:8.0}{ratios}", kind.title());
    }
    if let (Some(ours), Some(stock)) = (of(Kind::Fence, |s| s.us_per_message), of(Kind::Stock, |s| s.us_per_message)) {
        println!("  {}", verdict("(d) of (c)", ours / stock, target(clients, load)));
    }
}

/// With tier 1, which goes through the library.
fn target(clients: u32, load: Load) -> Target {
    Target::AtMost(match load {
        Load::Saturating if clients <= 100 => 2.5,
        Load::Saturating => 2.0,
        Load::OneInFlight => 1.4,
    })
}
