//! The commands of this repository: `cargo xtask ci`, `tidy`, `deploy`, `package`, `dist`, `e2e`, `screenshot`, `sim`, `bench`.
//!
//! None of our crates is a dependency: the commands must build when those do not.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a command finds out goes to its user")]

mod bench;
mod binary;
mod ci;
mod deploy;
mod dist;
mod e2e;
mod package;
mod screenshot;
mod sim;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xshell::Shell;

/// The commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs what CI runs: formatting, lints, docs, tests, layering, dependencies, real clients.
    Ci(ci::Args),
    /// Checks the rules of the house that no compiler checks: who may use whom, how long a file is.
    Tidy,
    /// Has what lies in `deploy/` judged by tools of Prometheus, systemd, Kubernetes and containers.
    Deploy,
    /// Makes what is given to whoever runs a server: the binary with what belongs to it, what is in it, checksums.
    Dist(dist::Args),
    /// Checks whether each crate could be published as it is.
    Package(package::Args),
    /// Runs real Socket.IO clients against the real binary.
    E2e(e2e::Args),
    /// Takes the picture of the dashboard that the README shows, in Chromium.
    Screenshot(e2e::Binary),
    /// Plays seeded simulations of hundreds of clients, and checks every delivery.
    Sim(sim::Args),
    /// Measures what a delivered message costs, beside bare sockets and the stock library.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    match run(&Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(tools::root());
    match command {
        Command::Ci(args) => ci::run(&sh, args),
        Command::Tidy => tidy::run(&sh),
        Command::Deploy => deploy::run(&sh),
        Command::Dist(args) => dist::run(&sh, args),
        Command::Package(args) => package::run(&sh, args),
        Command::E2e(args) => e2e::run(&sh, args),
        Command::Screenshot(binary) => screenshot::run(&sh, binary),
        Command::Sim(args) => sim::run(&sh, args),
        Command::Bench(args) => bench::run(&sh, args),
    }
}
