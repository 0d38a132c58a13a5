//! Clients that come and go while everybody else is served: neither is to wait for the other but for the CPU.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::child::Process;
use crate::clients::CONNECTED_AT_ONCE;
use crate::fanout::SATURATING;
use crate::report::{Report, Target, median};
use crate::server::{Kind, Outcome, Pressure};
use crate::stage::{Cast, Stage};
use crate::storm::{Storm, Stormed};

#[derive(Args, Debug)]
pub(crate) struct RushArgs {
    /// How many clients are served.
    #[arg(long, default_value_t = 1_000)]
    clients: u32,
    /// How long each cell is measured.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Sample {
    kind: Kind,
    round: u32,
    /// Delivered messages a second with nobody coming, and with somebody.
    alone: f64,
    delivered: f64,
    /// Clients that come, a second, with nothing published, and beside a saturating fan-out.
    storm_alone: Stormed,
    storm: Stormed,
}

impl Sample {
    fn deliveries(&self) -> f64 {
        self.delivered / self.alone
    }

    fn connects(&self) -> f64 {
        self.storm.a_second() / self.storm_alone.a_second()
    }
}

const KINDS: [Kind; 2] = [Kind::Stock, Kind::Fence];

/// Measures each server with both alone and together, round by round.
pub(crate) fn measure(args: &RushArgs, report: &mut Report) -> anyhow::Result<()> {
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        for kind in KINDS {
            let mut stage = Stage::set(Cast::new(kind, args.clients), report.is_pinned)?;
            let mut storm = stage.storm(CONNECTED_AT_ONCE)?;
            samples.push(sample(kind, round, Duration::from_secs_f64(args.seconds), &mut stage, &mut storm)?);
        }
    }
    println!(
        "\nclients come and go while {} others get all they can take: rates, and as a share of alone",
        args.clients
    );
    println!(
        "  {:24} {:>9} {:>6} {:>11} {:>6} {:>14} {:>14}",
        "", "msg/s", "share", "clients/s", "share", "p99 ms to enter", "alone"
    );
    let of = |kind: Kind, what: fn(&Sample) -> f64| {
        median(samples.iter().filter(|s| s.kind == kind).map(what)).unwrap_or(f64::NAN)
    };
    for kind in KINDS {
        let (messages, clients) = (of(kind, |s| s.delivered), of(kind, |s| s.storm.a_second()));
        let (deliveries, connects) = (of(kind, Sample::deliveries), of(kind, Sample::connects));
        let p99 = of(kind, |s| s.storm.entering.p99_us / 1e3);
        let alone = of(kind, |s| s.storm_alone.entering.p99_us / 1e3);
        println!(
            "  {:24} {messages:9.0} {deliveries:6.2} {clients:11.0} {connects:6.2} {p99:15.1} {alone:14.1}",
            kind.title()
        );
    }
    let both = of(Kind::Fence, |s| s.deliveries() + s.connects());
    report.judge("rush", "deliveries and connects at once, shares of each alone", both, Target::AtLeast(0.9));
    let p99 = |kind| of(kind, |s| s.storm.entering.p99_us);
    let entering = p99(Kind::Fence) / p99(Kind::Stock);
    report.judge("rush", "p99 of entering during a fan-out, x stock", entering, Target::AtMost(1.0));
    report.keep("rush", &samples)
}

fn sample(
    kind: Kind,
    round: u32,
    measured: Duration,
    stage: &mut Stage,
    storm: &mut Process,
) -> anyhow::Result<Sample> {
    let how = Pressure::InFlight(SATURATING);
    let order = |at_most| Storm { clients: u32::MAX, at_most, stay: false };
    let rate = |outcome: &Outcome| outcome.delivered as f64 / outcome.seconds;
    let (alone, _) = stage.run(how, measured / 5, measured)?;
    let storm_alone: Stormed = storm.ask(&order(measured), PATIENCE)?;
    // The storm is there before the measured part begins, and until it has ended.
    stage.begin(how, measured / 5, measured)?;
    let stormed: Stormed = storm.ask(&order(measured * 6 / 5), PATIENCE)?;
    let (both, _) = stage.end(measured * 6 / 5)?;
    Ok(Sample { kind, round, alone: rate(&alone), delivered: rate(&both), storm_alone, storm: stormed })
}

const PATIENCE: Duration = Duration::from_secs(90);
