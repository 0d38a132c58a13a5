//! `cargo xtask package`: whether each crate could be published as it is.

use anyhow::{Result, bail};
use cargo_metadata::Package;
use xshell::{Shell, cmd};

use crate::tools;

/// What the registry takes at most.
const KEYWORDS: usize = 5;
const KEYWORD_BYTES: usize = 20;
const CATEGORIES: usize = 5;
const DESCRIPTION_BYTES: usize = 200;

/// How far to go.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Also builds each crate from its package, as `cargo publish` does unless it is told otherwise; takes minutes.
    #[arg(long)]
    verify: bool,
}

impl Args {
    /// All of it.
    pub(crate) fn verified() -> Self {
        Self { verify: true }
    }
}

/// Checks what stands in the manifests, makes the packages, and asks the registry as far as that is done without uploading.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let metadata = tools::metadata(sh)?;
    let (published, private): (Vec<_>, Vec<_>) = metadata.packages.iter().partition(|package| is_published(package));
    let findings: Vec<String> = published.iter().flat_map(|package| check(sh, package)).collect();
    for finding in &findings {
        println!("package: {finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    let excluded: Vec<_> = private.iter().flat_map(|package| ["--exclude", package.name.as_str()]).collect();
    // What is not committed yet is looked at all the same; who publishes does so from a clean tree.
    let verify: &[&str] = if args.verify { &[] } else { &["--no-verify"] };
    cmd!(sh, "cargo publish --dry-run --workspace {excluded...} {verify...} --locked --allow-dirty").run()?;
    println!("{} crates can be published", published.len());
    Ok(())
}

fn is_published(package: &Package) -> bool {
    package.publish.is_none()
}

/// Says what is missing for whoever finds the crate in a registry.
fn check(sh: &Shell, package: &Package) -> Vec<String> {
    let mut findings = findings(package);
    let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        if !sh.path_exists(folder.join(license)) {
            findings.push(format!("{}: {license} is missing; link it to the one at the top", package.name));
        }
    }
    if !package.readme().is_some_and(|readme| sh.path_exists(readme)) {
        findings.push(format!("{}: no `readme`; wanted `readme.workspace = true`", package.name));
    }
    findings
}

fn findings(package: &Package) -> Vec<String> {
    let name = &package.name;
    let mut findings = Vec::new();
    let description = package.description.as_deref().unwrap_or_default();
    if description.is_empty() || description.len() > DESCRIPTION_BYTES {
        findings
            .push(format!("{name}: a `description` of {} bytes; wanted 1 to {DESCRIPTION_BYTES}", description.len()));
    }
    for (what, there) in [("license", &package.license), ("repository", &package.repository)] {
        if there.is_none() {
            findings.push(format!("{name}: no `{what}`; wanted `{what}.workspace = true`"));
        }
    }
    for (what, words, most) in
        [("keywords", &package.keywords, KEYWORDS), ("categories", &package.categories, CATEGORIES)]
    {
        if words.is_empty() || words.len() > most {
            findings.push(format!("{name}: {} `{what}`; wanted 1 to {most}", words.len()));
        }
    }
    for keyword in package.keywords.iter().filter(|keyword| keyword.len() > KEYWORD_BYTES) {
        findings.push(format!("{name}: the keyword `{keyword}` has more than {KEYWORD_BYTES} bytes"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::findings;

    fn package(more: serde_json::Value) -> cargo_metadata::Package {
        let mut package = serde_json::json!({
            "name": "a", "version": "1.0.0", "id": "a", "dependencies": [], "targets": [], "features": {},
            "manifest_path": "/a/Cargo.toml", "description": "it is one", "license": "MIT",
            "repository": "https://example.org", "keywords": ["one"], "categories": ["config"],
        });
        for (key, value) in more.as_object().expect("it is one") {
            package[key] = value.clone();
        }
        serde_json::from_value(package).expect("it is a package")
    }

    #[test]
    fn what_the_registry_would_not_take_is_found_and_named() {
        assert_eq!(findings(&package(serde_json::json!({}))), Vec::<String>::new());
        let wrong = [
            (serde_json::json!({"description": null}), "a: a `description` of 0 bytes; wanted 1 to 200"),
            (serde_json::json!({"license": null}), "a: no `license`; wanted `license.workspace = true`"),
            (serde_json::json!({"keywords": []}), "a: 0 `keywords`; wanted 1 to 5"),
            (serde_json::json!({"keywords": ["a", "b", "c", "d", "e", "f"]}), "a: 6 `keywords`; wanted 1 to 5"),
            (serde_json::json!({"categories": []}), "a: 0 `categories`; wanted 1 to 5"),
            (
                serde_json::json!({"keywords": ["a-word-without-any-end"]}),
                "a: the keyword `a-word-without-any-end` has more than 20 bytes",
            ),
        ];
        for (more, finding) in wrong {
            assert_eq!(findings(&package(more)), [finding]);
        }
    }
}
