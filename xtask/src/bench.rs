//! `cargo xtask bench`: builds the bench program and runs it. What is measured and compared, it decides itself.

use anyhow::Result;
use xshell::{Shell, cmd};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The row and its options, such as `fanout --clients 100,1000 --seconds 3` or `acks --windows 1,32,256`; all rows
    /// without one. `--help` lists them, `fanout --help` the options of that row. `--json FILE` keeps the numbers there.
    /// Before the row `spill`, a store alone is measured against the disk.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds it in release, without which its numbers mean nothing, and runs it. It fails when a message is lost, doubled
/// or out of order.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let rest = &args.rest;
    let row = rest
        .iter()
        .enumerate()
        .find(|(at, word)| !word.starts_with('-') && at.checked_sub(1).is_none_or(|before| rest[before] != "--json"));
    if row.is_none_or(|(_, row)| row == "spill") && !rest.iter().any(|word| word == "--help") {
        cmd!(sh, "cargo bench --quiet --package streamfence-spill --bench spill --bench lanes").run()?;
    }
    cmd!(sh, "cargo run --quiet --release --package streamfence-bench -- {rest...}").run()?;
    Ok(())
}
