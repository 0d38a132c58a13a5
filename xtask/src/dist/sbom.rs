//! What is in the binary: every crate with its version, licence and checksum, and who asked for it, as CycloneDX.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, Node, Package, PackageId};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

/// The list for a target, as text. `since` is the time of the commit, in Unix seconds: the list is of that, too.
pub(super) fn of(sh: &Shell, target: &str, since: &str) -> Result<String> {
    // The metadata also follow features that only some other feature would turn on; the tree says what is compiled.
    let (tree, each) = (["--edges", "normal,build", "--prefix", "none", "--format"], "{p}");
    let tree = cmd!(sh, "cargo tree --locked --package streamfence-cli --target {target} {tree...} {each}");
    let compiled = compiled(&tree.quiet().read().context("cargo tree")?);
    let mut metadata = cargo_metadata::MetadataCommand::new()
        .current_dir(sh.current_dir())
        .other_options(["--locked", "--filter-platform", target].map(str::to_owned).to_vec())
        .exec()
        .context("cargo metadata")?;
    metadata.packages.retain(|package| compiled.contains(&(package.name.to_string(), package.version.to_string())));
    let list = list(&metadata, &checksums(&sh.read_file("Cargo.lock")?), since)?;
    Ok(format!("{list:#}\n"))
}

fn list(metadata: &Metadata, checksums: &BTreeMap<(String, String), String>, since: &str) -> Result<Value> {
    let resolve = metadata.resolve.as_ref().context("cargo has resolved it")?;
    let packages: BTreeMap<&PackageId, &Package> =
        metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let nodes: BTreeMap<&PackageId, &Node> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let root =
        metadata.packages.iter().find(|package| package.name == "streamfence-cli").context("no streamfence-cli")?;

    let (mut reached, mut open) = (BTreeSet::from([&root.id]), vec![&root.id]);
    while let Some(id) = open.pop() {
        open.extend(built_from(nodes[id]).filter(|id| packages.contains_key(id) && reached.insert(*id)));
    }
    let mut reached: Vec<&Package> = reached.into_iter().map(|id| packages[id]).collect();
    reached.sort_by_key(|package| (package.name.clone(), package.version.clone()));

    let component = |package: &&Package| {
        let kind = if package.id == root.id { "application" } else { "library" };
        let mut component = json!({
            "type": kind, "bom-ref": name(package), "name": package.name.as_str(), "version": package.version.to_string(),
            "purl": name(package),
        });
        if let Some(license) = &package.license {
            // Some crates still write `/` where an `OR` is meant.
            component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
        }
        if let Some(sum) = checksums.get(&(package.name.to_string(), package.version.to_string())) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
        }
        component
    };
    let dependencies = reached.iter().map(|package| {
        let on: BTreeSet<String> =
            built_from(nodes[&package.id]).filter_map(|id| packages.get(id)).map(|package| name(package)).collect();
        json!({"ref": name(package), "dependsOn": on})
    });
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "component": component(&root),
            "properties": [{"name": "streamfence:commitTime", "value": since}],
        },
        "components": reached.iter().filter(|package| package.id != root.id).map(component).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

/// The crates of a tree, by name and version: `serde v1.0.0 (proc-macro)`.
fn compiled(tree: &str) -> BTreeSet<(String, String)> {
    let crate_of = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    tree.lines().filter_map(crate_of).collect()
}

/// What a crate is built from, and by: not what only its tests use.
fn built_from(node: &Node) -> impl Iterator<Item = &PackageId> {
    let is_built = |kind: &DependencyKind| *kind != DependencyKind::Development;
    node.deps.iter().filter(move |dep| dep.dep_kinds.iter().any(|kind| is_built(&kind.kind))).map(|dep| &dep.pkg)
}

fn name(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

/// The checksums of a lock file, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |part: &str, key: &str| -> Option<String> {
        let line = part.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let parts = lock.split("[[package]]\n").skip(1);
    parts.filter_map(|part| Some(((field(part, "name")?, field(part, "version")?), field(part, "checksum")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_what_is_built_and_nothing_of_the_tests() {
        let sh = Shell::new().expect("there is a folder");
        sh.change_dir(crate::tools::root());
        let text = of(&sh, "x86_64-unknown-linux-gnu", "0").expect("it can be made");
        let list: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(list["metadata"]["component"]["name"], "streamfence-cli");
        let components = list["components"].as_array().expect("it is a list");
        let find = |name: &str| components.iter().find(|component| component["name"] == name);
        let tokio = find("tokio").expect("it is built from tokio");
        assert_eq!(tokio["licenses"], json!([{"expression": "MIT"}]));
        assert_eq!(tokio["hashes"][0]["content"].as_str().map(str::len), Some(64));
        assert!(find("streamfence-core").is_some());
        for absent in ["proptest", "divan", "turmoil", "windows-sys"] {
            assert!(find(absent).is_none(), "{absent}");
        }
        let refs =
            components.iter().chain([&list["metadata"]["component"]]).map(|component| component["bom-ref"].as_str());
        let known: BTreeSet<_> = refs.collect();
        assert_eq!(known.len(), components.len() + 1, "each is there once");
        for dependency in list["dependencies"].as_array().expect("it is a list") {
            assert!(known.contains(&dependency["ref"].as_str()));
            let on = dependency["dependsOn"].as_array().expect("it is a list");
            assert!(on.iter().all(|on| known.contains(&on.as_str())));
        }
    }

    #[test]
    fn a_tree_says_what_is_compiled() {
        let tree = "a v1.0.0 (/there/a)\nb-c v2.0.0-rc.1\nd v0.1.0+meta (proc-macro) (*)\n\n";
        let wanted = [("a", "1.0.0"), ("b-c", "2.0.0-rc.1"), ("d", "0.1.0+meta")];
        assert_eq!(compiled(tree), BTreeSet::from(wanted.map(|(name, version)| (name.into(), version.into()))));
    }

    #[test]
    fn a_lock_file_says_what_the_registry_has() {
        let lock = "version = 4\n\n[[package]]\nname = \"ours\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"theirs\"\n\
                    version = \"2.0.0\"\nsource = \"registry\"\nchecksum = \"abc\"\ndependencies = [\n \"ours\",\n]\n";
        assert_eq!(checksums(lock), BTreeMap::from([(("theirs".to_owned(), "2.0.0".to_owned()), "abc".to_owned())]));
    }
}
