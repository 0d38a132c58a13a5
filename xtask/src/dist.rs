//! `cargo xtask dist`: what is given to whoever runs a server: one archive with the binary and what belongs to it, a list of
//! what is in the binary, and checksums.

mod sbom;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::tools;

/// What lies beside the binary.
const COMPANY: [&str; 7] =
    ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE", "docs", "deploy"];

/// What to make of what.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// The target to build for; without it the static one (musl) of this machine, where it is installed, or else its own.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// A binary that is there already, instead of building one.
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
    /// Where to put what is made.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Args {
    /// Of a binary that is there already.
    pub(crate) fn of(bin: PathBuf) -> Self {
        Self { bin: Some(bin), ..Self::default() }
    }
}

/// Builds, packs and lists. The same commit with the same compiler makes the same archive.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let metadata = tools::metadata(sh)?;
    let cli =
        metadata.packages.iter().find(|package| package.name == "streamfence-cli").context("no streamfence-cli")?;
    let host = host(sh)?;
    let target = match &args.target {
        Some(target) => target.clone(),
        None if args.bin.is_some() => host.clone(),
        None => best_target(sh, &host)?,
    };
    let binary = match &args.bin {
        Some(binary) => std::path::absolute(binary)?,
        None => build(sh, &target)?,
    };
    let is_static = is_static(&sh.read_binary_file(&binary)?);
    ensure!(is_static || !target.ends_with("-musl"), "{} needs libraries of the system; wanted none", binary.display());

    let out = args.out.clone().map_or_else(|| tools::target_dir(sh).map(|target| target.join("dist-out")), Ok)?;
    let out = std::path::absolute(out)?;
    let name = format!("streamfence-{}-{target}", cli.version);
    let stage = out.join(&name);
    sh.remove_path(&stage)?;
    sh.create_dir(&stage)?;
    sh.copy_file(&binary, stage.join("streamfence"))?;
    for part in COMPANY {
        cmd!(sh, "cp --recursive --dereference {part} {stage}").quiet().run()?;
    }
    if target == host {
        let program = stage.join("streamfence");
        let says = cmd!(sh, "{program} version").quiet().read()?;
        ensure!(says == format!("streamfence {}", cli.version), "the binary says it is {says:?}");
    }

    let since = cmd!(sh, "git log -1 --format=%ct").quiet().read()?;
    let (archive, list) = (format!("{name}.tar.gz"), format!("{name}.cdx.json"));
    pack(sh, &out, &name, &archive, &since)?;
    sh.remove_path(&stage)?;
    sh.write_file(out.join(&list), sbom::of(sh, &target, &since)?)?;
    let _there = sh.push_dir(&out);
    let sums = cmd!(sh, "sha256sum {archive} {list}").quiet().read()?;
    sh.write_file("SHA256SUMS", format!("{sums}\n"))?;
    cmd!(sh, "sha256sum --check --quiet SHA256SUMS").quiet().run()?;
    let libraries = if is_static { "static" } else { "with the C library of the system" };
    println!("{}: {archive} ({libraries}), {list}, SHA256SUMS", out.display());
    Ok(())
}

/// Entries in one order, of one time and of nobody: what is packed again is the same.
fn pack(sh: &Shell, out: &Path, name: &str, archive: &str, since: &str) -> Result<()> {
    let _there = sh.push_dir(out);
    let tar = archive.trim_end_matches(".gz");
    let mode = "--mode=u=rwX,go=rX";
    cmd!(
        sh,
        "tar --create --file {tar} --sort=name --mtime=@{since} --owner=0 --group=0 --numeric-owner {mode} {name}"
    )
    .quiet()
    .run()?;
    Ok(cmd!(sh, "gzip --no-name --best --force {tar}").quiet().run()?)
}

fn build(sh: &Shell, target: &str) -> Result<PathBuf> {
    let package = ["--package", "streamfence-cli", "--bin", "streamfence"];
    cmd!(sh, "cargo build --locked --profile dist {package...} --target {target}").run()?;
    Ok(tools::target_dir(sh)?.join(target).join("dist/streamfence"))
}

fn host(sh: &Shell) -> Result<String> {
    let version = cmd!(sh, "rustc --version --verbose").quiet().read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc says what it runs on")?.to_owned())
}

/// A binary that needs nothing of the system runs on every Linux, and alone in an image.
fn best_target(sh: &Shell, host: &str) -> Result<String> {
    let Some(musl) = musl_of(host) else { return Ok(host.to_owned()) };
    let there = cmd!(sh, "rustc --print target-libdir --target {musl}").quiet().ignore_stderr().read();
    if there.is_ok_and(|folder| sh.path_exists(folder)) {
        return Ok(musl);
    }
    println!("{musl} is not installed (`rustup target add {musl}`): what is built needs the C library of the system");
    Ok(host.to_owned())
}

fn musl_of(host: &str) -> Option<String> {
    let architecture = host.split('-').next()?;
    host.contains("-linux-").then(|| format!("{architecture}-unknown-linux-musl"))
}

/// Whether a program names no loader, which would bring it libraries. The name stands among its first bytes.
fn is_static(program: &[u8]) -> bool {
    let head = &program[..program.len().min(4_096)];
    !["/ld-linux", "/ld-musl", "/ld64.so"]
        .iter()
        .any(|loader| head.windows(loader.len()).any(|part| part == loader.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{is_static, musl_of};

    #[test]
    fn the_static_target_is_that_of_the_same_processor() {
        assert_eq!(musl_of("x86_64-unknown-linux-gnu").as_deref(), Some("x86_64-unknown-linux-musl"));
        assert_eq!(musl_of("aarch64-unknown-linux-gnu").as_deref(), Some("aarch64-unknown-linux-musl"));
        assert_eq!(musl_of("aarch64-apple-darwin"), None);
    }

    #[test]
    fn a_program_that_names_a_loader_is_not_static() {
        assert!(is_static(b"\x7fELF nothing"));
        assert!(!is_static(b"\x7fELF /lib64/ld-linux-x86-64.so.2\0"));
        let ours = std::env::current_exe().expect("it has a name");
        assert!(!is_static(&std::fs::read(ours).expect("it can be read")) || cfg!(target_env = "musl"));
    }
}
