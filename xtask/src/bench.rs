//! `cargo xtask bench`: builds the bench program and runs it. What is measured and compared, it decides itself.

use anyhow::Result;
use xshell::{Shell, cmd};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The row and its options, such as `fanout --clients 100,1000 --seconds 3` or `acks --windows 1,32,256`; all rows
    /// without one. `--help` lists them, `fanout --help` the options of that row. `--json FILE` keeps the numbers there.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds it in release, without which its numbers mean nothing, and runs it. It fails when a message is lost, doubled
/// or out of order.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let rest = &args.rest;
    cmd!(sh, "cargo run --quiet --release --package streamfence-bench -- {rest...}").run()?;
    Ok(())
}
