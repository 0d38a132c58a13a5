//! What becomes of the ancestors' files.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use expect_test::{Expect, expect};
use streamfence_config::{Format, convert, parse};

/// What an operator sees: the notes, then the file; or the errors.
fn check(text: &str, seen: Expect) {
    let shown = match convert(text, "old.yaml") {
        Ok(converted) => {
            let notes: String = converted.notes.iter().map(|note| format!("note: {note}\n")).collect();
            format!("{notes}{}", converted.yaml)
        }
        Err(errors) => format!("{errors}\n"),
    };
    seen.assert_eq(&shown);
}

const FLAT: &str = "\
host: 127.0.0.1
port: 9094
transportMode: WS
managementHost: 0.0.0.0
managementPort: 9095
shutdownDrainMs: 0
senderThreads: 2
authRejectWindowMs: 60000
pingIntervalMs: 20000
pingTimeoutMs: 40000
maxFramePayloadLength: 5242880
maxHttpContentLength: 4718592
compressionEnabled: true
enableCors: true
origin: https://example.org
authMode: NONE
spillRootPath: .spill
namespaces:
  /feed: {authRequired: false}
  /mixed:
topicPolicies:
  - namespace: /feed
    topics: [prices, quotes]
    deliveryMode: BEST_EFFORT
    overflowAction: DROP_OLDEST
    maxQueuedMessagesPerClient: 64
    maxInFlight: 0
    allowPolling: true
    authRequired: false
  - namespace: /mixed
    topic: alerts
    deliveryMode: AT_LEAST_ONCE
    overflowAction: REJECT_NEW
    maxQueuedMessagesPerClient: 16
    maxRetries: 3
  - namespace: /mixed
    topic: '7'
    deliveryMode: BEST_EFFORT
    overflowAction: REJECT_NEW
    maxQueuedMessagesPerClient: 16
";

#[test]
fn a_flat_file_becomes_a_server_and_nothing_of_it_is_dropped_silently() {
    check(
        FLAT,
        expect![[r#"
        note: old.yaml:4:17: managementHost: `admin` listens on 127.0.0.1 unless it is told another loopback address
        note: old.yaml:6:18: shutdownDrainMs: not above 0, so the default holds
        note: old.yaml:7:16: senderThreads: each core has one thread, which sends
        note: old.yaml:8:21: authRejectWindowMs: it had no effect where authMode is NONE
        note: old.yaml:12:23: maxHttpContentLength: one limit holds for websockets and polling: the larger one
        note: old.yaml:13:21: compressionEnabled: nothing is compressed here, so that no message can be a bomb
        note: old.yaml:15:9: origin: it is allowedOrigins here, and websockets are held to it too
        servers:
          main:
            host: 127.0.0.1
            port: 9094
            transport: WS
            auth: NONE
            maxPayloadBytes: 5242880
            allowedOrigins: ["https://example.org"]
            pingIntervalMs: 20000
            pingTimeoutMs: 40000
            spillRootPath: .spill
            namespaces:
              - path: /feed
                topics: [prices, quotes]
                wire: envelope
                clientPublish: relay
                deliveryMode: BEST_EFFORT
                overflowAction: DROP_OLDEST
                maxQueuedMessagesPerClient: 64
                allowPolling: true
              - path: /mixed
                topics:
                  - name: alerts
                    deliveryMode: AT_LEAST_ONCE
                    maxRetries: 3
                  - name: "7"
                    deliveryMode: BEST_EFFORT
                wire: envelope
                clientPublish: relay
                overflowAction: REJECT_NEW
                maxQueuedMessagesPerClient: 16
                allowPolling: false
        admin:
          port: 9095
    "#]],
    );
}

#[test]
fn what_it_becomes_is_a_configuration() {
    let converted = convert(FLAT, "old.yaml").unwrap();
    for (text, format) in [(&converted.yaml, Format::Yaml), (&converted.json, Format::Json)] {
        let settings = parse(text, format, "new", &|_| Err("no references".to_owned())).unwrap();
        let server = settings.server("main").unwrap();
        assert_eq!(server.listen.to_string(), "127.0.0.1:9094");
        assert_eq!(server.namespaces, ["/feed", "/mixed"]);
        assert_eq!(settings.admin.listen.to_string(), "127.0.0.1:9095");
        assert_eq!(settings.catalog.topics().count(), 4);
    }
}

#[test]
fn tokens_and_tls_go_along() {
    check(
        "\
port: 1
transportMode: WSS
tls: {certChainPemPath: a.pem, privateKeyPemPath: b.pem, privateKeyPassword: , keyStorePassword: changeit, protocol: TLS}
authMode: TOKEN
staticTokens: {demo: 'change-${me}'}
authRejectMaxPerWindow: 5
namespaces: {/a: {authRequired: true}, /b: {authRequired: false}}
topicPolicies:
  - {namespace: /a, topic: x, deliveryMode: BEST_EFFORT, authRequired: true, allowPolling: true}
  - {namespace: /b, topic: y, deliveryMode: BEST_EFFORT, authRequired: true, allowPolling: true}
",
        expect![[r#"
            note: old.yaml:1:1: tokenQuery: tokens in the query are no longer taken; `tokenQuery: true` would
            note: old.yaml:3:98: keyStorePassword: there is no key store: certificate and key are read as they are (tls)
            note: old.yaml:5:15: staticTokens: tokens stand in the file; `${file:path}` or `sha256:` digests keep them out of it
            note: old.yaml:7:40: authRequired: said in one place and not in another; now it holds for the whole namespace (namespaces./b)
            servers:
              main:
                port: 1
                transport: WSS
                tls:
                  protocol: TLSv1.2
                  certChainPemPath: a.pem
                  privateKeyPemPath: b.pem
                auth: TOKEN
                authFailures:
                  max: 5
                staticTokens:
                  demo: "change-$${me}"
                namespaces:
                  - path: /a
                    authRequired: true
                    topics: [x]
                    wire: envelope
                    clientPublish: relay
                    deliveryMode: BEST_EFFORT
                    allowPolling: true
                  - path: /b
                    authRequired: true
                    topics: ["y"]
                    wire: envelope
                    clientPublish: relay
                    deliveryMode: BEST_EFFORT
                    allowPolling: true
        "#]],
    );
}

#[test]
fn old_keys_of_named_servers_are_replaced_and_the_rest_stays() {
    check(
        "\
servers:
  feed:
    transportMode: WS
    authMode: NONE
    max_payload_bytes: 7
    managementPort: 0
    namespaces:
      - path: /feed
        topics: [a, {name: b, ttlMs: 5}]
log: {level: warn}
",
        expect![[r#"
            note: old.yaml:6:21: managementPort: metrics cannot be turned off; they are at `admin`, 127.0.0.1:9093 (servers.feed)
            servers:
              feed:
                transport: WS
                auth: NONE
                maxPayloadBytes: 7
                namespaces:
                  - path: /feed
                    topics:
                      - a
                      - name: b
                        ttlMs: 5
            log:
              level: warn
        "#]],
    );
}

#[test]
fn what_neither_knows_is_an_error_at_its_place() {
    check(
        "\
hots: a
namespaces:
  /feed: {authRequierd: true}
  /empty: {}
topicPolicies:
  - {topic: a}
  - {namespace: /feed, topics: []}
  - {namespace: /other, topic: a, maxRetriez: 7}
  - {namespace: /feed, topic: a}
",
        expect![[r#"
            old.yaml:1:1: unknown key "hots"; the nearest is `host`
            old.yaml:3:11: unknown key "authRequierd"; wanted authRequired (namespaces./feed)
            old.yaml:4:3: `topicPolicies` is missing; wanted at least one entry with `namespace: /empty` (namespaces./empty)
            old.yaml:6:5: `namespace` is missing; wanted a path (topicPolicies[0])
            old.yaml:7:5: `topic` is missing; wanted either topic or topics (topicPolicies[1])
            old.yaml:8:5: namespace is "/other"; wanted the path of one of namespaces (topicPolicies[2])
            old.yaml:8:35: unknown key "maxRetriez"; the nearest is `maxRetries` (topicPolicies[2])
        "#]],
    );
    check(
        "topicPolicies: []",
        expect![[r#"
        old.yaml:1:16: `namespaces` is missing; wanted a block of the namespaces that topicPolicies speaks of
    "#]],
    );
    check(
        "[1, 2]",
        expect![[r#"
        old.yaml:1:1: the file is a list; wanted a block of keys
    "#]],
    );
    check(
        "a: [",
        expect![[r#"
        old.yaml:1:4: unclosed bracket '['
    "#]],
    );
}

#[test]
fn no_text_makes_it_panic() {
    for end in (0..FLAT.len()).step_by(3) {
        for replaced in ["", "{", "]", "null", "'", "<<: ", "-1", "7"] {
            let text = format!("{}{replaced}{}", &FLAT[..end], &FLAT[end + 1..]);
            if let Ok(converted) = convert(&text, "old.yaml") {
                assert!(!converted.yaml.is_empty());
            }
        }
    }
}
