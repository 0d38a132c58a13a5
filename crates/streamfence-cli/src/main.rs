//! `streamfence`: delivery control for Socket.IO servers, as one binary.
//!
//! Data goes to stdout, logs to stderr. Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration invalid, 4 cannot listen,
//! or not with the certificate given, or not spill where the configuration says, 5 cannot reach the server,
//! 6 it does not take our key, token or certificate, 7 a message was rejected, 8 what was waited for did not come in
//! time, 130 interrupted.

mod args;
mod exit;

mod admin_address;
mod api_keys;
mod auth;
mod bench;
mod check;
mod clients;
mod completions;
mod config;
mod demo;
mod descriptors;
mod events;
mod explain;
mod flood;
mod health;
mod inspect;
mod limits;
mod log;
mod memory;
mod operator;
mod publish;
#[cfg(test)]
mod reference;
mod reload;
mod remote;
mod say;
mod seldom;
mod serve;
mod spill;
mod steer;
mod subscribe;
mod supervisor;
mod table;
mod tail;
mod top;
mod traces;
mod watching;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, VersionArgs};

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Spill(args) => inspect::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Subscribe(args) => subscribe::run(&args),
        Command::Tail(args) => tail::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Clients(args) => clients::list(&args),
        Command::Inspect(args) => clients::inspect(&args),
        Command::Disconnect(args) => steer::disconnect(&args),
        Command::Unsubscribe(args) => steer::unsubscribe(&args),
        Command::Reload(args) => steer::reload(&args),
        Command::Drain(args) => steer::drain(&args),
        Command::LogLevel(args) => steer::log_level(&args),
        Command::Dlq(args) => steer::dead_letters(&args),
        Command::Bench(args) => bench::run(*args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::Version(args) => version(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn version(args: &VersionArgs) -> Result<(), exit::Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match args.json {
        true => {
            let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
            say::line(serde_json::json!({ "version": version, "os": os, "arch": arch }))
        }
        false => say::line(format_args!("streamfence {version}")),
    }
}
