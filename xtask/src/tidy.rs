//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! A rule that nobody runs is a wish. Each finding names the place, what was found and what is wanted.

mod attacks;
mod layers;
mod source;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, Metadata, Package};
use xshell::{Shell, cmd};

/// What a newcomer looks for first.
const DOCUMENTS: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "deny.toml"];

/// Checks the whole repository and fails with all that was found, not only the first.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let metadata = crate::tools::metadata(sh)?;

    let mut findings = Vec::new();
    check_documents(sh, &mut findings);
    findings.extend(attacks::check(&sh.read_file(attacks::PAGE)?, |path| sh.read_file(path).ok()));
    check_crates(sh, &metadata, &mut findings)?;
    let files = check_sources(sh, &mut findings)?;

    if findings.is_empty() {
        println!("{} crates and {files} files are tidy", metadata.packages.len());
        return Ok(());
    }
    for finding in &findings {
        println!("tidy: {finding}");
    }
    bail!("{} findings", findings.len())
}

fn check_documents(sh: &Shell, findings: &mut Vec<String>) {
    let missing = DOCUMENTS.iter().filter(|name| !sh.path_exists(name));
    findings.extend(missing.map(|name| format!("{name} is missing")));
}

fn check_crates(sh: &Shell, metadata: &Metadata, findings: &mut Vec<String>) -> Result<()> {
    for package in &metadata.packages {
        let dependencies = dependencies(package);
        findings.extend(layers::check(package.name.as_str(), &dependencies));

        let manifest = sh.read_file(&package.manifest_path)?;
        if !source::inherits_lints(&manifest) {
            findings.push(format!("{}: `[lints] workspace = true` is missing", package.name));
        }
    }
    Ok(())
}

/// What the crate is built from. What its tests use concerns nobody who depends on it.
fn dependencies(package: &Package) -> Vec<&str> {
    package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development).map(|d| d.name.as_str()).collect()
}

fn check_sources(sh: &Shell, findings: &mut Vec<String>) -> Result<usize> {
    let tracked = cmd!(sh, "git ls-files --cached --others --exclude-standard -- *.rs").quiet().read()?;
    let mut files = 0;
    // A file that was deleted and not yet committed is still listed.
    for path in tracked.lines().filter(|path| sh.path_exists(path)) {
        let text = sh.read_file(path)?;
        findings.extend(source::check(path, &text));
        files += 1;
    }
    Ok(files)
}
