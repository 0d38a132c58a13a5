//! Where things are, and the programs a command needs that are not Rust's own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

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
pub(crate) fn ensure_runtimes(sh: &Shell) -> Result<()> {
    let probes = [
        ("nodejs", cmd!(sh, "node --version")),
        ("npm", cmd!(sh, "npm --version")),
        ("python3", cmd!(sh, "python3 --version")),
        ("python3-venv", cmd!(sh, "python3 -c 'import venv, ensurepip'")),
        // What the pages of the book tell people to publish with.
        ("curl", cmd!(sh, "curl --version")),
    ];
    ensure_packages(sh, "the real clients", probes)
}

/// Makes sure that Debian packages are there, each with a command that works when it is.
///
/// On Debian as root they are installed; anywhere else the error says what is missing,
/// because nobody wants a test command to change their machine.
pub(crate) fn ensure_packages<'a>(
    sh: &Shell,
    whose: &str,
    probes: impl IntoIterator<Item = (&'static str, Cmd<'a>)>,
) -> Result<()> {
    let missing: Vec<&str> = probes
        .into_iter()
        .filter_map(|(package, probe)| probe.quiet().ignore_stdout().ignore_stderr().run().is_err().then_some(package))
        .collect();
    debian_packages(sh, whose, &missing)
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
    ensure_packages(sh, "the tests behind a proxy", [("nginx-light", cmd!(sh, "nginx -v"))])
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

/// A program of a Debian package that is not wanted as a whole, such as the tool that comes with a daemon: the one that is
/// there, or else unpacked below the target directory, where it runs without being installed.
pub(crate) fn program_of(sh: &Shell, package: &str, path: &str) -> Result<PathBuf> {
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).context("a program has a name")?;
    if cmd!(sh, "{name} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        return Ok(name.into());
    }
    let folder = target_dir(sh)?.join("tools").join(package);
    let program = folder.join(path);
    if !program.exists() {
        println!("unpacking {name} of {package}, once");
        sh.create_dir(&folder)?;
        let _there = sh.push_dir(&folder);
        let download = || cmd!(sh, "apt-get download -qq {package}").quiet().ignore_stderr().run();
        if download().is_err() {
            cmd!(sh, "apt-get update -qq").run().with_context(|| format!("{name} is wanted, of {package}"))?;
            download().with_context(|| format!("{name} is wanted, of {package}"))?;
        }
        for file in sh.read_dir(".")?.into_iter().filter(|file| file.extension().is_some_and(|end| end == "deb")) {
            cmd!(sh, "dpkg-deb --extract {file} .").run()?;
            sh.remove_path(file)?;
        }
    }
    Ok(program)
}

/// A virtual environment of Python with what a file of requirements names.
pub(crate) fn python_environment(sh: &Shell, requirements: &str, folder: &Path) -> Result<()> {
    once(sh, requirements, &folder.join(".installed-lock"), || {
        cmd!(sh, "python3 -m venv --clear {folder}").run().context("python3 -m venv")?;
        let python = folder.join("bin/python");
        cmd!(sh, "{python} -m pip install --quiet --disable-pip-version-check -r {requirements}")
            .run()
            .context("pip install")
    })
}

/// Runs `install` unless it ran to its end for a lock with the same text.
pub(crate) fn once(sh: &Shell, lock: &str, stamp: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = sh.read_file(lock)?;
    if sh.read_file(stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    install()?;
    sh.write_file(stamp, wanted)?;
    Ok(())
}
