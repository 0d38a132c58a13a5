//! What a file says of tokens: where they come from, who needs one, and that none is ever shown.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};
use streamfence_config::{AuthSettings, Format, JwtKeySource, Reference, Settings, load, parse};

fn read(text: &str) -> Result<Settings, String> {
    let lookup = |reference: Reference<'_>| match reference {
        Reference::Env("SECRET") => Ok("hunter2".to_owned()),
        _ => Err("the variable is not set".to_owned()),
    };
    parse(text, Format::Yaml, "f.yaml", &lookup).map_err(|errors| errors.to_string())
}

/// What an operator sees of a file: its errors, or its warnings.
fn check(text: &str, seen: Expect) {
    let lines = match read(text) {
        Ok(settings) => settings.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect(),
        Err(errors) => format!("{errors}\n"),
    };
    assert!(!lines.contains("hunter2"), "{lines}");
    seen.assert_eq(&lines);
}

/// A file with one server that has these keys, from line 3, and a namespace that wants to know its clients.
fn server(keys: &str) -> String {
    let tail = "    namespaces: [{path: /n, topics: [a], authRequired: true}]\n";
    keys.lines().fold("servers:\n  s:\n".to_owned(), |file, line| format!("{file}    {line}\n")) + tail
}

fn auth(keys: &str) -> AuthSettings {
    let settings = read(&server(&format!("auth: TOKEN\n{keys}"))).unwrap();
    settings.servers[0].auth.clone().unwrap()
}

const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

#[test]
fn tokens_of_all_kinds_are_read_and_their_secrets_are_never_shown() {
    let keys = format!(
        "staticTokens: {{alice: '${{SECRET}}', bob: '{DIGEST}'}}\n\
        jwt: {{algorithm: HS256, secret: 'a ${{SECRET}}', issuer: [me, you], audience: feed, leewayMs: 0, requireExpiry: false, principalClaim: name, rulesClaim: may, withoutRules: deny}}\n\
        authHook: {{url: 'http://[::1]:8080/authorize?a=${{SECRET}}', timeoutMs: 7, maxConcurrent: 8, cacheMs: 0}}\n\
        tokenQuery: true\nauthTimeoutMs: 9\nauthFailures: {{max: 3, windowMs: 4}}"
    );
    let auth = auth(&keys);
    assert_eq!(auth.static_tokens[0].token.expose(), "hunter2");
    let JwtKeySource::Secret(secret) = &auth.jwt.as_ref().unwrap().keys else { panic!("it is a secret") };
    assert_eq!(secret.expose(), "a hunter2");
    assert_eq!(auth.hook.as_ref().unwrap().url, "http://[::1]:8080/authorize?a=hunter2");
    assert_eq!(self::auth("staticTokens: {a: b, c: B}").static_tokens.len(), 2);
    expect![[r#"
        AuthSettings {
            static_tokens: [
                StaticToken {
                    principal: "alice",
                    token: Secret(..),
                },
                StaticToken {
                    principal: "bob",
                    token: Secret(..),
                },
            ],
            jwt: Some(
                JwtSettings {
                    algorithm: Hs256,
                    keys: Secret(
                        Secret(..),
                    ),
                    issuers: [
                        "me",
                        "you",
                    ],
                    audiences: [
                        "feed",
                    ],
                    leeway: 0ns,
                    require_expiry: false,
                    principal_claim: "name",
                    rules_claim: "may",
                    allow_without_rules: false,
                },
            ),
            hook: Some(
                AuthHookSettings {
                    url: "http://[::1]:8080/authorize",
                    ca_certs: None,
                    timeout: 7ms,
                    max_concurrent: 8,
                    cache: 0ns,
                    recheck: Some(
                        60s,
                    ),
                },
            ),
            token_query: true,
            timeout: 9ms,
            failures: Some(
                AuthFailureSettings {
                    max: 3,
                    window: 4ms,
                },
            ),
            alarm_per_minute: Some(
                300,
            ),
        }
    "#]]
    .assert_debug_eq(&auth);
}

#[test]
fn what_is_not_said_of_tokens_has_its_default() {
    let auth = auth("jwt: {algorithm: EdDSA, jwksPath: keys.json}\nauthHook: {url: http://localhost}");
    expect![[r#"
        AuthSettings {
            static_tokens: [],
            jwt: Some(
                JwtSettings {
                    algorithm: EdDsa,
                    keys: Jwks(
                        "keys.json",
                    ),
                    issuers: [],
                    audiences: [],
                    leeway: 5s,
                    require_expiry: true,
                    principal_claim: "sub",
                    rules_claim: "streamfence",
                    allow_without_rules: true,
                },
            ),
            hook: Some(
                AuthHookSettings {
                    url: "http://localhost",
                    ca_certs: None,
                    timeout: 2s,
                    max_concurrent: 64,
                    cache: 2s,
                    recheck: Some(
                        60s,
                    ),
                },
            ),
            token_query: false,
            timeout: 10s,
            failures: Some(
                AuthFailureSettings {
                    max: 20,
                    window: 60s,
                },
            ),
            alarm_per_minute: Some(
                300,
            ),
        }
    "#]]
    .assert_debug_eq(&auth);
    let without = read("servers: {s: {namespaces: [{path: /n, topics: [a]}]}}").unwrap();
    assert_eq!(without.servers[0].auth, None);
    assert_eq!(self::auth("staticTokens: {a: b}\nauthFailures: {max: 0}").failures, None);
}

#[test]
fn tokens_need_somebody_who_knows_them() {
    check(
        &server("auth: TOKEN"),
        expect![[r#"
            f.yaml:3:11: `staticTokens` is missing; wanted it, `jwt` or `authHook`, because auth is TOKEN (servers.s)
        "#]],
    );
    check(
        &server("auth: TOKEN\nstaticTokens: {}"),
        expect![[r#"
            f.yaml:4:19: `token` is missing; wanted at least one, as `name: token` (servers.s.staticTokens)
        "#]],
    );
}

#[test]
fn who_must_prove_something_can_and_somebody_must() {
    let topics = "topics: [a, {name: b, authRequired: true}]";
    let file =
        |keys: &str, namespace: &str| format!("servers: {{s: {{{keys} namespaces: [{{path: /n, {namespace}}}]}}}}");
    check(
        &file("", topics),
        expect![[r#"
            f.yaml:1:76: authRequired is true; wanted false, because the server's auth is NONE (servers.s.namespaces[0] /n b)
        "#]],
    );
    check(
        &file("", "topics: [a], authRequired: true"),
        expect![[r#"
            f.yaml:1:67: authRequired is true; wanted false, because the server's auth is NONE (servers.s.namespaces[0] /n)
        "#]],
    );
    check(
        &file("auth: TOKEN, staticTokens: {a: b},", "topics: [a]"),
        expect![[r#"
            warning: f.yaml:1:21: auth is TOKEN: nothing has authRequired, so a client that shows no token may do everything (servers.s)
        "#]],
    );
    let settings = read(&file("auth: TOKEN, staticTokens: {a: b},", topics)).unwrap();
    assert!(settings.warnings.is_empty());
    let catalog = &settings.catalog;
    let namespace = catalog.namespace("/n").unwrap();
    let asks = |name: &str| catalog.class(catalog.topic(namespace, name).unwrap()).auth_required;
    assert!(!catalog.namespace_entry(namespace).auth_required && !asks("a") && asks("b"));
    let open = "topics: [a, {name: b, authRequired: false}], authRequired: true";
    let settings = read(&file("auth: TOKEN, staticTokens: {a: b},", open)).unwrap();
    let catalog = &settings.catalog;
    let namespace = catalog.namespace("/n").unwrap();
    let asks = |name: &str| catalog.class(catalog.topic(namespace, name).unwrap()).auth_required;
    assert!(catalog.namespace_entry(namespace).auth_required && asks("a") && !asks("b"));
}

#[test]
fn what_is_said_of_tokens_that_nobody_is_asked_for_has_no_effect() {
    let keys = "staticTokens: {a: b}, jwt: {algorithm: HS256, secret: s}, authHook: {url: http://h}, tokenQuery: true, \
        authTimeoutMs: 1, authFailures: {max: 1}";
    check(
        &format!("servers: {{s: {{{keys}, namespaces: [{{path: /n, topics: [a]}}]}}}}"),
        expect![[r#"
            warning: f.yaml:1:29: staticTokens has no effect: auth is NONE, so nobody is asked for a token (servers.s)
            warning: f.yaml:1:42: jwt has no effect: auth is NONE, so nobody is asked for a token (servers.s)
            warning: f.yaml:1:83: authHook has no effect: auth is NONE, so nobody is asked for a token (servers.s)
            warning: f.yaml:1:112: tokenQuery has no effect: auth is NONE, so nobody is asked for a token (servers.s)
            warning: f.yaml:1:133: authTimeoutMs has no effect: auth is NONE, so nobody is asked for a token (servers.s)
            warning: f.yaml:1:150: authFailures has no effect: auth is NONE, so nobody is asked for a token (servers.s)
        "#]],
    );
    check(
        &server("auth: TOKEN\nstaticTokens: {a: b}\ntokenQuery: true"),
        expect![[r#"
            warning: f.yaml:5:17: tokenQuery is true: a token in a query is written down by proxies and browsers; `auth.token` is not (servers.s)
        "#]],
    );
}

#[test]
fn a_static_token_that_is_none_is_refused_at_its_place_and_not_shown() {
    let keys = format!(
        "auth: TOKEN\nstaticTokens:\n  number: 271828\n  empty: ''\n  list: [hunter2]\n  half: sha256:hunter2\n  unset: '${{NOWHERE}}'\n  \
        first: '${{SECRET}}'\n  second: hunter2\n  digest: {DIGEST}\n  again: {}\n  '': a\n  \"b\\n\": c",
        DIGEST.to_lowercase()
    );
    check(
        &server(&keys),
        expect![[r#"
            f.yaml:5:15: the token of "number" is not a text, or an empty one; wanted a text in quotes (servers.s.staticTokens)
            f.yaml:6:14: the token of "empty" is not a text, or an empty one; wanted a text in quotes (servers.s.staticTokens)
            f.yaml:7:13: the token of "list" is not a text, or an empty one; wanted a text in quotes (servers.s.staticTokens)
            f.yaml:8:13: the token of "half" is not a digest; wanted `sha256:` and 64 hexadecimal digits (servers.s.staticTokens)
            f.yaml:9:14: "${NOWHERE}" cannot be expanded: the variable is not set (servers.s.staticTokens)
            f.yaml:11:15: the token of "second" is that of "first" too; wanted one of its own (servers.s.staticTokens)
            f.yaml:13:14: the token of "again" is that of "digest" too; wanted one of its own (servers.s.staticTokens)
            f.yaml:14:7: a principal is ""; wanted 1 to 128 bytes without control characters (servers.s.staticTokens)
            f.yaml:15:7: a principal is "b\n"; wanted 1 to 128 bytes without control characters (servers.s.staticTokens)
        "#]],
    );
    check(
        &server("auth: TOKEN\nstaticTokens: hunter2"),
        expect![[r#"
            f.yaml:4:19: staticTokens is no block of names; wanted names, each with a text (servers.s)
        "#]],
    );
}

#[test]
fn signed_tokens_have_one_algorithm_and_one_place_for_keys() {
    check(
        &server("auth: TOKEN\njwt: {}"),
        expect![[r#"
            f.yaml:4:10: `algorithm` is missing; wanted HS256, RS256, ES256 or EdDSA; it is not taken from the tokens (servers.s.jwt)
            f.yaml:4:10: `keyPath` is missing; wanted it, `jwksPath` or `secret`, and one of them alone (servers.s.jwt)
        "#]],
    );
    check(
        &server("auth: TOKEN\njwt: {algorithm: RS256, secret: '${SECRET}'}"),
        expect![[r#"
            f.yaml:4:37: secret is given; wanted keyPath or jwksPath, because only HS256 has a secret (servers.s.jwt)
        "#]],
    );
    check(
        &server("auth: TOKEN\njwt: {algorithm: none, keyPath: k, jwksPath: k}"),
        expect![[r#"
            f.yaml:4:22: algorithm is "none"; wanted HS256, RS256, ES256 or EdDSA (servers.s.jwt)
        "#]],
    );
    check(
        &server("auth: TOKEN\njwt: {algorithm: ES256, keyPath: k, jwksPath: k}"),
        expect![[r#"
            f.yaml:4:51: keyPath is given, and so is `jwksPath`; wanted one of `keyPath`, `jwksPath` and `secret` alone (servers.s.jwt)
        "#]],
    );
}

#[test]
fn a_hook_has_a_url_that_holds_no_secret_of_its_own() {
    for url in ["ftp://h", "http://", "http://:80/", "http://a:hunter2@h/", "http://h/a b", "http://h/#f", "https://"] {
        let error = read(&server(&format!("auth: TOKEN\nauthHook: {{url: '{url}'}}"))).unwrap_err();
        assert!(
            error.starts_with("f.yaml:4:21: url is not such a URL; wanted `http://` or `https://`, a host"),
            "{url}: {error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
    check(
        &server("auth: TOKEN\nauthHook: {url: http://h, caCertsPemPath: ca.pem}"),
        expect![[r#"
            warning: f.yaml:4:47: caCertsPemPath has no effect: the url is one without TLS (servers.s.authHook)
        "#]],
    );
    check(
        &server("auth: TOKEN\nauthHook: {timeoutMs: 0}"),
        expect![[r#"
            f.yaml:4:15: `url` is missing; wanted a text (servers.s.authHook)
            f.yaml:4:27: timeoutMs is 0; wanted a whole number from 1 to 60000 (servers.s.authHook)
        "#]],
    );
}

#[test]
fn key_files_are_found_beside_the_file() {
    let directory = std::env::temp_dir().join(format!("streamfence-config-auth-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let found = |name: &str, keys: &str| {
        let path = directory.join(name);
        fs::write(&path, server(&format!("auth: TOKEN\njwt: {{algorithm: RS256, {keys}}}"))).unwrap();
        load(path).unwrap().servers[0].auth.clone().unwrap().jwt.unwrap().keys
    };
    let seen = [found("a.yaml", "keyPath: keys/k.pem"), found("b.yaml", "jwksPath: /etc/k.json")];
    let hook = "auth: TOKEN\nauthHook: {url: https://h, caCertsPemPath: ca.pem}";
    fs::write(directory.join("c.yaml"), server(hook)).unwrap();
    let hook = load(directory.join("c.yaml")).unwrap().servers[0].auth.clone().unwrap().hook.unwrap();
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(hook.ca_certs, Some(directory.join("ca.pem")));
    assert_eq!(
        seen,
        [JwtKeySource::File(directory.join("keys/k.pem")), JwtKeySource::Jwks(Path::new("/etc/k.json").to_owned()),]
    );
}

#[test]
fn the_example_of_the_page_is_valid() {
    let page = include_str!("../../../docs/auth.md");
    let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = read(&example.replace("DASHBOARD_TOKEN", "SECRET")).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    let auth = settings.servers[0].auth.as_ref().unwrap();
    assert!(auth.jwt.is_some() && auth.hook.is_some() && auth.static_tokens.len() == 2);
}

#[test]
fn a_timeout_of_tokens_is_a_time() {
    assert_eq!(auth("staticTokens: {a: b}\nauth_timeout_ms: 250").timeout, Duration::from_millis(250));
}

#[test]
fn what_is_no_token_is_told_and_so_is_a_digest_of_none() {
    let nothing = "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
    let line = "sha256:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b";
    let tokens = format!(
        "auth: TOKEN\nstaticTokens:\n  a: {nothing}\n  b: {line}\n  c: SHA256:{}\n  d: 'md5:x'\n  e: ' blank'\n  f: \"a\\tb\"\n  \
         g: 'user:good'",
        &DIGEST[7..]
    );
    check(
        &server(&tokens),
        expect![[r#"
        f.yaml:5:10: the token of "a" is the digest of nothing; wanted that of a token, as `printf %s TOKEN | sha256sum` tells it (servers.s.staticTokens)
        f.yaml:6:10: the token of "b" is the digest of an empty line; wanted that of a token, as `printf %s TOKEN | sha256sum` tells it (servers.s.staticTokens)
        f.yaml:7:10: the token of "c" is a digest of another kind; wanted `sha256:` in small letters, and 64 hexadecimal digits (servers.s.staticTokens)
        f.yaml:8:10: the token of "d" is a digest of another kind; wanted `sha256:` in small letters, and 64 hexadecimal digits (servers.s.staticTokens)
        f.yaml:9:10: the token of "e" is a text with blanks around it or control characters; wanted one that a client can show in a header (servers.s.staticTokens)
        f.yaml:10:10: the token of "f" is a text with blanks around it or control characters; wanted one that a client can show in a header (servers.s.staticTokens)
    "#]],
    );
}

#[test]
fn of_several_places_for_keys_all_are_named() {
    let jwt = |keys: &str| server(&format!("auth: TOKEN\njwt:\n  algorithm: HS256\n{keys}"));
    check(
        &jwt("  keyPath: a\n  jwksPath: b"),
        expect![[r#"
        f.yaml:7:17: keyPath is given, and so is `jwksPath`; wanted one of `keyPath`, `jwksPath` and `secret` alone (servers.s.jwt)
    "#]],
    );
    check(
        &jwt("  secret: '0123456789abcdef0123456789abcdef'\n  jwksPath: b\n  keyPath: a"),
        expect![[r#"
        f.yaml:7:17: secret is given, and so is `jwksPath` and `keyPath`; wanted one of `keyPath`, `jwksPath` and `secret` alone (servers.s.jwt)
    "#]],
    );
    check(
        &jwt(""),
        expect![[r#"
        f.yaml:5:7: `keyPath` is missing; wanted it, `jwksPath` or `secret`, and one of them alone (servers.s.jwt)
    "#]],
    );
}
