//! Who may do what at the admin address: every mistake is named, and no key is ever shown.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::fs;

use expect_test::{Expect, expect};
use streamfence_config::{AdminScope, AdminSettings, Format, Reference, Settings, load, parse};

const SECRET: &str = "correct-horse-battery-staple";
const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

fn read(admin: &str) -> Result<Settings, String> {
    let lookup = |reference: Reference<'_>| match reference {
        Reference::Env("SECRET") => Ok(SECRET.to_owned()),
        Reference::Env("EMPTY") => Ok(String::new()),
        _ => Err("the variable is not set".to_owned()),
    };
    let file = format!("servers: {{s: {{namespaces: [{{path: /n, topics: [a]}}]}}}}\nadmin:\n{admin}\n");
    parse(&file, Format::Yaml, "f.yaml", &lookup).map_err(|errors| errors.to_string())
}

fn admin(admin: &str) -> AdminSettings {
    read(admin).unwrap().admin
}

/// What an operator sees of a file: its errors, or its warnings.
fn check(admin: &str, seen: Expect) {
    let lines = match read(admin) {
        Ok(settings) => settings.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect(),
        Err(errors) => format!("{errors}\n"),
    };
    assert!(!lines.contains("hunter2") && !lines.contains(SECRET), "{lines}");
    seen.assert_eq(&lines);
}

#[test]
fn holders_have_keys_scopes_and_topics() {
    let settings = admin(&format!(
        "  host: 0.0.0.0\n  keys:\n    backend: {{keys: ['${{SECRET}}', '{DIGEST}'], scopes: publish, topics: [/feed/*, '*']}}\n    ops: {{keys: another-key-of-many-letters, scopes: [read, admin]}}"
    ));
    let keys: Vec<_> = settings.keys[0].keys.iter().map(streamfence_config::Secret::expose).collect();
    assert_eq!(keys, [SECRET, DIGEST]);
    assert_eq!(settings.keys[1].scopes, [AdminScope::Read, AdminScope::Admin]);
    expect![[r#"
        AdminSettings {
            listen: Tcp {
                host: "0.0.0.0",
                port: 9093,
            },
            keys: [
                AdminKeySettings {
                    name: "backend",
                    keys: [
                        Secret(..),
                        Secret(..),
                    ],
                    scopes: [
                        Publish,
                    ],
                    topics: Some(
                        [
                            "/feed/*",
                            "*",
                        ],
                    ),
                },
                AdminKeySettings {
                    name: "ops",
                    keys: [
                        Secret(..),
                    ],
                    scopes: [
                        Read,
                        Admin,
                    ],
                    topics: None,
                },
            ],
        }
    "#]]
    .assert_debug_eq(&settings);
    assert!(admin("  host: localhost").keys.is_empty());
}

#[test]
fn without_keys_only_this_machine_is_listened_to() {
    for host in ["0.0.0.0", "'::'", "10.0.0.1", "admin.example"] {
        assert!(read(&format!("  host: {host}")).is_err(), "{host}");
        assert!(read(&format!("  host: {host}\n  keys: {{a: {{keys: {SECRET}, scopes: read}}}}")).is_ok(), "{host}");
    }
    for host in ["127.0.0.9", "'::1'", "localhost"] {
        assert!(read(&format!("  host: {host}")).is_ok(), "{host}");
    }
    check(
        "  host: 0.0.0.0",
        expect![[r#"
        f.yaml:3:9: host is "0.0.0.0"; wanted a loopback address or `unix:/path`, or `keys` beside it, because whoever reaches it may do everything without (admin)
    "#]],
    );
}

#[test]
fn what_is_wrong_with_keys_is_said_and_they_are_not() {
    let holders = |holders: &str| format!("  keys: {holders}");
    check(
        &holders("hunter2"),
        expect![[r#"
        f.yaml:3:9: keys is no block of names; wanted names, each with `keys` and `scopes` (admin)
    "#]],
    );
    check(
        &holders("{}"),
        expect![[r#"
        f.yaml:3:9: `keys` is missing; wanted at least one name in it, with `keys` and `scopes` (admin)
    "#]],
    );
    check(
        &holders("{a: hunter2}"),
        expect![[r#"
        f.yaml:3:13: "a" is no block of keys; wanted `{keys: .., scopes: ..}` (admin.keys)
    "#]],
    );
    check(
        &holders("{a: {}}"),
        expect![[r#"
        f.yaml:3:13: `keys` is missing; wanted a key, or a list of them (admin.keys.a)
        f.yaml:3:13: `scopes` is missing; wanted publish, read or admin, or a list of them (admin.keys.a)
    "#]],
    );
    check(
        &holders("{a: {keys: 7, scopes: read}}"),
        expect![[r#"
        f.yaml:3:20: keys is neither a text nor a list of texts, or an empty one; wanted a text in quotes, or a list of such texts (admin.keys.a)
    "#]],
    );
    check(
        &holders("{a: {keys: [], scopes: read}}"),
        expect![[r#"
        f.yaml:3:20: keys is neither a text nor a list of texts, or an empty one; wanted a text in quotes, or a list of such texts (admin.keys.a)
    "#]],
    );
    check(
        &holders("{a: {keys: ['${EMPTY}'], scopes: read}}"),
        expect![[r#"
        f.yaml:3:21: a key is empty; wanted a text (admin.keys.a)
    "#]],
    );
    check(
        &holders("{a: {keys: 'hunter2 hunter2 hunter2', scopes: read}}"),
        expect![[r#"
        f.yaml:3:20: a key is nothing that a header can carry; wanted letters, digits and signs of ASCII, without spaces (admin.keys.a)
    "#]],
    );
    check(
        &holders("{a: {keys: 'sha256:hunter2', scopes: read}}"),
        expect![[r#"
        f.yaml:3:20: a key is not a digest; wanted `sha256:` and 64 hexadecimal digits (admin.keys.a)
    "#]],
    );
    check(
        &holders(
            "{a: {keys: 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', scopes: read}}",
        ),
        expect![[r#"
        f.yaml:3:20: a key is the digest of nothing; wanted that of a token, as `printf %s TOKEN | sha256sum` tells it (admin.keys.a)
    "#]],
    );
    check(
        &holders(&format!("{{a: {{keys: [{SECRET}, {SECRET}], scopes: read}}}}")),
        expect![[r#"
        f.yaml:3:51: a key is there twice; wanted each key once (admin.keys.a)
    "#]],
    );
    let two = format!("{{a: {{keys: {SECRET}, scopes: read}}, b: {{keys: [{SECRET}], scopes: read}}}}");
    check(
        &holders(&two),
        expect![[r#"
        f.yaml:3:76: a key is that of "a" too; wanted one of its own (admin.keys.b)
    "#]],
    );
    let two =
        format!("{{a: {{keys: '{DIGEST}', scopes: read}}, b: {{keys: '{}', scopes: read}}}}", digest_in_capitals());
    check(
        &holders(&two),
        expect![[r#"
        f.yaml:3:120: a key is that of "a" too; wanted one of its own (admin.keys.b)
    "#]],
    );
    check(
        &holders(&format!("{{a: {{keys: {SECRET}, scopes: [read, write]}}}}")),
        expect![[r#"
        f.yaml:3:58: scopes is "write"; wanted publish, read or admin (admin.keys.a)
    "#]],
    );
    check(
        &holders(&format!("{{a: {{keys: {SECRET}, scopes: publish, topics: feed/*}}}}")),
        expect![[r#"
        f.yaml:3:75: topics is "feed/*"; wanted a namespace and a topic such as `/feed/*`, or `*` (admin.keys.a)
    "#]],
    );
    check(
        &holders(&format!("{{\"a\\nb\": {{keys: {SECRET}, scopes: publish}}}}")),
        expect![[r#"
        f.yaml:3:10: a name is "a\nb"; wanted 1 to 128 bytes without control characters (admin.keys)
    "#]],
    );
}

fn digest_in_capitals() -> String {
    let (kind, digits) = DIGEST.split_once(':').unwrap();
    format!("{kind}:{}", digits.to_ascii_uppercase())
}

#[test]
fn what_is_unwise_about_keys_is_warned_of() {
    check(
        "  keys: {a: {keys: [hunter2, 'sha256:0000000000000000000000000000000000000000000000000000000000000000'], scopes: read}}",
        expect![[r#"
            warning: f.yaml:3:21: a key is shorter than 16 bytes: it can be guessed; `openssl rand -hex 24` makes a good one (admin.keys.a)
        "#]],
    );
    check(
        &format!("  keys: {{a: {{keys: {SECRET}, scopes: read, topics: /feed/*}}}}"),
        expect![[r#"
        warning: f.yaml:3:72: topics has no effect: its scopes are without publish, and it is about where to publish (admin.keys.a)
    "#]],
    );
}

#[cfg(unix)]
#[test]
fn keys_everybody_may_read_are_warned_of_and_digests_are_not() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.yaml");
    for (key, wanted) in [(SECRET, 1), (DIGEST, 0)] {
        let admin = format!("admin: {{keys: {{a: {{keys: '{key}', scopes: read}}}}}}");
        fs::write(&path, format!("servers: {{s: {{namespaces: [{{path: /n, topics: [a]}}]}}}}\n{admin}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let said: Vec<_> = load(&path).unwrap().warnings.iter().map(ToString::to_string).collect();
        let found = said.iter().filter(|said| said.contains("a key is a secret in this file")).count();
        assert_eq!(found, wanted, "{said:?}");
        assert!(!said.concat().contains(SECRET));
    }
}
