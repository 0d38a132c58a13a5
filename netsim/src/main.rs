//! `cargo xtask sim --server` builds and runs this: the whole server, dozens of clients and the network between them, in
//! one thread and in simulated time.
//!
//! A seed is a run. Time is tokio's, paused; the network is turmoil's; what the process asks the system for at random,
//! from session ids to the order of a hash map, comes from the seed. That is one stream of numbers for a whole process,
//! so each seed has a process of its own.
//!
//! Read the modules in this order.
#![expect(clippy::print_stdout, reason = "its output is the report")]

mod log;
mod scene;

mod books;
mod track;

mod carrier;
mod faults;
mod server;
mod watcher;

mod client;
mod world;

mod run;
mod seeds;

use std::process::ExitCode;

use clap::Parser;

/// Plays seeds and fails at the first that breaks a promise.
#[derive(Parser)]
#[command(name = "cargo xtask sim --server")]
struct Arguments {
    /// How many seeds to play. Default: 64, or one where a seed is given.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first of them.
    #[arg(long)]
    seed: Option<u64>,
    /// How much is told of what happened before a failure.
    #[arg(long, default_value_t = 40)]
    lines: usize,
    /// Prints all that happens in a single seed.
    #[arg(long)]
    log: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let first = arguments.seed.unwrap_or(1);
    match arguments.seeds.unwrap_or(if arguments.seed.is_some() { 1 } else { 64 }) {
        1 => seeds::play_one(first, arguments.lines, arguments.log),
        seeds => seeds::play_many(first, seeds, arguments.lines),
    }
}
