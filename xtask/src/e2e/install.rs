//! The packages of the clients, installed when their lock has changed and not otherwise.

use std::path::Path;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::tools::{once, python_environment};

/// Installs what the `package-lock.json` of a folder names.
pub(crate) fn npm_packages(sh: &Shell, folder: &str) -> Result<()> {
    let (lock, stamp) = (format!("{folder}/package-lock.json"), format!("{folder}/node_modules/.installed-lock"));
    once(sh, &lock, Path::new(&stamp), || {
        let _there = sh.push_dir(folder);
        cmd!(sh, "npm ci --no-audit --no-fund --loglevel=error").run().with_context(|| format!("npm ci in {folder}/"))
    })
}

/// Makes a virtual environment with what `e2e/python/requirements.txt` names.
pub(super) fn python_packages(sh: &Shell) -> Result<()> {
    python_environment(sh, "e2e/python/requirements.txt", Path::new("e2e/.venv"))
}
