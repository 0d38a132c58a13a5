//! `cargo xtask dist`: what is given to whoever runs a server: one archive with the binary and what belongs to it, a list of
//! what is in the binary, and checksums.

mod empty_root;
mod sbom;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::{binary, tools};

/// What lies beside the binary.
const COMPANY: [&str; 7] =
    ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE", "docs", "deploy"];

/// What to make of what.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// The target to build for; without it that of this machine.
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
    let host = binary::host(sh)?;
    let target = args.target.clone().unwrap_or_else(|| host.clone());
    let binary = match &args.bin {
        Some(binary) => std::path::absolute(binary)?,
        None => binary::build(sh, "dist", &target)?,
    };
    binary::check(sh, &binary, &target)?;

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
        if binary::is_linux(&target) {
            empty_root::check(sh, &program)?;
        }
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
    println!("{}: {archive}, {list}, SHA256SUMS", out.display());
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
