//! Seeds, one or many: each in a process of its own, as many at a time as there are cores.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::run::play;

/// Plays a seed here.
pub(crate) fn play_one(seed: u64, lines: usize, prints_all: bool) -> ExitCode {
    let report = play(seed, if prints_all { usize::MAX } else { lines });
    let failed = report.failure.is_some();
    if prints_all || failed {
        for line in &report.lines {
            println!("{line}");
        }
    }
    if let Some((at, what)) = report.failure {
        println!("seed {seed}, after {:.3} s: {what}", at.as_secs_f64());
        println!("again: cargo xtask sim --server --seed {seed}");
        return ExitCode::FAILURE;
    }
    for (what, times) in &report.facts {
        println!("{times:>12}  {what}");
    }
    println!("seed {}: log {:016x}", report.seed, report.hash);
    ExitCode::SUCCESS
}

/// Plays seeds until all are played or one has failed.
pub(crate) fn play_many(first: u64, seeds: u64, lines: usize) -> ExitCode {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(seeds);
    let played = Mutex::new(Played::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || played.lock().expect("nobody panics here").failure.is_some() {
                return;
            }
            let output = play_apart(seed, lines);
            played.lock().expect("nobody panics here").note(seed, output);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let Played { seeds: played, facts, failure } = played.into_inner().expect("nobody panics here");
    for (what, times) in &facts {
        println!("{times:>12}  {what}");
    }
    println!("{played} of {seeds} seeds of the whole server played");
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            print!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// What has come of the seeds so far.
#[derive(Default)]
struct Played {
    seeds: u64,
    facts: BTreeMap<String, u64>,
    failure: Option<String>,
}

impl Played {
    fn note(&mut self, seed: u64, output: std::io::Result<Output>) {
        let output = match output {
            Ok(output) => output,
            Err(why) => {
                self.failure.get_or_insert(format!("seed {seed} cannot be played: {why}\n"));
                return;
            }
        };
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            self.failure.get_or_insert(format!("{text}{errors}seed {seed}: {}\n", output.status));
            return;
        }
        self.seeds += 1;
        for (times, what) in text.lines().filter_map(|line| line.trim_start().split_once("  ")) {
            *self.facts.entry(what.to_owned()).or_default() += times.parse::<u64>().unwrap_or(0);
        }
    }
}

fn play_apart(seed: u64, lines: usize) -> std::io::Result<Output> {
    let (seed, lines) = (seed.to_string(), lines.to_string());
    Command::new(std::env::current_exe()?).args(["--seed", &seed, "--lines", &lines]).output()
}
