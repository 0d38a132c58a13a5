//! The commands of this repository.

mod bench;

use clap::Parser;

#[derive(Parser)]
enum Command {
    /// Measures what a delivered message costs.
    Bench(bench::BenchArgs),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Bench(args) => bench::run(&args),
    }
}
