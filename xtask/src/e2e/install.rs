//! The packages of the clients, installed when their lock has changed and not otherwise.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// Installs what the `package-lock.json` of a folder names.
pub(crate) fn npm_packages(sh: &Shell, folder: &str) -> Result<()> {
    let (lock, stamp) = (format!("{folder}/package-lock.json"), format!("{folder}/node_modules/.installed-lock"));
    once(sh, &lock, &stamp, || {
        let _there = sh.push_dir(folder);
        cmd!(sh, "npm ci --no-audit --no-fund --loglevel=error").run().with_context(|| format!("npm ci in {folder}/"))
    })
}

/// Makes a virtual environment with what `e2e/python/requirements.txt` names.
pub(super) fn python_packages(sh: &Shell) -> Result<()> {
    once(sh, "e2e/python/requirements.txt", "e2e/.venv/.installed-lock", || {
        cmd!(sh, "python3 -m venv --clear e2e/.venv").run().context("python3 -m venv")?;
        cmd!(
            sh,
            "e2e/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r e2e/python/requirements.txt"
        )
        .run()
        .context("pip install")
    })
}

/// Runs `install` unless it ran to its end for a lock with the same text.
fn once(sh: &Shell, lock: &str, stamp: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = sh.read_file(lock)?;
    if sh.read_file(stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    install()?;
    sh.write_file(stamp, wanted)?;
    Ok(())
}
