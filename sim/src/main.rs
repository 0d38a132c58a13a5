//! `cargo xtask sim` builds and runs this: many seeds, on all cores, until one fails.
#![expect(clippy::print_stdout, reason = "its output is the report")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use streamfence_sim::{Failure, Report, STEPS, run};

/// Plays seeds and fails at the first that breaks a promise.
#[derive(Parser)]
#[command(name = "cargo xtask sim")]
struct Arguments {
    /// How many seeds to play. Default: 100, or one where a seed is given.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first of them.
    #[arg(long)]
    seed: Option<u64>,
    /// How many steps each has.
    #[arg(long, default_value_t = STEPS)]
    steps: u32,
    /// How much is told of what happened before a failure.
    #[arg(long, default_value_t = 40)]
    lines: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let first = arguments.seed.unwrap_or(1);
    let seeds = arguments.seeds.unwrap_or(if arguments.seed.is_some() { 1 } else { 100 });
    let started = Instant::now();
    let (reports, failure) = play_all(first, seeds, arguments.steps, arguments.lines);
    let mut facts: BTreeMap<&str, u64> = BTreeMap::new();
    for (what, times) in reports.values().flat_map(|report| &report.facts) {
        *facts.entry(what).or_default() += times;
    }
    for (what, times) in &facts {
        println!("{times:>12}  {what}");
    }
    if let [(seed, report)] = &reports.iter().collect::<Vec<_>>()[..] {
        println!("seed {seed}: trace {:016x}", report.hash);
    }
    println!("{} of {seeds} seeds played in {:.1} s", reports.len(), started.elapsed().as_secs_f64());
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the seeds on all cores, each on one, until all are played or one has failed.
fn play_all(first: u64, seeds: u64, steps: u32, lines: usize) -> (BTreeMap<u64, Report>, Option<Failure>) {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(seeds);
    let reports = Mutex::new(BTreeMap::new());
    let failed: Mutex<Option<Failure>> = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || failed.lock().expect("nobody panics here").is_some() {
                return;
            }
            match run(seed, steps, lines) {
                Ok(report) => drop(reports.lock().expect("nobody panics here").insert(seed, report)),
                Err(failure) => drop(failed.lock().expect("nobody panics here").get_or_insert(*failure)),
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    (reports.into_inner().expect("nobody panics here"), failed.into_inner().expect("nobody panics here"))
}
