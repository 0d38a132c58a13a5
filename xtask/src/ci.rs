//! `cargo xtask ci`: what CI runs, in the order in which a failure is cheapest to hear of.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::{deploy, dist, e2e, package, sim, tidy, tools};

/// Pinned: a new version of a judge is a change of the law.
const CARGO_DENY: &str = "0.20.2";
const MDBOOK: &str = "0.5.4";
const CARGO_HACK: &str = "0.6.46";
const CARGO_FUZZ: &str = "0.13.2";
const CARGO_MUTANTS: &str = "27.1.0";

/// What to run of it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Adds the steps that need long installs.
    #[arg(long)]
    full: bool,
    /// Runs this step alone (repeatable).
    #[arg(long, value_name = "STEP", value_parser = names())]
    only: Vec<String>,
    /// Leaves this step out (repeatable).
    #[arg(long, value_name = "STEP", value_parser = names())]
    skip: Vec<String>,
}

struct Step {
    name: &'static str,
    /// Runs only with `--full`, or when named by `--only`.
    full: bool,
    run: fn(&Shell) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", full: false, run: fmt },
    Step { name: "tidy", full: false, run: tidy::run },
    Step { name: "clippy", full: false, run: clippy },
    Step { name: "rustdoc", full: false, run: rustdoc },
    Step { name: "test", full: false, run: test },
    Step { name: "sim", full: false, run: simulate },
    Step { name: "sim-server", full: false, run: simulate_server },
    Step { name: "fuzz", full: false, run: fuzz },
    Step { name: "deny", full: false, run: deny },
    Step { name: "deploy", full: false, run: deploy::run },
    Step { name: "package", full: false, run: package },
    Step { name: "book", full: false, run: book },
    Step { name: "e2e", full: false, run: e2e },
    Step { name: "dist", full: false, run: dist },
    Step { name: "publish", full: true, run: publish },
    Step { name: "features", full: true, run: features },
    Step { name: "fuzz-build", full: true, run: fuzz_build },
    Step { name: "mutants", full: true, run: mutants },
];

/// Runs the steps one after the other and stops at the first that fails.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let chosen: Vec<&Step> = STEPS.iter().filter(|step| args.includes(step)).collect();
    ensure!(!chosen.is_empty(), "nothing left to run");
    for (passed, step) in chosen.iter().enumerate() {
        println!("\n==> {}", step.name);
        let started = Instant::now();
        let outcome = (step.run)(sh);
        let seconds = started.elapsed().as_secs_f64();
        if let Err(error) = outcome {
            println!("==> {} failed after {seconds:.1} s", step.name);
            println!("\n{passed} passed, 1 failed");
            return Err(error.context(format!("step `{}`", step.name)));
        }
        println!("==> {} passed in {seconds:.1} s", step.name);
    }
    println!("\n{} passed, 0 failed", chosen.len());
    Ok(())
}

impl Args {
    fn includes(&self, step: &Step) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == step.name);
        let wanted = if self.only.is_empty() { self.full || !step.full } else { named(&self.only) };
        wanted && !named(&self.skip)
    }
}

fn names() -> clap::builder::PossibleValuesParser {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().into()
}

fn fmt(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo fmt --all --check").run()?)
}

fn clippy(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo clippy --workspace --all-targets --all-features --locked -- -D warnings").run()?)
}

fn rustdoc(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo doc --workspace --no-deps --all-features --locked").env("RUSTDOCFLAGS", "-D warnings").run()?)
}

fn test(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo test --workspace --all-features --locked").run()?)
}

/// The same seeds each time: a change that breaks a promise fails here, and not on some other day.
fn simulate(sh: &Shell) -> Result<()> {
    sim::run(sh, &sim::Args::default())
}

/// The same of the whole server on a simulated network.
fn simulate_server(sh: &Shell) -> Result<()> {
    sim::run(sh, &sim::Args::of_server())
}

/// Builds nothing of libfuzzer: the corpora are replayed by the functions the targets call.
fn fuzz(sh: &Shell) -> Result<()> {
    let target = sh.current_dir().join("target/fuzz");
    let _there = sh.push_dir("fuzz");
    cmd!(sh, "cargo fmt --check").run()?;
    Ok(cmd!(sh, "cargo test --locked --target-dir {target}").run()?)
}

/// Builds the book. What its pages tell people to type is typed by a suite of `e2e`.
fn book(sh: &Shell) -> Result<()> {
    // Unoptimised: it is used once, on some thirty pages.
    let options = ["--debug", "--no-default-features", "--features", "search"];
    let mdbook = tools::cargo_tool_with(sh, "mdbook", MDBOOK, &options)?;
    Ok(cmd!(sh, "{mdbook} build docs").run()?)
}

fn deny(sh: &Shell) -> Result<()> {
    let deny = tools::cargo_tool(sh, "cargo-deny", CARGO_DENY)?;
    cmd!(sh, "{deny} --locked check bans licenses sources").run().context("bans, licences, sources")?;
    // What a server does not speak it cannot be attacked by.
    let has_h2 = cmd!(sh, "cargo tree --locked --package streamfence-cli --edges normal --invert h2");
    ensure!(
        has_h2.quiet().ignore_stdout().ignore_stderr().run().is_err(),
        "streamfence-cli has HTTP/2 in it: see `cargo tree -p streamfence-cli -i h2`"
    );

    // The database is fetched from the network, which a build machine may not have. That says nothing about
    // the tree, so it is reported and passed; an advisory that was found is not.
    if cmd!(sh, "{deny} fetch db").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        println!("the advisory database cannot be had here: advisories are NOT checked");
        return Ok(());
    }
    cmd!(sh, "{deny} --locked check advisories").run().context("advisories")
}

fn e2e(sh: &Shell) -> Result<()> {
    e2e::run(sh, &e2e::Args::default())
}

/// What the registry would be given, and whether it would take it, without building it again.
fn package(sh: &Shell) -> Result<()> {
    package::run(sh, &package::Args::default())
}

/// The same, built from what it would be given.
fn publish(sh: &Shell) -> Result<()> {
    package::run(sh, &package::Args::verified())
}

/// Packs the binary that the real clients were served by: building the one that is shipped takes as long again.
fn dist(sh: &Shell) -> Result<()> {
    dist::run(sh, &dist::Args::of(e2e::build(sh, "release")?))
}

/// Every set of features compiles alone, so that none leans on a feature it did not ask for. Dev-dependencies turn on
/// nothing here: only what is checked is resolved.
fn features(sh: &Shell) -> Result<()> {
    let hack = tools::cargo_tool(sh, "cargo-hack", CARGO_HACK)?;
    if let Err(error) = cmd!(sh, "{hack} hack check --workspace --feature-powerset --locked").run() {
        bail!("a set of features does not compile alone: {error}");
    }
    Ok(())
}

/// The targets themselves compile under libfuzzer.
fn fuzz_build(sh: &Shell) -> Result<()> {
    let fuzz = tools::cargo_tool(sh, "cargo-fuzz", CARGO_FUZZ)?;
    // Coverage needs a switch that stable compilers keep locked; a fuzzer is no product.
    let build = cmd!(sh, "{fuzz} build --sanitizer none --features libfuzzer").env("RUSTC_BOOTSTRAP", "1");
    build.run().context("cargo fuzz build")
}

/// A share of the mutants of the core, another one each day: each must make a test fail.
fn mutants(sh: &Shell) -> Result<()> {
    const SHARES: u64 = 40;
    let mutants = tools::cargo_tool(sh, "cargo-mutants", CARGO_MUTANTS)?;
    let days = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() / 86_400;
    let share = format!("{}/{SHARES}", days % SHARES);
    let target = tools::target_dir(sh)?.join("mutants");
    let run = cmd!(sh, "{mutants} mutants --package streamfence-core --shard {share} --timeout 120 --output {target}");
    run.run().context("a mutant survived: kill it with a test, or say in the code why it changes nothing")
}

#[cfg(test)]
mod tests {
    use super::{Args, STEPS};

    fn chosen(full: bool, only: &[&str], skip: &[&str]) -> Vec<&'static str> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let args = Args { full, only: owned(only), skip: owned(skip) };
        STEPS.iter().filter(|step| args.includes(step)).map(|step| step.name).collect()
    }

    #[test]
    fn long_installs_run_only_when_asked_for() {
        assert!(!chosen(false, &[], &[]).contains(&"features"));
        assert!(chosen(true, &[], &[]).contains(&"features"));
        assert_eq!(chosen(false, &["features"], &[]), ["features"]);
    }

    #[test]
    fn skipping_wins() {
        assert_eq!(chosen(false, &["fmt", "e2e"], &["e2e"]), ["fmt"]);
    }
}
