//! Clients that have stopped reading: what they cost the process, the kernel, and those that read.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use serde::Serialize;

use crate::latency::Spread;
use crate::report::{Report, Target, median};
use crate::server::{Kind, Outcome, Pressure};
use crate::stage::{Cast, Stage};

#[derive(Args, Debug)]
pub(crate) struct StuckArgs {
    /// How many clients, the stuck ones included.
    #[arg(long, default_value_t = 200)]
    clients: u32,
    /// How many of them stop reading once they have subscribed.
    #[arg(long, default_value_t = 20)]
    stuck: u32,
    /// How many messages a second.
    #[arg(long, default_value_t = 300.0)]
    rate: f64,
    /// How long it is measured, after half of that to fill what is below the clients: less than a stalled client is
    /// given before it is cut.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// How often each cell is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Sample {
    kind: Kind,
    stuck: u32,
    round: u32,
    latency: Spread,
    /// What the process has grown by while it was measured.
    growth_kib: f64,
    /// What the kernel keeps for a stuck client on the server's side.
    kernel_kib: Option<f64>,
    #[serde(flatten)]
    outcome: Outcome,
}

const KINDS: [Kind; 2] = [Kind::Stock, Kind::Fence];

/// Measures both servers in turn, without stuck clients and with them, round by round.
pub(crate) fn measure(args: &StuckArgs, report: &mut Report) -> anyhow::Result<()> {
    ensure!(args.seconds * 1.5 < 25.0, "{} s are too long: stalled clients are cut after 30", args.seconds);
    let measured = Duration::from_secs_f64(args.seconds);
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        for kind in KINDS {
            for stuck in [0, args.stuck] {
                let readers = args.clients - args.stuck;
                let cast = Cast { stuck, ..Cast::new(kind, readers + stuck) };
                let mut stage = Stage::set(cast, report.is_pinned)?;
                let how = Pressure::PerSecond(args.rate);
                let (before, _) = stage.run(how, Duration::ZERO, measured / 2)?;
                let (outcome, seen) = stage.run(how, Duration::ZERO, measured)?;
                let growth_kib = outcome.resident_kib as f64 - before.resident_kib as f64;
                let kernel_kib = if stuck > 0 { kernel_kib(stage.ports.clients, stuck as usize)? } else { None };
                samples.push(Sample { kind, stuck, round, latency: seen.latency, growth_kib, kernel_kib, outcome });
            }
        }
    }
    println!(
        "\n{} messages a second to {} clients that read, beside some that do not: times in ms",
        args.rate,
        args.clients - args.stuck
    );
    println!(
        "  {:24} {:>6} {:>8} {:>8} {:>8} {:>11} {:>14}",
        "", "stuck", "p50", "p99", "RSS MiB", "growth KiB", "kernel KiB each"
    );
    let of = |kind: Kind, stuck: u32, what: fn(&Sample) -> f64| {
        let here = samples.iter().filter(|s| s.kind == kind && s.stuck == stuck);
        median(here.map(what)).unwrap_or(f64::NAN)
    };
    let kernel = |s: &Sample| s.kernel_kib.unwrap_or(f64::NAN);
    for kind in KINDS {
        for stuck in [0, args.stuck] {
            let (p50, p99) = (of(kind, stuck, |s| s.latency.p50_us / 1e3), of(kind, stuck, |s| s.latency.p99_us / 1e3));
            let resident = of(kind, stuck, |s| s.outcome.resident_kib as f64 / 1024.0);
            let (growth, kernel) = (of(kind, stuck, |s| s.growth_kib), of(kind, stuck, kernel));
            println!("  {:24} {stuck:6} {p50:8.2} {p99:8.2} {resident:8.1} {growth:11.0} {kernel:14.0}", kind.title());
        }
    }
    let ours = |stuck, what| of(Kind::Fence, stuck, what);
    let p99 = |s: &Sample| s.latency.p99_us;
    // An eighth is what the same cell differs by from run to run.
    let slower = ours(args.stuck, p99) / ours(0, p99);
    report.judge("stuck", "p99 of those that read, x without stuck clients", slower, Target::AtMost(1.125));
    let growth = ours(args.stuck, |s| s.growth_kib) / f64::from(args.stuck);
    report.judge("stuck", "KiB the process grows by, a stuck client", growth, Target::AtMost(FLAT_KIB));
    let kernel = ours(args.stuck, kernel);
    if kernel.is_nan() {
        println!("  note: `ss` is missing, and what the kernel keeps is not known");
    } else {
        report.judge("stuck", "KiB the kernel keeps, a stuck client", kernel, Target::AtMost(128.0));
    }
    report.keep("stuck", &samples)
}

/// What the kernel keeps for each of the clients it keeps the most for, on the side of the server at this port; `None`
/// without the program that tells.
fn kernel_kib(port: u16, clients: usize) -> anyhow::Result<Option<f64>> {
    let mut command = Command::new("ss");
    command.args(["--tcp", "--memory", "--numeric", "--no-header", "state", "established"]);
    let Ok(output) = command.args(["sport", "=", &format!(":{port}")]).output() else { return Ok(None) };
    ensure!(output.status.success(), "`ss` fails: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut bytes: Vec<u64> =
        text.lines().filter_map(|line| line.split_once("skmem:(")).map(|(_, of)| held(of)).collect();
    ensure!(bytes.len() >= clients, "`ss` tells of {} of {clients} clients: {text}", bytes.len());
    bytes.sort_unstable();
    let held: u64 = bytes[bytes.len() - clients..].iter().sum();
    Ok(Some(held as f64 / 1024.0 / clients as f64))
}

/// What `ss` says is received and not read, queued to be sent, and set aside for either.
fn held(memory: &str) -> u64 {
    let fields = memory.trim_end().trim_end_matches(')').split(',');
    fields
        .filter_map(|field| ["r", "w", "f"].iter().find_map(|name| field.strip_prefix(name)?.parse::<u64>().ok()))
        .sum()
}

/// What a process may grow by for each stuck client and still be flat: the last of a lane that fills.
const FLAT_KIB: f64 = 8.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_socket_holds_is_read_and_its_limits_are_not() {
        let memory = "r10,rb131072,t5,tb2626560,f4096,w300,o7,bl0,d0)";
        assert_eq!(held(memory), 10 + 4096 + 300);
    }
}
