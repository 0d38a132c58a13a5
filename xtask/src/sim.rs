//! `cargo xtask sim`: builds the simulation and plays seeds. What is played and checked, it decides itself.

use anyhow::Result;
use xshell::{Shell, cmd};

/// What to play.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Its options, such as `--seeds 1000`, `--seed 42` to play one again, or `--steps 20000`; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds it as quick as a release but with every assertion, and plays a hundred seeds unless told otherwise. It fails
/// with the first that breaks a promise, and says how to play that one again.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let rest = &args.rest;
    cmd!(sh, "cargo run --quiet --locked --profile sim --package streamfence-sim -- {rest...}").run()?;
    Ok(())
}
