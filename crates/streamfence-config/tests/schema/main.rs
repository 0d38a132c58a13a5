//! The schema is current, true of every file that is taken, and says no to what is refused key by key.
//!
//! `UPDATE_EXPECT=1 cargo test -p streamfence-config` writes `docs/configuration.schema.json` anew.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod validate;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use streamfence_config::{Format, Reference, Section, defaults, defaults_as_json, parse, schema};

fn taken(text: &str) -> Result<(), String> {
    let lookup = |reference: Reference<'_>| match reference {
        Reference::Env(_) => Ok("4000".to_owned()),
        Reference::File(_) => Ok("a secret".to_owned()),
    };
    parse(text, Format::Yaml, "f.yaml", &lookup).map(drop).map_err(|errors| errors.to_string())
}

fn valid(text: &str) -> Result<(), String> {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let file: Value = serde_saphyr::from_str(text).unwrap();
    validate::validate(&schema, &file)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every configuration the repository shows to anybody.
fn shown() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in [repository().join("examples"), repository().join("crates/streamfence-cli")] {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with("node_modules") {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "yaml") {
                    files.push(path);
                }
            }
        }
    }
    assert!(files.len() > 5, "{files:?}");
    files
}

#[test]
fn the_schema_in_the_repository_is_current() {
    expect_test::expect_file!["../../../../docs/configuration.schema.json"].assert_eq(&schema());
}

#[test]
fn what_is_taken_is_valid() {
    for file in shown() {
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(taken(&text).and_then(|()| valid(&text)), Ok(()), "{}", file.display());
    }
    for text in [defaults(), defaults_as_json()] {
        assert_eq!(taken(&text).and_then(|()| valid(&text)), Ok(()), "{text}");
    }
    for namespace in [
        "{path: /n, topics: [a, {name: b, max_queued_messages_per_client: 7, coalesceKey: [/x, /y]}]}",
        "{path: /n, topics: [a], maxQueuedBytesPerClient: '${BYTES}', gapNotices: false, maxFrequency: 0.5}",
        "{path: /n, topics: ['room/*'], slowClient: {softMessages: 1}, retry_backoff: {max_ms: 7}}",
    ] {
        let text = format!("servers: {{s: {{port: '${{PORT}}', allowed_origins: ['*'], namespaces: [{namespace}]}}}}");
        assert_eq!(taken(&text).and_then(|()| valid(&text)), Ok(()), "{text}");
    }
}

#[test]
fn what_is_wrong_with_one_key_is_invalid() {
    let server = |keys: &str| format!("servers: {{s: {{namespaces: [{{path: /n, topics: [a]}}], {keys}}}}}");
    let namespace = |keys: &str| format!("servers: {{s: {{namespaces: [{{path: /n, topics: [a], {keys}}}]}}}}");
    let wrong = [
        "{}".to_owned(),
        "servers: {}".to_owned(),
        "servers: []".to_owned(),
        "servers: {s: {}}".to_owned(),
        "servers: {s: {namespaces: []}}".to_owned(),
        "servers: {s: {namespaces: [{topics: [a]}]}}".to_owned(),
        "servers: {s: {namespaces: [{path: /n}]}}".to_owned(),
        "servers: {s: {namespaces: [{path: /n, topics: [7]}]}}".to_owned(),
        "servers: {s: {namespaces: [{path: /n, topics: [{ttlMs: 7}]}]}}".to_owned(),
        server("nonsense: 1"),
        server("port: 65536"),
        server("port: a"),
        server("port: 1.5"),
        server("host: ''"),
        server("transport: TCP"),
        server("splice: maybe"),
        server("allowedOrigins: 7"),
        server("tls: {certChainPemPath: c.pem}"),
        namespace("coalesceKey: []"),
        namespace("maxFrequency: 1001"),
        namespace("deliveryMode: best_effort"),
        namespace("topic: a"),
        namespace("spill: {onFull: panic}"),
        namespace("slowClient: 7"),
    ];
    for text in wrong {
        assert!(taken(&text).is_err(), "{text}");
        assert!(valid(&text).is_err(), "{text}");
    }
}

#[test]
fn every_key_is_in_it_with_its_meaning_and_none_that_is_not_in_this_build() {
    let text = schema();
    for key in streamfence_config::KEYS {
        let meaning = serde_json::to_string(key.meaning).unwrap();
        assert!(text.contains(&meaning), "{}", key.name);
    }
}

#[test]
fn the_defaults_are_a_file_that_changes_nothing() {
    let bare = "servers: {main: {namespaces: [{path: /feed, topics: [price]}]}}";
    let outcome = |text: &str| {
        let settings = parse(text, Format::Yaml, "f.yaml", &|_| Err("no references".to_owned())).unwrap();
        assert_eq!(settings.warnings, [], "{text}");
        let classes: Vec<_> = settings.catalog.topics().map(|topic| settings.catalog.class(topic).clone()).collect();
        format!("{:?} {:?} {:?} {classes:?}", settings.servers, settings.admin, settings.log)
    };
    assert_eq!(outcome(&defaults()), outcome(bare));
    assert_eq!(outcome(&defaults_as_json()), outcome(bare));
}

#[test]
fn the_defaults_show_every_key() {
    let page = defaults();
    let is_shown = |key: &streamfence_config::Key| page.contains(&format!("{}:", key.name));
    // An entry of `topics` with a name of its own is what a plain name is short for.
    let is_left_out = |key: &streamfence_config::Key| key.section == Section::Topic;
    for key in streamfence_config::KEYS.iter().filter(|key| !is_left_out(key)) {
        assert!(is_shown(key), "{}", key.name);
    }
}
