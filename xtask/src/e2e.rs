//! `cargo xtask e2e`: real Socket.IO clients against the real binary.
//!
//! The suites are programs of their own (`e2e/*.test.mjs`, `e2e/python/test_*.py`, `clients/js/test`) that find the binary in
//! `STREAMFENCE_BIN`; this command builds it, installs their packages and decides which may run at the same time.

mod install;
mod javascript;
mod suite;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use xshell::{Shell, cmd};

pub(crate) use install::npm_packages;

use crate::{binary, tools};
use suite::{Company, Programs, Report, Suite};

/// What to run and what to run it against.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Runs only the suites whose file name contains this.
    filter: Option<String>,
    #[command(flatten)]
    binary: Binary,
}

/// Which binary to run.
#[derive(clap::Args, Default)]
pub(crate) struct Binary {
    /// The cargo profile of the binary.
    #[arg(long, default_value = "release")]
    profile: Option<String>,
    /// A binary to run instead of building one.
    #[arg(long, value_name = "PATH", conflicts_with = "profile")]
    bin: Option<PathBuf>,
}

/// Builds the binary, runs the suites and fails when one of them failed or ran no test.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let mut suites = suite::find(sh)?;
    if let Some(filter) = &args.filter {
        suites.retain(|suite| suite.name.contains(filter.as_str()));
    }
    ensure!(!suites.is_empty(), "no suite in e2e/ matches");

    tools::ensure_runtimes(sh)?;
    npm_packages(sh, "e2e")?;
    install::python_packages(sh)?;
    if suites.iter().any(|suite| javascript::is_needed_by(&suite.name)) {
        javascript::build(sh)?;
    }
    if suites.iter().any(Suite::needs_browser) {
        tools::ensure_chromium(sh)?;
    }
    if suites.iter().any(Suite::needs_systemctl) {
        let probes = [("systemd", cmd!(sh, "systemctl --version")), ("openssl", cmd!(sh, "openssl version"))];
        tools::ensure_packages(sh, "what the book says of machines", probes)?;
    }
    if suites.iter().any(Suite::needs_nginx) {
        tools::ensure_nginx(sh)?;
    }
    let binary = args.binary.find(sh)?;
    let logs = tools::target_dir(sh)?.join("e2e");
    sh.create_dir(&logs)?;

    let prometheus = suites.iter().any(Suite::wants_prometheus);
    let prometheus = prometheus.then(|| tools::program_of(sh, "prometheus", "usr/bin/prometheus")).transpose()?;
    let programs = Programs { binary, prometheus };
    let reports = run_all(&suites, &|suite| suite.run(&programs, &logs));
    summarise(&reports?)
}

impl Binary {
    /// Where it is, built if need be.
    pub(crate) fn find(&self, sh: &Shell) -> Result<PathBuf> {
        let binary = match &self.bin {
            Some(path) => std::path::absolute(path)?,
            None => build(sh, self.profile.as_deref().unwrap_or("release"))?,
        };
        ensure!(binary.exists(), "{} does not exist", binary.display());
        Ok(binary)
    }
}

/// Builds the binary and says where it is. Clients are served by what is shipped, a static binary, unless a developer
/// wants the one that is there already.
pub(crate) fn build(sh: &Shell, profile: &str) -> Result<PathBuf> {
    if profile != "dev" {
        return binary::build(sh, profile, &binary::host(sh)?);
    }
    cmd!(sh, "cargo build --locked --package streamfence-cli --bin streamfence").run()?;
    Ok(tools::target_dir(sh)?.join("debug/streamfence"))
}

/// Runs the quiet suites in two rows beside each other, then each of the others alone.
///
/// The long quiet suite mostly waits, so the short ones fit beside it; a suite that measures time or memory
/// must not share the machine with another.
fn run_all(suites: &[Suite], run: &(dyn Fn(&Suite) -> Result<Report> + Sync)) -> Result<Vec<Report>> {
    let row = |company: Company| -> Result<Vec<Report>> {
        let reports = suites.iter().filter(|suite| suite.company() == company).map(run);
        reports.inspect(|report| report.iter().for_each(Report::print)).collect()
    };
    let (long, short) = std::thread::scope(|scope| {
        let long = scope.spawn(|| row(Company::Long));
        let short = row(Company::Short);
        (long.join(), short)
    });
    let mut reports = short?;
    reports.extend(long.expect("a row reports its failures")?);
    reports.extend(row(Company::Alone)?);
    Ok(reports)
}

fn summarise(reports: &[Report]) -> Result<()> {
    println!("\nreal clients:");
    for report in reports {
        println!("  {report}");
    }
    let failed: Vec<&str> = reports.iter().filter(|report| !report.passed()).map(|r| r.name.as_str()).collect();
    if !failed.is_empty() {
        bail!("{} of {} suites failed: {}", failed.len(), reports.len(), failed.join(", "));
    }
    Ok(())
}
