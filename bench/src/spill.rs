//! Spilling to disk, end to end: how fast a client that withholds its acks is put on disk and caught up, and what the
//! publisher feels of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::child::{CLIENTS_CORE, Process};
use crate::report::{Report, Target, median};
use crate::spill_server::{Absorbed, Overflowing, SpillOrder, Times};

#[derive(Args, Debug)]
pub(crate) struct SpillArgs {
    /// How many messages of a kibibyte are published while the client acks nothing.
    #[arg(long, default_value_t = 200_000)]
    messages: u64,
    /// How many of them are published one after the other, to see what the publisher feels.
    #[arg(long, default_value_t = 100_000)]
    timed: u64,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// What the client says when it has had all of it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Recovered {
    /// Since it was told to ack.
    pub(crate) seconds: f64,
}

#[derive(Debug, Serialize)]
struct Sample {
    round: u32,
    messages: u64,
    absorbed: Absorbed,
    recovered: Recovered,
    spill: Times,
    reject: Times,
}

/// Measures all of it in turn, round by round. Loss, duplicates and disorder end it with an error.
pub(crate) fn measure(args: &SpillArgs, report: &mut Report) -> anyhow::Result<()> {
    let mut samples = Vec::new();
    for round in 1..=args.rounds {
        let (absorbed, recovered) = flood(args.messages, report.is_pinned)?;
        let spill = time(Overflowing::Spill, args.timed, report.is_pinned)?;
        let reject = time(Overflowing::Reject, args.timed, report.is_pinned)?;
        samples.push(Sample { round, messages: args.messages, absorbed, recovered, spill, reject });
    }
    let of = |what: fn(&Sample) -> f64| median(samples.iter().map(what)).unwrap_or(f64::NAN);
    let absorb = of(|s| s.messages as f64 / s.absorbed.seconds);
    let recover = of(|s| s.messages as f64 / s.recovered.seconds);
    let resident = of(|s| s.absorbed.resident_kib as f64 / 1024.0);
    println!("\nspilling: {} messages of 1 KiB to a client that withholds its acks, then all of them", args.messages);
    let refused = of(|s| s.absorbed.refused as f64);
    println!("  absorbed {absorb:.0} messages/s, {refused:.0} more refused for a busy disk, RSS {resident:.0} MiB");
    println!("  recovered {recover:.0} messages/s");
    println!("  {} publishes, one at a time, in us: {:>8} {:>8} {:>8}", args.timed, "p50", "p99", "p99.99");
    type Row = (&'static str, fn(&Sample) -> Times);
    let rows: [Row; 2] = [("with spilling", |s| s.spill), ("without", |s| s.reject)];
    for (title, times) in rows {
        let of = |what: fn(Times) -> f64| median(samples.iter().map(|s| what(times(s)))).unwrap_or(f64::NAN);
        let [p50, p99, p9999] = [of(|t| t.p50_us), of(|t| t.p99_us), of(|t| t.p9999_us)];
        println!("  {title:38} {p50:8.1} {p99:8.1} {p9999:8.1}");
    }
    report.judge("spill", "messages a second absorbed, one client", absorb, Target::AtLeast(200_000.0));
    report.judge("spill", "messages a second recovered, one client", recover, Target::AtLeast(100_000.0));
    let more = of(|s| s.spill.p9999_us - s.reject.p9999_us);
    report.judge("spill", "us of a publish at p99.99, more than without", more, Target::AtMost(250.0));
    report.keep("spill", &samples)
}

fn flood(messages: u64, is_pinned: bool) -> anyhow::Result<(Absorbed, Recovered)> {
    let (mut server, mut client, _directory) = stage(Overflowing::Spill, messages, is_pinned)?;
    let absorbed = server.ask(&SpillOrder::Absorb { messages }, PATIENCE)?;
    let recovered = client.ask(&"go", PATIENCE)?;
    Ok((absorbed, recovered))
}

fn time(overflow: Overflowing, messages: u64, is_pinned: bool) -> anyhow::Result<Times> {
    let (mut server, _client, _directory) = stage(overflow, messages, is_pinned)?;
    server.ask(&SpillOrder::Time { messages }, PATIENCE)
}

/// A server and its one client, which acks nothing until it is told to.
fn stage(overflow: Overflowing, messages: u64, is_pinned: bool) -> anyhow::Result<(Process, Process, Directory)> {
    let directory = Directory::new();
    let path = directory.0.display().to_string();
    let arguments = ["spill-server".to_owned(), overflow.name(), "--directory".to_owned(), path];
    // Not pinned: the threads of the store have a core beside the shard's, as long as the client has nothing to do.
    let server = Process::start(None, &arguments)?;
    let port: u16 = server.hear(PATIENCE)?;
    let arguments = ["spill-client", "--port", &port.to_string(), "--messages", &messages.to_string()];
    let client = Process::start(is_pinned.then_some(CLIENTS_CORE), &arguments.map(str::to_owned))?;
    client.hear::<bool>(PATIENCE)?;
    Ok((server, client, directory))
}

/// Where a server spills to; removed with all that is in it, whatever became of the server.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("streamfence-bench-spill-{}", std::process::id())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A server that never opened it has left nothing.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const PATIENCE: Duration = Duration::from_secs(90);
