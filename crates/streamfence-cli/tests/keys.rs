//! Keys of the admin address, as operators and their backends meet them: through the binary.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod process;

use process::{Directory, Finished, Running, get, request, run};
use serde_json::Value;

const PUBLISH: &str = "publish-key-of-24-letters";
const READ: &str = "read-key-of-many-letters";
const NEXT: &str = "next-publish-key-of-28-letters";

fn file(host: &str, keys: &str) -> String {
    format!(
        "watch: false\nadmin: {{host: \"{host}\", port: 0{keys}}}\nservers:\n  feed:\n    host: 127.0.0.1\n    port: 0\n    \
         namespaces: [{{path: /feed, topics: [tick]}}, {{path: /chat, topics: [room]}}]\n"
    )
}

fn keys(publish: &str) -> String {
    format!(
        ", keys: {{backend: {{keys: [{publish}], scopes: [publish], topics: [/feed/*]}}, \
         eyes: {{keys: [{READ}], scopes: [read]}}}}"
    )
}

fn serve(file: &str) -> Running {
    Running::start(&["serve", "-c", file, "--log-format", "json"])
}

/// Publishes with a key, or with none, and says what the status and the code are.
fn publish(address: &str, key: &str, namespace: &str, topic: &str) -> (u16, String) {
    let authorization = if key.is_empty() { String::new() } else { format!("authorization: Bearer {key}\r\n") };
    let head = format!("POST /v1/publish HTTP/1.1\r\ncontent-type: application/json\r\n{authorization}");
    let body = serde_json::json!({"namespace": namespace, "topic": topic, "payload": 1}).to_string();
    let (status, answer) = request(address, &head, &body);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

fn read(address: &str, key: &str) -> u16 {
    request(address, &format!("GET /metrics HTTP/1.1\r\nauthorization: Bearer {key}\r\n"), "").0
}

#[test]
fn a_key_is_asked_for_wherever_the_address_is_and_opens_what_it_is_for() {
    let directory = Directory::new();
    for host in ["127.0.0.1", "0.0.0.0"] {
        let mut running = serve(&directory.write("keys.yaml", &file(host, &keys(PUBLISH))));
        let address = running.address("admin");
        let denied = |status, code: &str| (status, code.to_owned());
        assert_eq!(publish(&address, PUBLISH, "/feed", "tick"), denied(202, ""));
        assert_eq!(publish(&address, PUBLISH, "/chat", "room"), denied(403, "FORBIDDEN"));
        assert_eq!(publish(&address, READ, "/feed", "tick"), denied(403, "FORBIDDEN"));
        assert_eq!(publish(&address, "wrong", "/feed", "tick"), denied(401, "UNAUTHORIZED"));
        assert_eq!(publish(&address, "", "/feed", "tick"), denied(401, "UNAUTHORIZED"));
        assert_eq!((read(&address, READ), read(&address, PUBLISH), get(&address, "/metrics").0), (200, 403, 401));
        for open in ["/healthz", "/readyz", "/openapi.json"] {
            assert_eq!(get(&address, open).0, 200, "{open}");
        }
        let Finished { code, stderr, .. } = running.interrupt("TERM");
        assert_eq!(code, Some(0));
        for key in [PUBLISH, READ, "wrong"] {
            assert!(!stderr.contains(key), "{stderr}");
        }
    }
}

#[test]
fn keys_are_exchanged_while_it_runs_and_not_taken_away_from_an_open_address() {
    let directory = Directory::new();
    let path = directory.write("keys.yaml", &file("0.0.0.0", &keys(PUBLISH)));
    let mut running = serve(&path);
    let address = running.address("admin");
    let mut told = 0;
    let mut reload = |running: &mut Running, keys: &str, code: &str| {
        directory.write("keys.yaml", &file("0.0.0.0", keys));
        running.signal("HUP");
        running.until(code, |running| {
            let found = running.lines().iter().filter(|line| line["code"] == code).count();
            std::mem::replace(&mut told, found) < found
        });
    };
    reload(&mut running, &keys(&format!("{PUBLISH}, {NEXT}")), "config_changed");
    assert_eq!((publish(&address, PUBLISH, "/feed", "tick").0, publish(&address, NEXT, "/feed", "tick").0), (202, 202));
    reload(&mut running, &keys(NEXT), "config_changed");
    running.until("the old key is refused", |_| publish(&address, PUBLISH, "/feed", "tick").0 == 401);
    assert_eq!(publish(&address, NEXT, "/feed", "tick").0, 202);

    directory.write("keys.yaml", &file("0.0.0.0", ""));
    running.signal("HUP");
    running.until("it is refused", |running| running.lines().iter().any(|line| line["code"] == "reload_refused"));
    assert_eq!((publish(&address, "", "/feed", "tick").0, publish(&address, NEXT, "/feed", "tick").0), (401, 202));
    let said = running.said();
    assert!(!said.contains(PUBLISH) && !said.contains(NEXT), "{said}");
}

#[test]
fn without_keys_only_this_machine_is_listened_to_and_it_says_what_to_do() {
    let directory = Directory::new();
    let open = directory.write("open.yaml", &file("0.0.0.0", ""));
    let local = directory.write("local.yaml", &file("127.0.0.1", ""));
    for (arguments, wanted) in [
        (&["serve", "-c", &open][..], "or `keys` beside it"),
        (&["check", &open], "or `keys` beside it"),
        (&["serve", "-c", &local, "--admin-listen", "0.0.0.0:0"], "add keys to the configuration"),
    ] {
        let Finished { code, stderr, .. } = run(arguments);
        assert_eq!(code, Some(3), "{arguments:?}: {stderr}");
        assert!(stderr.contains(wanted), "{arguments:?}: {stderr}");
    }
    let kept = directory.write("kept.yaml", &file("127.0.0.1", &keys(PUBLISH)));
    let mut running = Running::start(&["serve", "-c", &kept, "--admin-listen", "0.0.0.0:0", "--log-format", "json"]);
    let address = running.address("admin");
    assert_eq!((publish(&address, PUBLISH, "/feed", "tick").0, publish(&address, "", "/feed", "tick").0), (202, 401));
}

#[test]
fn a_check_finds_what_is_wrong_with_keys_and_strict_what_is_unwise() {
    let directory = Directory::new();
    let digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let twice = format!(", keys: {{a: {{keys: test, scopes: read}}, b: {{keys: '{digest}', scopes: read}}}}");
    let Finished { code, stderr, .. } = run(&["check", &directory.write("twice.yaml", &file("127.0.0.1", &twice))]);
    assert_eq!(code, Some(3));
    assert!(stderr.contains("a key of \"b\" is \"a\"'s too"), "{stderr}");
    let short = directory.write("short.yaml", &file("127.0.0.1", ", keys: {a: {keys: hunter2, scopes: read}}"));
    assert_eq!(run(&["check", &short]).code, Some(0));
    let Finished { code, stdout, stderr } = run(&["check", "--strict", &short]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stdout.contains("a key is shorter than 16 bytes"), "{stdout}");
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"));
}

#[test]
fn who_may_only_publish_hears_no_names_of_topics() {
    let directory = Directory::new();
    let mut running = serve(&directory.write("keys.yaml", &file("127.0.0.1", &keys(PUBLISH))));
    let head =
        format!("POST /v1/publish HTTP/1.1\r\ncontent-type: application/json\r\nauthorization: Bearer {PUBLISH}\r\n");
    let body = serde_json::json!({"namespace": "/feed", "topic": "none", "payload": 1}).to_string();
    let (status, answer) = request(&running.address("admin"), &head, &body);
    assert!(status == 404 && answer.contains("`none`") && !answer.contains("tick"), "{answer}");
}
