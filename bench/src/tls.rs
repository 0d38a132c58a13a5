//! The same fan-out over TLS: what the encryption adds to a delivered message.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::fanout::SATURATING;
use crate::report::{Report, Target, median};
use crate::server::{Kind, Outcome, Pressure};
use crate::stage::{Cast, Stage};

#[derive(Args, Debug)]
pub(crate) struct TlsArgs {
    /// How many clients.
    #[arg(long, default_value_t = 1_000)]
    clients: u32,
    /// How long each cell is measured.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Sample {
    tls: bool,
    round: u32,
    us_per_message: f64,
    #[serde(flatten)]
    outcome: Outcome,
}

/// Measures without and with TLS in turn, round by round.
pub(crate) fn measure(args: &TlsArgs, report: &mut Report) -> anyhow::Result<()> {
    let measured = Duration::from_secs_f64(args.seconds);
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        for tls in [false, true] {
            let cast = Cast { tls, ..Cast::new(Kind::Fence, args.clients) };
            let mut stage = Stage::set(cast, report.is_pinned)?;
            let (outcome, _) = stage.run(Pressure::InFlight(SATURATING), measured / 5, measured)?;
            let us_per_message = outcome.cpu.total_us / outcome.delivered as f64;
            samples.push(Sample { tls, round, us_per_message, outcome });
        }
    }
    let of = |tls: bool| median(samples.iter().filter(|s| s.tls == tls).map(|s| s.us_per_message)).unwrap_or(f64::NAN);
    let (plain, encrypted) = (of(false), of(true));
    println!("\nfan-out to {} clients, {SATURATING} in flight: server CPU per delivered message, in us", args.clients);
    println!("  plain {plain:.2}, over TLS 1.3 {encrypted:.2}");
    report.judge("tls", "CPU a message over TLS, x plain", encrypted / plain, Target::AtMost(2.0));
    report.keep("tls", &samples)
}
