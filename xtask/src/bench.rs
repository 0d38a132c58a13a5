//! `cargo xtask bench`: builds the bench program and runs it. What is measured and compared, it decides itself.

use xshell::{Shell, cmd};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchArgs {
    /// The bench, `fanout` or `acks`, and its options: `fanout --clients 100,1000 --seconds 3 --json FILE`,
    /// `acks --windows 1,32,256`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub rest: Vec<String>,
}

/// Builds it in release, without which its numbers mean nothing, and runs it.
///
/// # Errors
/// When it cannot be built, or a check of it fails: a message lost, doubled or out of order.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let sh = Shell::new()?;
    let rest = &args.rest;
    cmd!(sh, "cargo run --quiet --release --package streamfence-bench -- {rest...}").run()?;
    Ok(())
}
