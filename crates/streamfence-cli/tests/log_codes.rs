//! Every line that a server logs at `info` or above has a code, and `docs/logs.md` explains each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What a server is built from that logs. The other crates have no `tracing`, which the layering table checks.
const CRATES: [&str; 5] =
    ["streamfence-cli", "streamfence-http", "streamfence-otel", "streamfence-runtime", "streamfence-socketio"];
const LEVELS: [&str; 3] = ["info", "warn", "error"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The levels under which each code is logged, and the lines that have none.
fn logged() -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
    let (mut codes, mut without) = (BTreeMap::<_, BTreeSet<_>>::new(), Vec::new());
    let mut files = Vec::new();
    CRATES.iter().for_each(|name| sources(&root().join("crates").join(name).join("src"), &mut files));
    for file in files {
        let text = fs::read_to_string(&file).expect("a source is text");
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        assert!(!text.contains("use tracing::{"), "{}: wanted `tracing::info!`, so that it is found", file.display());
        for level in LEVELS {
            let call = format!("tracing::{level}!(");
            for (at, _) in text.match_indices(&call) {
                let rest = text[at + call.len()..].trim_start();
                match rest.strip_prefix("code = \"").and_then(|rest| rest.split_once('"')) {
                    Some((code, _)) => {
                        codes.entry(code.to_owned()).or_default().insert(level.to_owned());
                    }
                    None => without.push(format!("{}: {}", file.display(), rest.lines().next().unwrap_or_default())),
                }
            }
        }
    }
    (codes, without)
}

/// The rows of the page: codes and levels.
fn explained() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/logs.md")).expect("the page is there");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (code, rest) = row.split_once("` | ").expect("a row begins with its code");
        let (levels, meaning) = rest.split_once(" | ").expect("then comes the level");
        assert!(meaning.len() > 10, "{code} is explained");
        (code.to_owned(), levels.split(", ").map(str::to_owned).collect())
    })
    .collect()
}

#[test]
fn every_line_has_a_code_and_every_code_is_explained() {
    let (codes, without) = logged();
    assert!(without.is_empty(), "wanted `code = \"..\"` first in:\n{}", without.join("\n"));
    assert!(codes.len() > 40, "the lines were found: {codes:?}");
    for code in codes.keys() {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    }
    let explained = explained();
    for (code, levels) in &codes {
        assert_eq!(explained.get(code), Some(levels), "`{code}` in docs/logs.md");
    }
    let gone: Vec<_> = explained.keys().filter(|code| !codes.contains_key(*code)).collect();
    assert!(gone.is_empty(), "docs/logs.md explains what nothing logs: {gone:?}");
}
