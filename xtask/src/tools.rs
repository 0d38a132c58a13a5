//! Where things are, and the programs a command needs that are not Rust's own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in the repository").to_owned()
}

/// Where cargo puts what it builds, wherever the environment moved it.
pub(crate) fn target_dir(sh: &Shell) -> Result<PathBuf> {
    Ok(metadata(sh)?.target_directory.into_std_path_buf())
}

/// What cargo knows of the workspace's own crates.
pub(crate) fn metadata(sh: &Shell) -> Result<cargo_metadata::Metadata> {
    cargo_metadata::MetadataCommand::new()
        .current_dir(sh.current_dir())
        .no_deps()
        .other_options(["--locked".to_owned()])
        .exec()
        .context("cargo metadata")
}

/// The path of a cargo tool at this version, installed under the target directory when it is not there yet.
///
/// A copy of ours is used rather than the user's: another version may judge differently.
pub(crate) fn cargo_tool(sh: &Shell, name: &str, version: &str) -> Result<PathBuf> {
    cargo_tool_with(sh, name, version, &[])
}

/// The same, built with these options of `cargo install`.
pub(crate) fn cargo_tool_with(sh: &Shell, name: &str, version: &str, options: &[&str]) -> Result<PathBuf> {
    let tools = target_dir(sh)?.join("tools");
    let path = tools.join("bin").join(name);
    let found = cmd!(sh, "{path} --version").quiet().ignore_stderr().read().unwrap_or_default();
    if !found.ends_with(version) {
        println!("installing {name} {version}, once");
        let build = tools.join("build");
        cmd!(
            sh,
            "cargo install --quiet --locked --force {name} --version {version} --root {tools} --target-dir {build} {options...}"
        )
        .run()?;
        // Several hundred megabytes that nothing reads again.
        sh.remove_path(build)?;
    }
    Ok(path)
}

/// Makes sure that Node.js with npm, and Python with venv, are there.
///
/// On Debian as root they are installed; anywhere else the error says what is missing,
/// because nobody wants a test command to change their machine.
pub(crate) fn ensure_runtimes(sh: &Shell) -> Result<()> {
    let probes = [
        ("nodejs", cmd!(sh, "node --version")),
        ("npm", cmd!(sh, "npm --version")),
        ("python3", cmd!(sh, "python3 --version")),
        ("python3-venv", cmd!(sh, "python3 -c 'import venv, ensurepip'")),
        // What the pages of the book tell people to publish with.
        ("curl", cmd!(sh, "curl --version")),
    ];
    let missing: Vec<&str> = probes
        .into_iter()
        .filter_map(|(package, probe)| probe.quiet().ignore_stdout().ignore_stderr().run().is_err().then_some(package))
        .collect();
    debian_packages(sh, "the real clients", &missing)
}

/// Makes sure that a browser is there: the one that `CHROMIUM` names, or Debian's, installed as the runtimes are.
pub(crate) fn ensure_chromium(sh: &Shell) -> Result<()> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        let named = PathBuf::from(named);
        return cmd!(sh, "{named} --version").quiet().ignore_stdout().run().context("CHROMIUM names no browser");
    }
    let is_there = |name: &str| cmd!(sh, "{name} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok();
    if is_there("chromium") || is_there("chromium-browser") {
        return Ok(());
    }
    debian_packages(sh, "the tests in a browser", &["chromium"])
}

/// Makes sure that nginx is there, for the suite that plays clients behind it.
pub(crate) fn ensure_nginx(sh: &Shell) -> Result<()> {
    let is_there = cmd!(sh, "nginx -v").quiet().ignore_stdout().ignore_stderr().run().is_ok();
    debian_packages(sh, "the tests behind a proxy", if is_there { &[] } else { &["nginx-light"] })
}

/// Installs what is missing where that may be done, and says what is missing where not.
fn debian_packages(sh: &Shell, whose: &str, missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let root = cmd!(sh, "id -u").quiet().ignore_stderr().read().is_ok_and(|id| id == "0");
    if !root || cmd!(sh, "apt-get --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        bail!("{whose} need {}: install it and run again", missing.join(", "));
    }
    cmd!(sh, "apt-get update -qq").run()?;
    cmd!(sh, "apt-get install -y -qq --no-install-recommends {missing...}")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()?;
    Ok(())
}
