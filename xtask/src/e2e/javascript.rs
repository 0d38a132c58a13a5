//! The JavaScript client, built as it is published: its suites use what would be in the package.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::install;

/// Where it lies.
const FOLDER: &str = "clients/js";

/// Whether a suite uses it.
pub(super) fn is_needed_by(suite: &str) -> bool {
    suite.contains("javascript") || suite.starts_with("js/")
}

/// Installs its compiler, if need be, and builds it.
pub(super) fn build(sh: &Shell) -> Result<()> {
    install::npm_packages(sh, FOLDER)?;
    let _there = sh.push_dir(FOLDER);
    cmd!(sh, "npm run --silent build").run().context("building clients/js")
}

#[cfg(test)]
mod tests {
    use super::is_needed_by;

    #[test]
    fn only_its_own_suites_wait_for_it() {
        assert!(["13-javascript/emit", "14-javascript-browser", "js/outbox"].into_iter().all(is_needed_by));
        assert!(!["1-contract", "python/test_contract"].into_iter().any(is_needed_by));
    }
}
