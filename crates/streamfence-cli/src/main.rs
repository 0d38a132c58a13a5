//! `streamfence`: delivery control for Socket.IO servers, as one binary.
//!
//! Data goes to stdout, logs to stderr. Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration invalid, 4 cannot listen,
//! or not with the certificate given, or not spill where the configuration says, 5 cannot reach the server, 130
//! interrupted.

mod args;
mod exit;

mod admin_address;
mod api_keys;
mod auth;
mod check;
mod config;
mod demo;
mod descriptors;
mod events;
mod explain;
mod health;
mod inspect;
mod limits;
mod log;
mod memory;
mod operator;
mod reload;
mod say;
mod seldom;
mod serve;
mod spill;
mod supervisor;
mod watching;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Spill(args) => inspect::run(&args),
        Command::Version => version(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn version() -> Result<(), exit::Failure> {
    say::line(concat!("streamfence ", env!("CARGO_PKG_VERSION")))
}
