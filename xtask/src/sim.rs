//! `cargo xtask sim`: builds a simulation and plays seeds. What is played and checked, it decides itself.

use anyhow::Result;
use xshell::{Shell, cmd};

/// What to play.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Plays the whole server on a simulated network, rather than the core alone.
    #[arg(long)]
    server: bool,
    /// Its options, such as `--seeds 1000`, or `--seed 42` to play one again; `--help` behind `--` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Args {
    /// The whole server, as CI plays it.
    pub(crate) fn of_server() -> Self {
        Self { server: true, ..Self::default() }
    }
}

/// Builds it as quick as a release but with every assertion, and plays as many seeds as it thinks right unless told
/// otherwise. It fails with the first that breaks a promise, and says how to play that one again.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    // Whatever stands before it, `--server` is ours.
    let is_server = args.server || args.rest.iter().any(|word| word == "--server");
    let rest = args.rest.iter().filter(|word| *word != "--server");
    let package = if is_server { "streamfence-netsim" } else { "streamfence-sim" };
    cmd!(sh, "cargo run --quiet --locked --profile sim --package {package} -- {rest...}").run()?;
    Ok(())
}
