//! `streamfence bench`: clients, some of them slow, and a publisher, against any server; what became of the messages.

mod counts;
mod load;
mod metrics;
mod process;
mod publisher;
mod report;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use streamfence_client::Target;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::descriptors;
use crate::exit::Failure;
use crate::remote::{AdminArgs, failure, rate, seconds, unless_interrupted};
use crate::say;
use counts::{Counts, Group};
use load::Load;
use process::Process;
use report::{Outcome, Server};

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// The namespace
    namespace: String,
    /// The topic that is published to and subscribed to
    topic: String,
    /// Where the clients connect
    #[arg(long, value_name = "URL", env = "STREAMFENCE_SERVER", default_value = "http://127.0.0.1:3000")]
    server: Target,
    /// The path that Socket.IO is served under
    #[arg(long, default_value = "/socket.io")]
    path: String,
    /// The token that clients show at the door
    #[arg(long, env = "STREAMFENCE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How many clients read as fast as they can
    #[arg(long, value_name = "N", default_value_t = 100)]
    clients: u32,
    /// How many more are slow
    #[arg(long, value_name = "N", default_value_t = 0)]
    slow: u32,
    /// How many bytes a second a slow one reads
    #[arg(long, value_name = "BPS", default_value = "2000")]
    slow_bps: NonZeroU32,
    /// How many messages a second are published
    #[arg(long, value_name = "PER SECOND", value_parser = rate, default_value = "100")]
    rate: f64,
    /// For how many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    duration: Duration,
    /// How large a payload is, about
    #[arg(long, value_name = "BYTES", default_value_t = 256)]
    payload_bytes: u32,
    /// How many connections publish
    #[arg(long, value_name = "N", default_value = "4")]
    publishers: NonZeroU32,
    /// How many messages a request publishes at most, of those that are due; 1 for a request each
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1000))]
    batch: u32,
    /// The process of the server, on this machine: what it takes of CPU and memory is shown too
    #[arg(long)]
    pid: Option<u32>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
    /// Show no progress on stderr
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(crate) fn run(args: BenchArgs) -> Result<(), Failure> {
    if args.clients == 0 && args.slow == 0 {
        return Err(Failure::Usage("found no clients; wanted --clients or --slow above 0".into()));
    }
    descriptors::take_all();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::other)?;
    let outcome = runtime.block_on(unless_interrupted(bench(Arc::new(args))));
    runtime.shutdown_background();
    outcome
}

/// How long the last messages may be on their way.
const LAST: Duration = Duration::from_secs(5);
/// So long nothing comes any more when everything has come.
const QUIET: Duration = Duration::from_secs(1);
/// How often one looks.
const LOOK: Duration = Duration::from_millis(50);

async fn bench(args: Arc<BenchArgs>) -> Result<(), Failure> {
    let mut api = args.admin.api()?;
    let mut process = args.pid.map(Process::of).transpose()?;
    let counts = Arc::new(Counts::default());
    let load = Load::new(&args, counts.clone())?;
    let (stop, stopped) = watch::channel(false);

    let mut clients = JoinSet::new();
    load.connect(&mut clients, &stopped).await?;
    progress(&args, format_args!("{} clients connected, {} of them slow", args.clients + args.slow, args.slow));

    let before = api.get("/metrics").await.map_err(failure).and_then(metrics::read);
    if let Err(why) = &before {
        progress(&args, format_args!("no metrics: {}", why.why()));
    }
    let begin = Instant::now();
    let cpu_before = process.as_ref().map(Process::cpu).transpose()?;
    let mut publishers = JoinSet::new();
    load.publish(&mut publishers, begin)?;
    watch_it(&args, &counts, begin, &mut process, &mut publishers).await?;
    let took = begin.elapsed();
    let cpu_seconds = match (&process, cpu_before) {
        (Some(process), Some(before)) => Some(process.cpu()?.saturating_sub(before).as_secs_f64()),
        _ => None,
    };
    until_heard(&counts.quick, counts.published() * u64::from(args.clients)).await;
    let policies = match before {
        Ok(before) => {
            let after = metrics::read(api.get("/metrics").await.map_err(failure)?)?;
            Some(metrics::changes(&before, &after, &args.namespace, &args.topic))
        }
        Err(_) => None,
    };
    stop.send_replace(true);
    clients.join_all().await;

    let server = Server { policies, cpu_seconds, rss_bytes: process.as_ref().map(|process| process.rss_peak_bytes) };
    let outcome = Outcome { args: &args, counts: &counts, took, server };
    if args.json { say::line(outcome.json()) } else { say::line(outcome.text().trim_end()) }
}

/// Says once a second how it goes, until all is published.
async fn watch_it(
    args: &BenchArgs,
    counts: &Counts,
    begin: Instant,
    process: &mut Option<Process>,
    publishers: &mut JoinSet<Result<(), Failure>>,
) -> Result<(), Failure> {
    const EVERY: Duration = Duration::from_secs(1);
    let mut ticks = interval_at(begin + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut received = 0;
    let mut publishing = true;
    loop {
        tokio::select! {
            ended = publishers.join_next(), if publishing => match ended {
                Some(outcome) => outcome.map_err(Failure::other)??,
                None => publishing = false,
            },
            _ = ticks.tick() => {
                if let Some(process) = process {
                    process.look()?;
                }
                let now = counts.quick.received() + counts.slow.received();
                progress(args, format_args!(
                    "{:4} s  {} published, {} delivered a second, {}, {} displaced, {} rejected, {} clients lost",
                    begin.elapsed().as_secs(), counts.published(), now - received, counts.quick.latency(),
                    counts.reported("displaced"), counts.reported("rejected"), counts.lost(),
                ));
                received = now;
            }
            () = sleep_until(begin + args.duration), if !publishing => return Ok(()),
        }
    }
}

/// Waits until all of it is heard, or nothing more comes, or long enough.
async fn until_heard(group: &Group, all: u64) {
    let deadline = Instant::now() + LAST;
    let (mut received, mut since) = (group.received(), Instant::now());
    while received < all && Instant::now() < deadline && since.elapsed() < QUIET {
        sleep(LOOK).await;
        let now = group.received();
        if now != received {
            (received, since) = (now, Instant::now());
        }
    }
}

fn progress(args: &BenchArgs, text: std::fmt::Arguments<'_>) {
    if !args.quiet {
        say::aside(text);
    }
}
