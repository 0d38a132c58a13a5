//! What a file says of the pages that may connect.

use expect_test::{Expect, expect};
use streamfence_config::{Format, parse};

/// What an operator sees of a list of origins: its errors, or its warnings.
fn check(origins: &str, seen: Expect) {
    let text = format!("servers:\n  s:\n    namespaces: [{{path: /n, topics: [a]}}]\n    allowedOrigins: {origins}\n");
    let lookup = |_: streamfence_config::Reference<'_>| Err("there is none".to_owned());
    let lines = match parse(&text, Format::Yaml, "f.yaml", &lookup) {
        Ok(settings) => settings.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect(),
        Err(errors) => format!("{errors}\n"),
    };
    seen.assert_eq(&lines);
}

#[test]
fn origins_are_of_pages() {
    check("['https://a.org', 'capacitor://localhost', 'chrome-extension://abcdef', 'null']", expect![[""]]);
    check(
        "['wss://a.org', 'ftp://x', 'file://x']",
        expect![[r#"
        f.yaml:4:22: allowedOrigins is "wss://a.org"; wanted origins such as `https://example.org:8443`, or `*` (servers.s)
        f.yaml:4:37: allowedOrigins is "ftp://x"; wanted origins such as `https://example.org:8443`, or `*` (servers.s)
        f.yaml:4:48: allowedOrigins is "file://x"; wanted origins such as `https://example.org:8443`, or `*` (servers.s)
    "#]],
    );
}

#[test]
fn all_of_them_and_some_beside_is_told() {
    check("['*']", expect![[""]]);
    check(
        "['https://a.org', '*']",
        expect![[r#"
        warning: f.yaml:4:39: allowedOrigins is `*` among others: it lets every page in, and the others beside it change nothing about that (servers.s)
    "#]],
    );
    check(
        "['ftp://x', '*']",
        expect![[r#"
        f.yaml:4:22: allowedOrigins is "ftp://x"; wanted origins such as `https://example.org:8443`, or `*` (servers.s)
    "#]],
    );
}
