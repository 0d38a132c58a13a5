//! One publisher, many subscribers: what a delivered message costs the server.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::report::{Report, Target, median};
use crate::server::{Kind, Outcome, Pressure};
use crate::stage::{Cast, Stage};

#[derive(Args, Debug)]
pub(crate) struct FanoutArgs {
    /// How many clients, one table for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 5_000])]
    clients: Vec<u32>,
    /// How long each cell is measured.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only these servers.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// These loads, with every number of clients. Default: those of which something is wanted.
    #[arg(long, value_delimiter = ',')]
    loads: Vec<Load>,
}

/// How hard the publisher pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Load {
    /// 32 messages may be published that not every client has.
    Saturating,
    /// The next message is published when every client has the last one.
    OneInFlight,
}

impl Load {
    const ALL: [Self; 2] = [Self::Saturating, Self::OneInFlight];

    fn in_flight(self) -> u64 {
        match self {
            Self::Saturating => SATURATING,
            Self::OneInFlight => 1,
        }
    }

    /// Whether something is wanted of it with so many clients.
    fn is_judged(self, clients: u32) -> bool {
        TARGETS.iter().any(|&(load, only, ..)| load == self && only.is_none_or(|only| only == clients))
    }
}

/// How many messages are on their way when a server has all the work it can take.
pub(crate) const SATURATING: u64 = 32;

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
pub(crate) fn measure(args: &FanoutArgs, report: &mut Report) -> anyhow::Result<()> {
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| args.only.is_empty() || args.only.contains(kind)).collect();
    let measured = Duration::from_secs_f64(args.seconds);
    let wanted = |clients: u32| Load::ALL.into_iter().filter(move |load| load.is_judged(clients)).collect();
    let loads = |clients| if args.loads.is_empty() { wanted(clients) } else { args.loads.clone() };
    let mut samples = Vec::new();
    for &clients in &args.clients {
        for round in 1..=args.rounds {
            for &kind in &kinds {
                let mut stage = Stage::set(Cast::new(kind, clients), report.is_pinned)?;
                for load in loads(clients) {
                    let how = Pressure::InFlight(load.in_flight());
                    let (outcome, _) = stage.run(how, measured / 5, measured)?;
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
        for load in loads(clients) {
            let here: Vec<&Sample> = samples.iter().filter(|s| s.clients == clients && s.load == load).collect();
            print(clients, load, &here, report);
        }
    }
    report.keep("fanout", &samples)
}

fn print(clients: u32, load: Load, samples: &[&Sample], report: &mut Report) {
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
    let Some(ours) = of(Kind::Fence, |s| s.us_per_message) else { return };
    for (load_of_target, only_for, other, most) in TARGETS {
        let is_meant = load == load_of_target && only_for.is_none_or(|only| only == clients);
        if let Some(theirs) = of(other, |s| s.us_per_message).filter(|_| is_meant) {
            let figure =
                format!("CPU a message, {clients} clients, {} in flight, x {}", load.in_flight(), other.title());
            report.judge("fanout", figure, ours / theirs, Target::AtMost(most));
        }
    }
}

/// Of which load, with how many clients, beside which server, at most how many times its cost.
const TARGETS: [(Load, Option<u32>, Kind, f64); 3] = [
    (Load::Saturating, None, Kind::Stock, 0.7),
    (Load::Saturating, None, Kind::BareCoalesced, 2.0),
    (Load::OneInFlight, Some(1_000), Kind::BareSend, 1.25),
];
