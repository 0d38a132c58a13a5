//! What a delivered message costs, beside bare sockets and the stock Socket.IO server.
//!
//! `cargo xtask bench` builds and runs this. One program plays all parts: the server, the clients, and the director
//! that starts both, each on a core of its own, and compares.
#![expect(clippy::print_stdout, reason = "its output is the report, and how its processes talk")]

mod acks;
mod bare;
mod child;
mod clients;
mod fanout;
mod fence;
mod message;
mod pace;
mod report;
mod server;
mod stage;
mod stock;
mod usage;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Compares the cost of a fan-out.
    Fanout(fanout::FanoutArgs),
    /// Measures at-least-once delivery.
    Acks(acks::AcksArgs),
    /// Plays a server, until standard input ends.
    Server(server::ServerArgs),
    /// Plays the clients, until standard input ends.
    Clients(clients::ClientsArgs),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().part {
        Part::Fanout(args) => fanout::run(&args),
        Part::Acks(args) => acks::run(&args),
        Part::Server(args) => server::run(&args),
        Part::Clients(args) => clients::run(&args),
    }
}
