#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use streamfence_core::Delivery;

use crate::keys::snake_case;
use crate::{Format, KEYS, Kind, Reference, Section, Settings, load, parse, reference};

fn lookup(reference: Reference<'_>) -> Result<String, String> {
    match reference {
        Reference::Env("PORT") => Ok("4000".to_owned()),
        Reference::Env("SECRET") => Ok("hunter 2".to_owned()),
        Reference::Env("TOPIC") => Ok("from-env".to_owned()),
        Reference::Env(_) => Err("the variable is not set".to_owned()),
        Reference::File(path) => Ok(format!("/content-of-{path}")),
    }
}

fn read(text: &str, format: Format) -> Result<Settings, String> {
    parse(text, format, "f.yaml", &lookup).map_err(|errors| errors.to_string())
}

/// What an operator sees of a file: its errors, or its warnings.
fn check(text: &str, seen: Expect) {
    let lines = match read(text, Format::Yaml) {
        Ok(settings) => settings.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect(),
        Err(errors) => format!("{errors}\n"),
    };
    seen.assert_eq(&lines);
}

/// A file with one server, one namespace `/n` and these keys in it, from line 5.
fn namespace(keys: &str) -> String {
    let head = "servers:\n  s:\n    namespaces:\n      - path: /n\n";
    keys.lines().fold(head.to_owned(), |file, line| format!("{file}        {line}\n"))
}

/// A file with one server that has these keys, from line 3.
fn server(keys: &str) -> String {
    let tail = "    namespaces: [{path: /n, topics: [a]}]\n";
    keys.lines().fold("servers:\n  s:\n".to_owned(), |file, line| format!("{file}    {line}\n")) + tail
}

fn file(keys: &str) -> String {
    format!("servers: {{s: {{namespaces: [{{path: /n, topics: [a]}}]}}}}\n{keys}\n")
}

/// The keys that every `tls` needs, in a block that is still open.
const TLS_FILES: &str = "{certChainPemPath: chain.pem, privateKeyPemPath: key.pem";

/// A file in which one key of a section has one value.
fn file_with(section: Section, name: &str, value: &str) -> String {
    match section {
        Section::File if name == "watch" => file(&format!("{name}: {value}")),
        Section::File => format!("{name}: {value}\n"),
        // What is said of tokens means something only where they are wanted.
        Section::Server if value == "TOKEN" => server(&format!("{name}: {value}\nstaticTokens: {{a: b}}")),
        Section::Server if name == "staticTokens" || name == "static_tokens" => {
            server(&format!("auth: TOKEN\n{name}: {value}"))
        }
        Section::Server if name.contains("oken") || name.starts_with("auth") && name != "auth" => {
            server(&format!("auth: TOKEN\nstaticTokens: {{a: b}}\n{name}: {value}"))
        }
        Section::Jwt => {
            let rest = match name {
                "algorithm" => "jwksPath: keys.json",
                "keyPath" | "key_path" | "jwksPath" | "jwks_path" | "secret" => "algorithm: HS256",
                _ => "algorithm: RS256, jwksPath: keys.json",
            };
            server(&format!("auth: TOKEN\njwt: {{{rest}, {name}: {value}}}"))
        }
        Section::AuthHook => {
            let rest = if name == "url" { "" } else { "url: http://localhost, " };
            server(&format!("auth: TOKEN\nauthHook: {{{rest}{name}: {value}}}"))
        }
        Section::AuthFailures => {
            server(&format!("auth: TOKEN\nstaticTokens: {{a: b}}\nauthFailures: {{{name}: {value}}}"))
        }
        Section::Server if value == "WSS" => server(&format!("{name}: {value}\ntls: {TLS_FILES}}}")),
        Section::Server if name.starts_with("proxy") => server(&format!("{name}: {value}\ntrustedProxies: [unix]")),
        Section::Server => server(&format!("{name}: {value}")),
        Section::HandshakeRate => server(&format!("handshakesPerIp: {}", rate("count", name, value))),
        Section::InboundRate => server(&format!("inboundRate: {}", rate("messages", name, value))),
        Section::InboundEvents => server(&format!("inboundRate: {{messages: 1, events: {{{name}: {value}}}}}")),
        Section::EventRate => {
            let rate = rate("messages", name, value);
            server(&format!("inboundRate: {{messages: 1, events: {{publish: {rate}}}}}"))
        }
        Section::PrincipalRate => {
            let named = if name == "name" { "messages: 7".to_owned() } else { "name: ann".to_owned() };
            let rate = rate("messages", name, value).replacen('{', &format!("{{{named}, "), 1);
            server(&format!("inboundRate: {{messages: 1, principals: [{rate}]}}"))
        }
        Section::Tls => {
            let rest = match name {
                "certChainPemPath" | "cert_chain_pem_path" => "{privateKeyPemPath: key.pem",
                "privateKeyPemPath" | "private_key_pem_path" => "{certChainPemPath: chain.pem",
                _ => TLS_FILES,
            };
            let asks = if ["optional", "required"].contains(&value) { ", clientCaPemPath: ca.pem" } else { "" };
            server(&format!("transport: WSS\ntls: {rest}, {name}: {value}{asks}}}"))
        }
        Section::Policy if name == "authRequired" => {
            namespace(&format!("topics: [a]\n{name}: {value}")) + "    auth: TOKEN\n    staticTokens: {a: b}\n"
        }
        Section::Namespace | Section::Policy => namespace(&format!("topics: [a]\n{name}: {value}")),
        // With what makes the limits and the word of the ladder one that can be kept.
        Section::SlowClient => {
            let rest = match name {
                "hard" => ", hardMessages: 9",
                "forMs" | "for_ms" => ", softMessages: 1",
                _ if name.starts_with("hard") => ", hard: unsubscribe",
                _ => "",
            };
            namespace(&format!("topics: [a]\nslowClient: {{{name}: {value}{rest}}}"))
        }
        Section::Backoff => namespace(&format!(
            "topics: [a]\ndeliveryMode: AT_LEAST_ONCE\nmaxRetries: 1\nretryBackoff: {{{name}: {value}}}"
        )),
        Section::Spill => namespace(&format!("topics: [a]\noverflowAction: SPILL_TO_DISK\nspill: {{{name}: {value}}}")),
        Section::Topic => namespace(&format!("topics: [{{{name}: {value}}}]")),
        Section::Admin => file(&format!("admin: {{{name}: {value}}}")),
        Section::AdminKey => {
            let given = if name == "keys" { "" } else { "keys: 0123456789abcdef, " };
            let scopes = if name == "scopes" { "" } else { "scopes: publish, " };
            file(&format!("admin: {{keys: {{ops: {{{given}{scopes}{name}: {value}}}}}}}"))
        }
        Section::Log => file(&format!("log: {{{name}: {value}}}")),
        Section::Tracing => file(&format!("tracing: {{{name}: {value}}}")),
    }
}

/// A rate in which one key has one value, and that has what it needs.
fn rate(count: &str, name: &str, value: &str) -> String {
    let rest = if name == count || name == "name" { String::new() } else { format!(", {count}: 7") };
    format!("{{{name}: {value}{rest}}}")
}

/// Whether the key stands in the frame that [`file_with`] puts around it.
fn is_in_frame(section: Section, name: &str) -> bool {
    matches!((section, name), (Section::Server, "namespaces") | (Section::Namespace, "path" | "topics"))
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = read(&file(""), Format::Yaml).unwrap();
    expect![[r#"
        ServerSettings {
            name: "s",
            listen: Tcp {
                host: "0.0.0.0",
                port: 3000,
            },
            tls: None,
            auth: None,
            engine_io_transport: WebsocketOrPolling,
            path: "/socket.io",
            allowed_origins: None,
            max_connections: 10000,
            limits: LimitSettings {
                trusted_proxies: [],
                trusts_unix: false,
                proxy_protocol: false,
                bind_sid_to_ip: false,
                max_connections_per_ip: None,
                handshakes_per_ip: None,
                max_pending_connections: None,
                max_pending_per_ip: None,
                inbound_rate: None,
            },
            max_payload_bytes: 65536,
            max_subscriptions_per_client: 64,
            ping_interval: 25s,
            ping_timeout: 20s,
            connect_timeout: 10s,
            header_timeout: 10s,
            body_timeout: 10s,
            stall_timeout: 30s,
            window_frames: 32,
            splice: true,
            not_sent_lowat_bytes: 16384,
            blocked_read_budget_bytes: 262144,
            shutdown_drain: 10s,
            memory_budget_bytes: None,
            spill_root: ".streamfence-spill",
            spill_max_bytes: 4294967296,
            spill_min_free_bytes: 536870912,
            namespaces: [
                "/n",
            ],
    "#]]
    .assert_eq(format!("{:#?}", settings.servers[0]).split("    drafts").next().unwrap());
    expect![[r#"
        (
            AdminSettings {
                listen: Tcp {
                    host: "127.0.0.1",
                    port: 9093,
                },
                keys: [],
            },
            LogSettings {
                level: Info,
                format: Text,
            },
        )
    "#]]
    .assert_debug_eq(&(&settings.admin, &settings.log));
    let topic = settings.catalog.topics().next().unwrap();
    expect![[r#"
        Class {
            id: ClassId(
                0,
            ),
            namespace: NamespaceId(
                0,
            ),
            path: "/n",
            name: "a",
            policy: Policy {
                delivery: BestEffort {
                    overflow: RejectNew,
                    coalesce: false,
                    max_frequency: None,
                },
                limits: Limits {
                    messages: 64,
                    bytes: 524288,
                },
                gap_notices: false,
                receipt_window: None,
            },
            coalesce_key: Topic,
            on_subscribe: Nothing,
            ttl: None,
            exhaustion: DeadLetter,
            dead_letters: 0,
            spill: SpillRules {
                store: StoreId(
                    0,
                ),
                max_bytes_per_client: None,
                max_bytes_per_topic: None,
                on_full: Reject,
            },
            ack: Event,
            wire: TopicEvent,
            metadata: WhenAcked,
            client_publish: Deny,
            inbound_ack: OnReceipt,
            allow_polling: true,
            auth_required: false,
            echo: true,
            max_topics: 10000,
            is_removed: false,
        }
    "#]]
    .assert_debug_eq(settings.catalog.class(topic));
    let acked = read(&namespace("topics: [a]\ndeliveryMode: AT_LEAST_ONCE\nmaxRetries: 1"), Format::Yaml).unwrap();
    expect!["AtLeastOnce { window: 1, retry: Retry { ack_timeout: 1s, max_retries: 1, backoff: Backoff { multiplier_permille: 1000, max: 60s, jitter_permille: 0 } }, overflow: RejectNew }"]
        .assert_eq(&format!("{:?}", acked.catalog.class(topic).policy.delivery));
}

#[test]
fn a_topic_has_its_namespaces_policy_but_for_what_it_says_itself() {
    let text = namespace(
        "deliveryMode: AT_LEAST_ONCE\nmaxRetries: 4\nmaxInFlight: 8\ntopics:\n  - a\n  - name: b\n    maxInFlight: 2\n  - {name: c, deliveryMode: BEST_EFFORT, overflowAction: COALESCE, metadata: full}",
    );
    let settings = read(&text, Format::Yaml).unwrap();
    let topics: Vec<_> = settings
        .catalog
        .topics()
        .map(|topic| settings.catalog.class(topic))
        .map(|class| format!("{} {:?} {:?}\n", class.name, class.policy.delivery, class.metadata))
        .collect();
    expect![[r#"
        a AtLeastOnce { window: 8, retry: Retry { ack_timeout: 1s, max_retries: 4, backoff: Backoff { multiplier_permille: 1000, max: 60s, jitter_permille: 0 } }, overflow: RejectNew } WhenAcked
        b AtLeastOnce { window: 2, retry: Retry { ack_timeout: 1s, max_retries: 4, backoff: Backoff { multiplier_permille: 1000, max: 60s, jitter_permille: 0 } }, overflow: RejectNew } WhenAcked
        c BestEffort { overflow: Coalesce, coalesce: true, max_frequency: None } Full
    "#]]
    .assert_eq(&topics.concat());
}

#[test]
fn values_are_told_apart_by_all_that_is_named_and_paced_by_topic() {
    let text = namespace(
        "coalesceKey: [/symbol, /venue]\nmaxFrequency: 2.5\nonSubscribe: last\ntopics:\n  - a\n  - {name: b, coalesceKey: /id, onSubscribe: none}\n  - {name: c, coalesceKey: topic, maxFrequency: 0, deliveryMode: AT_LEAST_ONCE, maxRetries: 1}",
    );
    let settings = read(&text, Format::Yaml).unwrap();
    let classes = settings.catalog.topics().map(|topic| settings.catalog.class(topic));
    let told: Vec<_> = classes
        .map(|class| {
            let frequency = match class.policy.delivery {
                Delivery::BestEffort { max_frequency, .. } => max_frequency,
                Delivery::AtLeastOnce { .. } => None,
            };
            format!("{} {:?} {frequency:?} {:?}\n", class.name, class.coalesce_key, class.on_subscribe)
        })
        .collect();
    expect![[r#"
        a Pointers(["/symbol", "/venue"]) Some(Frequency { interval: 400ms }) Last
        b Pointers(["/id"]) Some(Frequency { interval: 400ms }) Nothing
        c Topic None Last
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn every_constraint_is_an_error_at_its_place() {
    check(
        &namespace("topics: [a]\ndeliveryMode: AT_LEAST_ONCE\noverflowAction: DROP_OLDEST\ncoalesce: true"),
        expect![[r#"
            f.yaml:6:23: maxRetries is 0; AT_LEAST_ONCE wants at least 1 (servers.s.namespaces[0] /n a)
            f.yaml:7:25: overflowAction is DROP_OLDEST; AT_LEAST_ONCE wants REJECT_NEW or SPILL_TO_DISK (servers.s.namespaces[0] /n a)
            f.yaml:8:19: coalesce is true; AT_LEAST_ONCE wants false (servers.s.namespaces[0] /n a)
        "#]],
    );
    check(
        &namespace("onSubscribe: last\ntopics: [a, {name: b.*, onSubscribe: none}, 'c.*']"),
        expect![[r#"
        f.yaml:5:22: onSubscribe is last; wanted none, since a topic made from a pattern ends when unused (servers.s.namespaces[0] /n c.*)
    "#]],
    );
    check(
        &namespace("maxFrequency: 2.5\ntopics: [{name: a, deliveryMode: AT_LEAST_ONCE, maxRetries: 3}, b]"),
        expect![[r#"
            f.yaml:5:23: maxFrequency is 2.5; AT_LEAST_ONCE wants 0 (servers.s.namespaces[0] /n a)
        "#]],
    );
    check(
        &namespace("topics: [a]\ndeliveryMode: AT_LEAST_ONCE\nmaxRetries: 1\nmaxInFlight: 128"),
        expect![[r#"
        f.yaml:8:22: maxInFlight 128 exceeds maxQueuedMessagesPerClient 64 (servers.s.namespaces[0] /n a)
    "#]],
    );
    check(
        &namespace("overflowAction: COALESCE\ntopics: [{name: a, deliveryMode: AT_LEAST_ONCE, maxRetries: 3}, b]"),
        expect![[r#"
            f.yaml:5:25: overflowAction is COALESCE; AT_LEAST_ONCE wants REJECT_NEW or SPILL_TO_DISK (servers.s.namespaces[0] /n a)
        "#]],
    );
    check(
        &namespace("topics: [a, a, 12, subscribe, '']"),
        expect![[r#"
        f.yaml:5:21: topic a is already at 5:18; wanted each name once in its namespace (servers.s.namespaces[0] /n)
        f.yaml:5:24: topic is 12; wanted a name, in quotes if it looks like a number, or `{name: ..}` (servers.s.namespaces[0] /n)
        f.yaml:5:28: topic is "subscribe"; wanted a name that is no control event's (servers.s.namespaces[0] /n)
        f.yaml:5:39: topic is ""; wanted a name of 1 to 128 bytes without control characters (servers.s.namespaces[0] /n)
    "#]],
    );
    check(
        &namespace("topics: []"),
        expect![[r#"
        f.yaml:5:17: `topics` is missing; wanted at least one topic (servers.s.namespaces[0] /n)
    "#]],
    );
    check(
        &namespace("coalesce: true"),
        expect![[r#"
        f.yaml:4:9: `topics` is missing; wanted at least one topic (servers.s.namespaces[0] /n)
    "#]],
    );
    check(
        "servers: {s: {namespaces: [{path: feed, topics: [a]}, {topics: [a]}]}}",
        expect![[r#"
        f.yaml:1:35: namespace `feed`: wanted a path that starts with `/`, of at most 128 letters, digits and `/ . _ ~ -` (servers.s.namespaces[0])
        f.yaml:1:55: `path` is missing; wanted a text (servers.s.namespaces[1])
    "#]],
    );
    check(
        "servers:\n  a: {port: 1, namespaces: [{path: /n, topics: [a]}]}\n  b: {port: 2, namespaces: [{path: /n, topics: [a]}]}",
        expect![[r#"
            f.yaml:3:36: path /n is already at 2:36; wanted each path once in the file (servers.b.namespaces[0])
        "#]],
    );
    check(
        "servers:\n  a: {port: 0, namespaces: [{path: /a, topics: [a]}]}\n  b: {port: 0, namespaces: [{path: /b, topics: [a]}]}\n  c: {namespaces: [{path: /c, topics: [a]}]}\n  d: {port: 3000, namespaces: [{path: /d, topics: [a]}]}\nadmin: {host: localhost, port: 3000}",
        expect![[r#"
            f.yaml:5:13: address 0.0.0.0:3000 is already at 4:6; wanted each address once in the file (servers.d)
        "#]],
    );
    check(
        "servers: {s: {}}",
        expect![[r#"
        f.yaml:1:14: `namespaces` is missing; wanted at least one namespace (servers.s)
    "#]],
    );
    check(
        "servers: {}",
        expect![[r#"
            f.yaml:1:1: `servers` is missing; wanted a block of at least one server
        "#]],
    );
    check(
        "servers: {s: }",
        expect![[r#"
        f.yaml:1:12: servers.s is nothing; wanted a block of keys
    "#]],
    );
    check(
        "log: {level: info}",
        expect![[r#"
        f.yaml:1:1: `servers` is missing; wanted a block of at least one server
    "#]],
    );
    check(
        "",
        expect![[r#"
        f.yaml:1:1: the file is nothing; wanted a block of keys
    "#]],
    );
    check(
        &server("path: /\nallowedOrigins: ['https://a.org', 'https://a.org/', 7]\nhost: '[::1]'"),
        expect![[r#"
        f.yaml:3:11: path is "/"; wanted `/` and a path of letters, digits and `/ . _ ~ -` (servers.s)
        f.yaml:4:39: allowedOrigins is "https://a.org/"; wanted origins such as `https://example.org:8443`, or `*` (servers.s)
        f.yaml:4:57: allowedOrigins is 7; wanted origins such as `https://example.org:8443`, or `*` (servers.s)
        f.yaml:5:11: host is "[::1]"; wanted a name, an IP address without brackets, or `unix:/path` (servers.s)
    "#]],
    );
    check(
        &server("host: unix:/run/fence.sock\nport: 3000"),
        expect![[r#"
        f.yaml:4:11: port is 3000; wanted no port, because the host is a Unix socket (servers.s)
    "#]],
    );
    check(
        &server("host: 'unix:'"),
        expect![[r#"
        f.yaml:3:11: host is "unix:"; wanted a path after `unix:` (servers.s)
    "#]],
    );
    check(
        &file("admin: {host: 0.0.0.0}"),
        expect![[r#"
            f.yaml:2:15: host is "0.0.0.0"; wanted a loopback address or `unix:/path`, or `keys` beside it, because whoever reaches it may do everything without (admin)
        "#]],
    );
}

#[test]
fn all_errors_of_a_file_are_told_at_once() {
    check(
        &server(
            "port: 70000\nmaxConnections: 0\nwindowFrames: many\nengineIoTransport: websocket\nmaxRetries: 1\nmaxPayloadByte: 5\nfoo_bar: 1\nping_interval_ms: 1\npingIntervalMs: 2\ntls: {protocol: x, cert_chain_pem_path: c}\njwt: {}\nstallTimeoutMs: 1.5",
        ),
        expect![[r#"
            f.yaml:3:11: port is 70000; wanted a whole number from 0 to 65535 (servers.s)
            f.yaml:4:21: maxConnections is 0; wanted a whole number from 1 to 4294967295 (servers.s)
            f.yaml:5:19: windowFrames is "many"; wanted a whole number from 1 to 65535 (servers.s)
            f.yaml:6:24: engineIoTransport is "websocket"; wanted WEBSOCKET_OR_POLLING or WEBSOCKET_ONLY (servers.s)
            f.yaml:7:5: unknown key "maxRetries"; it stands in an entry of `namespaces` or of `topics` (servers.s)
            f.yaml:8:5: unknown key "maxPayloadByte"; the nearest is `maxPayloadBytes` (servers.s)
            f.yaml:9:5: unknown key "foo_bar"; wanted one of host, port, path, transport, tls, engineIoTransport, auth, staticTokens, jwt, authHook, tokenQuery, authTimeoutMs, authFailures, allowedOrigins, maxConnections, maxPayloadBytes, maxSubscriptionsPerClient, pingIntervalMs, pingTimeoutMs, connectTimeoutMs, headerTimeoutMs, bodyTimeoutMs, stallTimeoutMs, splice, windowFrames, notSentLowatBytes, blockedReadBudgetBytes, shutdownDrainMs, memoryBudgetBytes, spillRootPath, spillMaxBytes, spillMinFreeBytes, namespaces, trustedProxies, proxyProtocol, bindSidToIp, maxConnectionsPerIp, handshakesPerIp, maxPendingConnections, maxPendingPerIp, inboundRate (servers.s)
            f.yaml:11:5: `pingIntervalMs` is `ping_interval_ms` again in another spelling; wanted one of the two (servers.s)
            f.yaml:12:10: `privateKeyPemPath` is missing; wanted a text (servers.s.tls)
            f.yaml:12:21: protocol is "x"; wanted TLSv1.3 or TLSv1.2 (servers.s.tls)
            f.yaml:13:10: `algorithm` is missing; wanted HS256, RS256, ES256 or EdDSA; it is not taken from the tokens (servers.s.jwt)
            f.yaml:13:10: `keyPath` is missing; wanted it, `jwksPath` or `secret`, and one of them alone (servers.s.jwt)
            f.yaml:14:21: stallTimeoutMs is 1.5; wanted a whole number from 1 to 86400000 (servers.s)
        "#]],
    );
}

#[test]
fn what_many_share_is_wrong_once_and_where_it_is_written() {
    check(
        &namespace("deliveryMode: AT_LEAST_ONCE\ntopics: [a, b, c]"),
        expect![[r#"
        f.yaml:5:23: maxRetries is 0; AT_LEAST_ONCE wants at least 1 (servers.s.namespaces[0] /n a)
    "#]],
    );
    let shared = "servers:
  a:
    port: 1
    namespaces:
      - &base {path: /a, topics: [t], maxInFlight: none}
      - {<<: *base, path: /b}
";
    check(
        shared,
        expect![[r#"
        f.yaml:5:52: maxInFlight is "none"; wanted a whole number from 1 to 65535 (servers.a.namespaces[0])
    "#]],
    );
    let settings = read(&shared.replace("none", "1"), Format::Yaml).unwrap();
    assert_eq!(settings.servers[0].namespaces, ["/a", "/b"]);
}

#[test]
fn a_text_that_cannot_be_read_has_one_error() {
    check(
        "servers: [",
        expect![[r#"
        f.yaml:1:10: unclosed bracket '['
    "#]],
    );
    check(
        "servers: {s: {port: 1, port: 2}}",
        expect![[r#"
        f.yaml:1:24: `port` is there twice; wanted each key once
    "#]],
    );
    check(
        "a: 1\n---\nb: 2",
        expect![[r#"
        f.yaml:3:1: the file holds several documents; wanted one
    "#]],
    );
    check(
        "servers: !include other.yaml",
        expect![[r#"
        f.yaml:1:19: unsupported tag `!include`
    "#]],
    );
    check(
        &"[".repeat(100_000),
        expect![[r#"
        f.yaml:1:256: recursion limit exceeded
    "#]],
    );
    expect!["f.yaml: is not a JSON object; wanted `{`"].assert_eq(&read("servers: {}", Format::Json).unwrap_err());
    // What only YAML allows is not JSON, and what JSON allows is read.
    for (text, seen) in [
        (
            "{servers: {}}",
            expect!["f.yaml:1:2: is not JSON: key must be a string; a file with comments is YAML, `.yaml`"],
        ),
        (
            "{\n  \"servers\": {} # mine\n}",
            expect!["f.yaml:2:17: is not JSON: expected `,` or `}`; a file with comments is YAML, `.yaml`"],
        ),
        (
            "{\"servers\": {}, // mine\n}",
            expect!["f.yaml:1:17: is not JSON: key must be a string; a file with comments is YAML, `.yaml`"],
        ),
        (
            "{\"servers\": {},}",
            expect!["f.yaml:1:16: is not JSON: key must be a string; a file with comments is YAML, `.yaml`"],
        ),
        (
            "{\"servers\": 'a'}",
            expect!["f.yaml:1:13: is not JSON: expected value; a file with comments is YAML, `.yaml`"],
        ),
        (
            "{\"servers\": {}} {}",
            expect!["f.yaml:1:17: is not JSON: trailing characters; a file with comments is YAML, `.yaml`"],
        ),
        (
            "\u{feff}{\"servers\": {}",
            expect!["f.yaml:1:14: is not JSON: EOF while parsing an object; a file with comments is YAML, `.yaml`"],
        ),
    ] {
        seen.assert_eq(&read(text, Format::Json).unwrap_err());
    }
    let emoji = r#"{"servers": {"s": {"port": 0, "namespaces": [{"path": "/n", "topics": ["\ud83d\ude00"]}]}}}"#;
    let settings = read(emoji, Format::Json).unwrap();
    assert!(settings.catalog.topic(streamfence_core::NamespaceId(0), "\u{1f600}").is_some());
}

#[test]
fn settings_only_at_least_once_knows_are_warned_of_where_nothing_is() {
    check(
        &namespace("maxRetries: 3\nmaxInFlight: 1\nackTimeoutMs: 500\ntopics: [a, {name: b, maxInFlight: 2}]"),
        expect![[r#"
            warning: f.yaml:5:21: maxRetries has no effect: no topic of the namespace is AT_LEAST_ONCE (servers.s.namespaces[0] /n)
            warning: f.yaml:7:23: ackTimeoutMs has no effect: no topic of the namespace is AT_LEAST_ONCE (servers.s.namespaces[0] /n)
            warning: f.yaml:8:44: maxInFlight has no effect: the topic is BEST_EFFORT (servers.s.namespaces[0] /n b)
        "#]],
    );
    check(
        &namespace("onRetryExhausted: disconnect\ntopics: [a, {name: b, deadLetterCapacity: 5}]"),
        expect![[r#"
        warning: f.yaml:5:27: onRetryExhausted has no effect: no topic of the namespace is AT_LEAST_ONCE (servers.s.namespaces[0] /n)
        warning: f.yaml:6:51: deadLetterCapacity has no effect: the topic is BEST_EFFORT (servers.s.namespaces[0] /n b)
    "#]],
    );
    check(&namespace("maxRetries: 3\ntopics: [{name: a, deliveryMode: AT_LEAST_ONCE}, b]"), expect![[""]]);
}

#[test]
fn a_ladder_that_cannot_be_kept_is_refused_at_its_place() {
    let ladder = |keys: &str| {
        namespace(&format!("topics: [a, {{name: b, maxQueuedMessagesPerClient: 100}}]\nslowClient: {{{keys}}}"))
    };
    check(
        &ladder("softMessages: 20, softBytes: 9, hard: disconnect, hardMessages: 10, hardBytes: 9"),
        expect![[r#"
            f.yaml:6:36: softMessages 20 exceeds hardMessages 10 (servers.s.namespaces[0] /n.slowClient)
        "#]],
    );
    check(
        &ladder("forMs: 1"),
        expect![[r#"
        f.yaml:6:21: `softMessages` is missing; wanted at least one of softMessages, softBytes, hardMessages and hardBytes (servers.s.namespaces[0] /n.slowClient)
    "#]],
    );
    check(
        &ladder("softMessages: 0"),
        expect![[r#"
        f.yaml:6:36: softMessages is 0; wanted a whole number from 1 to 1099511627776 (servers.s.namespaces[0] /n.slowClient)
    "#]],
    );
    check(
        &ladder("hardBytes: 10"),
        expect![[r#"
        f.yaml:6:21: `hard` is missing; wanted unsubscribe or disconnect where a hard limit is given (servers.s.namespaces[0] /n.slowClient)
    "#]],
    );
    check(
        &ladder("softMessages: 10, hard: disconnect"),
        expect![[r#"
        f.yaml:6:21: `hardMessages` is missing; wanted hardMessages or hardBytes where `hard` is given (servers.s.namespaces[0] /n.slowClient)
    "#]],
    );
    check(
        &ladder("softMessages: 163, hard: cut"),
        expect![[r#"
        f.yaml:6:47: hard is "cut"; wanted unsubscribe or disconnect (servers.s.namespaces[0] /n.slowClient)
    "#]],
    );
    check(
        &ladder("softMessages: 163, softBytes: 1048576"),
        expect![[r#"
        warning: f.yaml:6:52: softBytes has no effect: the topics of the namespace hold no more than that for one client (servers.s.namespaces[0] /n.slowClient)
    "#]],
    );
    check(
        &ladder("softMessages: 164"),
        expect![[r#"
        warning: f.yaml:6:36: softMessages has no effect: the topics of the namespace hold no more than that for one client (servers.s.namespaces[0] /n.slowClient)
    "#]],
    );
    check(
        &namespace(
            "topics: [{name: a.*, maxTopics: 2, maxQueuedMessagesPerClient: 100}]\nslowClient: {softMessages: 199, softBytes: 2097152}",
        ),
        expect![[r#"
            warning: f.yaml:6:52: softBytes has no effect: the topics of the namespace hold no more than that for one client (servers.s.namespaces[0] /n.slowClient)
        "#]],
    );
}

#[test]
fn a_receipt_window_is_for_best_effort_and_a_way_to_ack_for_who_acks() {
    check(
        &namespace("receiptWindow: 4\nmaxRetries: 1\ntopics: [a, {name: b, deliveryMode: AT_LEAST_ONCE}]"),
        expect![[r#"
            f.yaml:5:24: receiptWindow is 4; AT_LEAST_ONCE wants 0, since maxInFlight is its window of what is not acked (servers.s.namespaces[0] /n b)
        "#]],
    );
    check(
        &namespace("receiptWindow: 4\nack: native\ntopics: [a, {name: b, receiptWindow: 0, ack: native}]"),
        expect![[r#"
            warning: f.yaml:7:54: ack has no effect: the topic is BEST_EFFORT and has no receiptWindow (servers.s.namespaces[0] /n b)
        "#]],
    );
    check(
        &namespace("ack: native\ntopics: [a]"),
        expect![[r#"
        warning: f.yaml:5:14: ack has no effect: no topic of the namespace is AT_LEAST_ONCE or has a receiptWindow (servers.s.namespaces[0] /n)
    "#]],
    );
    let settings = read(&namespace("receiptWindow: 4\nack: native\ntopics: [a]"), Format::Yaml).expect("it is valid");
    let class = settings.catalog.class(settings.catalog.topics().next().expect("there is a topic"));
    assert_eq!(class.policy.receipt_window.map(std::num::NonZeroU16::get), Some(4));
    assert_eq!(class.ack, streamfence_core::AckStyle::Native);
}

#[test]
fn tls_is_read_where_the_transport_wants_it_and_its_password_is_never_shown() {
    let written = "transport: WSS\ntls: {certChainPemPath: tls/chain.pem, privateKeyPemPath: /etc/key.pem, privateKeyPassword: '${SECRET}', protocol: TLSv1.2, handshakeTimeoutMs: 5000, maxHandshakes: 7}";
    let settings = read(&server(written), Format::Yaml).unwrap();
    let tls = settings.servers[0].tls.as_ref().unwrap();
    assert_eq!(tls.private_key_password.as_deref(), Some("hunter 2"));
    expect![[r#"
        TlsSettings {
            cert_chain: "tls/chain.pem",
            private_key: "/etc/key.pem",
            has_password: true,
            protocol: Tls12,
            client_auth: None,
            client_revocations: None,
            handshake_timeout: 5s,
            max_handshakes: 7,
        }
    "#]]
    .assert_debug_eq(tls);
    let defaults = read(&server(&format!("transport: WSS\ntls: {TLS_FILES}}}")), Format::Yaml).unwrap();
    expect![[r#"
        TlsSettings {
            cert_chain: "chain.pem",
            private_key: "key.pem",
            has_password: false,
            protocol: Tls13,
            client_auth: None,
            client_revocations: None,
            handshake_timeout: 10s,
            max_handshakes: 256,
        }
    "#]]
    .assert_debug_eq(defaults.servers[0].tls.as_ref().unwrap());
    check(
        &server("transport: WSS"),
        expect![[r#"
            f.yaml:3:16: `tls` is missing; wanted certChainPemPath and privateKeyPemPath in it, because transport is WSS (servers.s)
        "#]],
    );
    check(
        &server(&format!("transport: WS\ntls: {TLS_FILES}}}")),
        expect![[r#"
            warning: f.yaml:4:10: tls has no effect: transport is WS, so clients connect without TLS (servers.s)
        "#]],
    );
    check(
        &server(&format!("transport: WSS\ntls: {TLS_FILES}, privateKeyPassword: 271828}}")),
        expect![[r#"
            f.yaml:4:88: privateKeyPassword is not a text, or an empty one; wanted a text in quotes (servers.s.tls)
        "#]],
    );
}

#[test]
fn every_key_is_read_under_both_spellings() {
    for key in KEYS.iter().filter(|key| !is_in_frame(key.section, key.name)) {
        for name in [key.name.to_owned(), snake_case(key.name)] {
            let takes_text = matches!(
                key.kind,
                Kind::Text { .. }
                    | Kind::Texts { .. }
                    | Kind::Secret
                    | Kind::SecretTexts
                    | Kind::Path
                    | Kind::Choice { .. }
                    | Kind::Word { .. }
            );
            let wrong = if takes_text { "[]" } else { "wrong" };
            let errors = read(&file_with(key.section, &name, wrong), Format::Yaml).unwrap_err();
            let wanted = match key.kind {
                // Where keys belong, one may stand by mistake, and is not shown.
                Kind::Block if key.section != Section::Admin => format!("{} is \"wrong\"; wanted", key.name),
                _ => format!("{} is ", key.name),
            };
            assert!(errors.contains(&wanted), "{name}: {errors}");
        }
    }
}

/// What a file comes to, without the hash maps of the catalog, whose order is nobody's.
fn outcome(settings: &Settings) -> String {
    let classes: Vec<_> = settings.catalog.topics().map(|topic| settings.catalog.class(topic)).collect();
    let Settings { servers, admin, log, tracing, watch, .. } = settings;
    format!("{servers:?} {admin:?} {log:?} {tracing:?} {watch:?} {classes:?}")
}

/// The outcome of a file in which one key has one value, where its topic is one that every key means something to.
fn outcome_with(section: Section, name: &str, value: &str) -> String {
    let mut file = file_with(section, name, value);
    const ACKED: [&str; 5] = ["ackTimeoutMs", "maxInFlight", "maxRetries", "onRetryExhausted", "deadLetterCapacity"];
    if section == Section::Policy && ACKED.contains(&name) {
        let retries = if name == "maxRetries" { "" } else { "        maxRetries: 1\n" };
        let mode = "        deliveryMode: AT_LEAST_ONCE\n        maxQueuedMessagesPerClient: 100000\n";
        file += &format!("{mode}{retries}");
    }
    if name == "coalesceFallback" {
        file += "        overflowAction: COALESCE\n";
    }
    if value == "AT_LEAST_ONCE" {
        file += "        maxRetries: 1\n";
    }
    outcome(&read(&file, Format::Yaml).unwrap_or_else(|errors| panic!("{name}: {value}: {errors}")))
}

#[test]
fn every_word_of_a_choice_has_its_effect_and_every_later_word_is_refused_as_such() {
    for key in KEYS {
        let (of, later) = match key.kind {
            Kind::Choice { of, later } => (of, later),
            Kind::Word { of } => (of, &[][..]),
            _ => continue,
        };
        let outcomes: HashSet<_> = of.iter().map(|word| outcome_with(key.section, key.name, word)).collect();
        assert_eq!(outcomes.len(), of.len(), "{}", key.name);
        for word in later {
            let errors = read(&file_with(key.section, key.name, word), Format::Yaml).unwrap_err();
            assert!(errors.contains(&format!("{} {word} is not in this build; wanted", key.name)), "{errors}");
        }
    }
    check(
        &file_with(Section::Policy, "coalesceKey", "[/symbol, '', 7]"),
        expect![[r#"
            f.yaml:6:22: coalesceKey is a list; wanted a text, or a list of texts, none of them empty (servers.s.namespaces[0])
        "#]],
    );
    check(
        &file_with(Section::Policy, "coalesceKey", "[/symbol, topic]"),
        expect![[r#"
        f.yaml:6:22: coalesceKey is "topic"; wanted topic, a JSON pointer such as /symbol, or a list of pointers (servers.s.namespaces[0] /n)
    "#]],
    );
    check(
        &file_with(Section::Policy, "coalesceKey", "symbol"),
        expect![[r#"
            f.yaml:6:22: coalesceKey is "symbol"; wanted topic, a JSON pointer such as /symbol, or a list of pointers (servers.s.namespaces[0] /n)
        "#]],
    );
}

#[test]
fn every_number_and_flag_has_its_effect() {
    for key in KEYS {
        let outcome = |value: &str| outcome_with(key.section, key.name, value);
        match key.kind {
            Kind::Optional { min, max, .. } => {
                assert_ne!(outcome(&min.to_string()), outcome(&max.to_string()), "{}", key.name);
            }
            Kind::Number { min, max, .. } => {
                // No retries at all are not for at-least-once, where alone retries have an effect.
                let min = if key.name == "maxRetries" { 1 } else { min };
                assert_ne!(outcome(&min.to_string()), outcome(&max.to_string()), "{}", key.name);
            }
            Kind::Decimal { min, max, .. } => {
                assert_ne!(outcome(&min.to_string()), outcome(&max.to_string()), "{}", key.name);
                for value in [min - 0.001, max + 0.001] {
                    let text = file_with(key.section, key.name, &value.to_string());
                    let errors = read(&text, Format::Yaml).unwrap_err();
                    assert!(errors.contains(&format!("{} is {value}; wanted a number from", key.name)), "{errors}");
                }
            }
            Kind::Flag { .. } => assert_ne!(outcome("true"), outcome("false"), "{}", key.name),
            _ => {}
        }
    }
}

#[test]
fn numbers_beyond_their_bounds_are_refused() {
    for key in KEYS {
        let (Kind::Number { min, max, .. } | Kind::Optional { min, max, .. }) = key.kind else { continue };
        for value in [i128::from(min) - 1, i128::from(max) + 1] {
            let errors = read(&file_with(key.section, key.name, &value.to_string()), Format::Yaml).unwrap_err();
            assert!(errors.contains(&format!("{} is {value}; wanted a whole number", key.name)), "{errors}");
        }
    }
}

#[test]
fn json_and_yaml_come_to_the_same() {
    let yaml = "
servers:
  feed:
    host: '::1'
    allowedOrigins: [https://example.org, '*']
    namespaces:
      - path: /feed
        topics: [snapshot, {name: delta, overflowAction: DROP_OLDEST}]
        max_queued_messages_per_client: 128
  orders:
    host: unix:/run/fence.sock
    namespaces: [{path: /orders, topics: [new], deliveryMode: AT_LEAST_ONCE, maxRetries: 5}]
log: {level: debug, format: json}
";
    let json = r#"{
	"servers": {
		"feed": {
			"host": "::1",
			"allowedOrigins": ["https:\/\/example.org", "*"],
			"namespaces": [
				{"path": "/feed", "topics": ["snapshot", {"name": "delta", "overflowAction": "DROP_OLDEST"}], "maxQueuedMessagesPerClient": 128}
			]
		},
		"orders": {
			"host": "unix:/run/fence.sock",
			"namespaces": [{"path": "/orders", "topics": ["new"], "deliveryMode": "AT_LEAST_ONCE", "maxRetries": 5}]
		}
	},
	"log": {"level": "debug", "format": "json"}
}"#;
    let [yaml, json] = [read(yaml, Format::Yaml).unwrap(), read(json, Format::Json).unwrap()];
    assert_eq!(outcome(&yaml), outcome(&json));
    expect!["[::1]:3000 unix:/run/fence.sock"]
        .assert_eq(&format!("{} {}", yaml.servers[0].listen, yaml.servers[1].listen));
}

#[test]
fn servers_can_be_selected_by_name() {
    let text = "servers:\n  a: {port: 1, namespaces: [{path: /a, topics: [t]}]}\n  b: {port: 2, namespaces: [{path: /b, topics: [t]}]}";
    let all = || read(text, Format::Yaml).unwrap();
    let paths = |settings: &Settings| -> Vec<String> {
        settings.catalog.namespaces().map(|(_, entry)| entry.path.to_string()).collect()
    };
    assert_eq!(paths(&all().select(&[] as &[&str]).unwrap()), ["/a", "/b"]);
    assert_eq!(paths(&all().select(&["b", "b"]).unwrap()), ["/b"]);
    assert_eq!(all().server("a").unwrap().namespaces, ["/a"]);
    expect!["server `c` is not in the file; wanted one of a, b"]
        .assert_eq(&all().select(&["a", "c"]).unwrap_err().to_string());
}

#[test]
fn the_servers_of_a_file_share_the_sum_of_their_memory_budgets() {
    let total = |budgets: [&str; 3], selected: &[&str]| {
        let server = |(name, budget): (&str, &str)| {
            format!("  {name}: {{port: 0, {budget} namespaces: [{{path: /{name}, topics: [t]}}]}}\n")
        };
        let servers: String = ["a", "b", "c"].into_iter().zip(budgets).map(server).collect();
        let settings = read(&format!("servers:\n{servers}"), Format::Yaml).unwrap();
        settings.select(selected).unwrap().memory_budget_bytes()
    };
    let (two, three) = ("memoryBudgetBytes: 2000000,", "memory_budget_bytes: 3000000,");
    assert_eq!(total(["", "", ""], &[]), None);
    assert_eq!(total([two, "", three], &[]), Some(5_000_000));
    assert_eq!(total([two, "", three], &["b", "c"]), Some(3_000_000));
    assert_eq!(total([two, "", three], &["b"]), None);
}

#[test]
fn references_are_expanded_in_values_of_any_kind_and_never_shown() {
    let text = server("host: unix:${file:sock}\nmaxConnections: ${PORT}") + "log: {level: info}\n";
    let settings = read(&text, Format::Yaml).unwrap();
    assert_eq!(settings.servers[0].listen.to_string(), "unix:/content-of-sock");
    assert_eq!(settings.servers[0].max_connections, 4000);
    let topics = read(&namespace("topics: ['${TOPIC}', 'plain$${x}', {name: 'a-${TOPIC}'}]"), Format::Yaml).unwrap();
    let names: Vec<_> = topics.catalog.topics().map(|topic| topics.catalog.topic_name(topic).to_string()).collect();
    assert_eq!(names, ["from-env", "plain${x}", "a-from-env"]);
    check(
        &server("host: ${NOWHERE}\nport: ${SECRET}\nengineIoTransport: ${SECRET}\nmaxConnections: ${PORT"),
        expect![[r#"
            f.yaml:3:11: "${NOWHERE}" cannot be expanded: the variable is not set (servers.s)
            f.yaml:4:11: port is "${SECRET}"; wanted a whole number from 0 to 65535 (servers.s)
            f.yaml:5:24: engineIoTransport is "${SECRET}"; wanted WEBSOCKET_OR_POLLING or WEBSOCKET_ONLY (servers.s)
            f.yaml:6:21: "${PORT" cannot be expanded: wanted a closing `}`, or `$${` for a plain `${` (servers.s)
        "#]],
    );
    check(
        &namespace("topics: ['${not a name}', '${file:}']"),
        expect![[r#"
        f.yaml:5:18: "${not a name}" cannot be expanded: wanted `${NAME}` or `${file:path}` (servers.s.namespaces[0] /n)
        f.yaml:5:35: "${file:}" cannot be expanded: wanted a path after `file:` (servers.s.namespaces[0] /n)
    "#]],
    );
}

#[test]
fn a_file_that_explodes_is_refused_quickly() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 'b'..='z' {
        let below = (level as u8 - 1) as char;
        text += &format!("{level}: &{level} [{}]\n", vec![format!("*{below}"); 9].join(", "));
    }
    let begin = Instant::now();
    check(
        &text,
        expect![[r#"
        f.yaml:5:12: alias replay limit exceeded: total_replayed_events=20001 > 20000
    "#]],
    );
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn files_are_read_by_extension_up_to_a_mebibyte() {
    let directory = std::env::temp_dir().join(format!("streamfence-config-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let refused = |name: &str| {
        let errors = load(directory.join(name)).unwrap_err().to_string();
        errors.replace(&directory.display().to_string(), "DIR")
    };
    fs::write(directory.join("good.yml"), server("host: ${file:host.txt}")).unwrap();
    fs::write(directory.join("host.txt"), "localhost\n").unwrap();
    fs::write(directory.join("large.yaml"), file(&"#".repeat(1024 * 1024))).unwrap();
    fs::write(directory.join("other.toml"), "").unwrap();
    fs::write(directory.join("bytes.json"), [0xff]).unwrap();
    fs::write(directory.join("dangling.yaml"), server("host: ${file:none.txt}")).unwrap();
    let seen = ["large.yaml", "other.toml", "bytes.json", "missing.yaml", "dangling.yaml"].map(refused).join("\n");
    let tls = server(&format!("transport: WSS\ntls: {TLS_FILES}}}")).replace("key.pem", "/etc/key.pem");
    fs::write(directory.join("tls.yml"), tls).unwrap();
    let tls = load(directory.join("tls.yml")).unwrap().servers[0].tls.clone().unwrap();
    assert_eq!((tls.cert_chain, tls.private_key), (directory.join("chain.pem"), "/etc/key.pem".into()));
    let host = load(directory.join("good.yml")).unwrap().servers[0].listen.to_string();
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(host, "localhost:3000");
    expect![[r#"
        DIR/large.yaml: is larger than 1048576 bytes; wanted a smaller file
        DIR/other.toml: extension is "toml"; wanted .yaml, .yml or .json
        DIR/bytes.json: cannot be read: the file is not UTF-8
        DIR/missing.yaml: cannot be read: No such file or directory (os error 2)
        DIR/dangling.yaml:3:11: "${file:none.txt}" cannot be expanded: No such file or directory (os error 2) (servers.s)"#]].assert_eq(&seen);
}

#[test]
fn no_text_makes_it_panic() {
    let good = namespace("topics: [a, {name: b, maxInFlight: 2}]\ndeliveryMode: AT_LEAST_ONCE\nmaxRetries: ${PORT}");
    for end in 0..good.len() {
        for replaced in ["", "{", "]", "null", "&a *a", "'", "<<: ", "-1", "${"] {
            let text = format!("{}{replaced}{}", &good[..end], &good[end + 1..]);
            let _ = read(&text, Format::Yaml);
        }
    }
}

#[test]
fn the_reference_has_a_row_for_every_key() {
    let page = reference();
    for key in KEYS {
        assert!(page.contains(&format!("| `{}` |", key.name)), "{}", key.name);
    }
    expect![[r#"
        Keys under `tracing`

        | key | takes | default | meaning |
        |---|---|---|---|
        | `endpoint` | a text | `http://localhost:4318` | The collector that takes OTLP over HTTP: `http://` or `https://`; `/v1/traces` is added where there is no path. Without it that of `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`, if there is one. |
        | `headers` | names, each with a text | none | Headers of each request to it, as `name: value`; better `${ENV}` than a token itself. |
        | `protocol` | `http/protobuf`, `http/json` | `http/protobuf` | How spans are written. |
        | `sampleRatio` | 0 to 1 | `0` | Of which share of the publishes that say nothing of a trace there is one. What says of itself that it is sampled is told always, and what says it is not never. |
        | `timeoutMs` | 1 to 60000 | `10000` | How long the collector may take for up to 512 spans; then they are dropped, and counted. |
        | `serviceName` | a text | `streamfence` | What the collector calls this service. Without it the name that `OTEL_SERVICE_NAME` says, if there is one. |
    "#]]
    .assert_eq(page.split("### ").last().unwrap());
}
