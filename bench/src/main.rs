//! What a delivered message costs, beside bare sockets and the stock Socket.IO server.
//!
//! `cargo xtask bench` builds and runs this. One program plays all parts: the server, the clients, and the director
//! that starts both, each on a core of its own, and compares.
#![expect(clippy::print_stdout, reason = "its output is the report, and how its processes talk")]

mod acks;
mod bare;
mod certificate;
mod child;
mod client;
mod clients;
mod fanout;
mod fence;
mod idle;
mod latency;
mod message;
mod open;
mod pace;
mod report;
mod rush;
mod server;
mod spill;
mod spill_server;
mod stage;
mod stock;
mod storm;
mod stuck;
mod tls;
mod usage;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};

use crate::report::Report;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Where to keep all numbers. Default: `target/bench/`, named by the time.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Every row below, with its defaults. This is also what is done without a part.
    All,
    /// Compares the cost of a fan-out.
    Fanout(fanout::FanoutArgs),
    /// Measures at-least-once delivery.
    Acks(acks::AcksArgs),
    /// Compares the time messages take in a steady rhythm.
    Open(open::OpenArgs),
    /// Measures what clients cost that have stopped reading.
    Stuck(stuck::StuckArgs),
    /// Compares the memory of idle clients.
    Idle(idle::IdleArgs),
    /// Compares how fast clients get in.
    Storm(storm::StormArgs),
    /// Lets clients come and go during a fan-out.
    Rush(rush::RushArgs),
    /// Compares a fan-out over TLS to one without.
    Tls(tls::TlsArgs),
    /// Measures lanes that overflow to disk.
    Spill(spill::SpillArgs),
    /// Plays a server, until standard input ends.
    #[command(hide = true)]
    Server(server::ServerArgs),
    /// Plays the clients, until standard input ends.
    #[command(hide = true)]
    Clients(clients::ClientsArgs),
    /// Plays a server that spills, until standard input ends.
    #[command(hide = true)]
    SpillServer(spill_server::SpillServerArgs),
    /// Plays a client that is behind, until standard input ends.
    #[command(hide = true)]
    SpillClient(spill_server::SpillClientArgs),
}

fn main() -> anyhow::Result<()> {
    let Arguments { json, part } = Arguments::parse();
    let part = part.unwrap_or(Part::All);
    match &part {
        Part::Server(args) => return server::run(args),
        Part::Clients(args) => return clients::run(args),
        Part::SpillServer(args) => return spill_server::run(args),
        Part::SpillClient(args) => return spill_server::client(args),
        _ => {}
    }
    let mut report = Report::begin();
    let measured = measure(&part, &mut report);
    report.finish(json)?;
    measured
}

fn measure(part: &Part, report: &mut Report) -> anyhow::Result<()> {
    match part {
        Part::All => all(report),
        Part::Fanout(args) => fanout::measure(args, report),
        Part::Acks(args) => acks::measure(args, report),
        Part::Open(args) => open::measure(args, report),
        Part::Stuck(args) => stuck::measure(args, report),
        Part::Idle(args) => idle::measure(args, report),
        Part::Storm(args) => storm::measure(args, report),
        Part::Rush(args) => rush::measure(args, report),
        Part::Tls(args) => tls::measure(args, report),
        Part::Spill(args) => spill::measure(args, report),
        Part::Server(_) | Part::Clients(_) | Part::SpillServer(_) | Part::SpillClient(_) => Ok(()),
    }
}

/// Measures every row. One that fails does not keep the others from being measured.
fn all(report: &mut Report) -> anyhow::Result<()> {
    let rows = [
        ("fanout", fanout::measure(&defaults()?, report)),
        ("acks", acks::measure(&defaults()?, report)),
        ("open", open::measure(&defaults()?, report)),
        ("stuck", stuck::measure(&defaults()?, report)),
        ("idle", idle::measure(&defaults()?, report)),
        ("storm", storm::measure(&defaults()?, report)),
        ("rush", rush::measure(&defaults()?, report)),
        ("tls", tls::measure(&defaults()?, report)),
        ("spill", spill::measure(&defaults()?, report)),
    ];
    let failures =
        rows.into_iter().filter_map(|(row, measured)| measured.err().map(|error| format!("{row}: {error:#}")));
    let failures: Vec<_> = failures.collect();
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n")) }
}

/// The options of a row where none is given.
fn defaults<A: Args>() -> anyhow::Result<A> {
    let command = A::augment_args(clap::Command::new("defaults"));
    Ok(A::from_arg_matches(&command.get_matches_from([""]))?)
}
