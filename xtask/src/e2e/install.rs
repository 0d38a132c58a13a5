//! The packages of the clients, installed when their lock has changed and not otherwise.

use std::path::Path;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::tools::{once, python_environment};

/// Installs what `e2e/package-lock.json` names.
pub(super) fn npm_packages(sh: &Shell) -> Result<()> {
    once(sh, "e2e/package-lock.json", Path::new("e2e/node_modules/.installed-lock"), || {
        let _folder = sh.push_dir("e2e");
        cmd!(sh, "npm ci --no-audit --no-fund --loglevel=error").run().context("npm ci in e2e/")
    })
}

/// Makes a virtual environment with what `e2e/python/requirements.txt` names.
pub(super) fn python_packages(sh: &Shell) -> Result<()> {
    python_environment(sh, "e2e/python/requirements.txt", Path::new("e2e/.venv"))
}
