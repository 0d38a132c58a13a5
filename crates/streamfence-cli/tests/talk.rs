//! `publish` and `subscribe` against servers that run: what they print, and how they end.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use process::{Directory, Finished, PATIENCE, Running, post, run};
use serde_json::{Value, json};

const CONFIG: &str = r#"
servers:
  open:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 500
    namespaces:
      - path: /feed
        topics: [tick, other]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 16
        gapNotices: true
        sessionRetentionMs: 0
      - path: /orders
        topics: [order]
        maxQueuedMessagesPerClient: 2
        receiptWindow: 1
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 3
        ackTimeoutMs: 60000
        maxInFlight: 4
      - path: /java
        topics: [tick]
        wire: envelope
        metadata: always
  closed:
    host: 127.0.0.1
    port: 0
    auth: TOKEN
    staticTokens: {ann: hunter2}
    namespaces:
      - path: /private
        topics: [tick]
        authRequired: true
  impatient:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 500
    stallTimeoutMs: 1500
    namespaces:
      - path: /bulk
        topics: [row]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 16
admin:
  port: 0
"#;

struct Scene {
    running: Running,
    open: String,
    closed: String,
    admin: String,
    _directory: Directory,
}

impl Scene {
    fn start() -> Self {
        let directory = Directory::new();
        let file = directory.write("talk.yaml", CONFIG);
        let mut running = Running::start(&["serve", "--log-format", "json", "-c", &file]);
        let [open, closed, admin] = ["open", "closed", "admin"].map(|server| running.address(server));
        Self { running, open, closed, admin, _directory: directory }
    }

    /// A subscriber that prints JSON and has been told that its subscriptions stand.
    fn subscribe(&self, arguments: &[&str]) -> Running {
        let whole = [&["subscribe", "--json", "--server", &self.open], arguments].concat();
        let mut subscriber = Running::start(&whole);
        subscriber.until("it is subscribed", |subscriber| {
            heard(&subscriber.printed()).iter().any(|line| line["type"] == "subscribed")
        });
        subscriber
    }

    /// Waits until so many alerts were acked.
    fn until_acked(&mut self, count: u32) {
        let (admin, wanted) = (self.admin.clone(), format!(" {count}"));
        self.running.until("the acks are counted", |_| {
            let (_, metrics) = process::get(&admin, "/metrics");
            let mut lines = metrics.lines().filter(|line| line.starts_with("streamfence_messages_delivered_total"));
            lines.any(|line| line.contains("alert") && line.ends_with(&wanted))
        });
    }

    fn publish(&self, arguments: &[&str]) -> Finished {
        run(&[&["publish", "--admin", &self.admin], arguments].concat())
    }

    fn publish_from(&self, stdin: &[u8], arguments: &[&str]) -> Finished {
        let mut child = Command::new(env!("CARGO_BIN_EXE_streamfence"))
            .args(["publish", "--admin", &self.admin])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        child.stdin.take().expect("it is piped").write_all(stdin).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("it is text");
        Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// What a subscriber has printed.
fn heard(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"))).collect()
}

fn payloads(stdout: &str) -> Vec<Value> {
    let lines = heard(stdout);
    lines.iter().filter(|line| line["type"] == "message").map(|line| line["payload"].clone()).collect()
}

#[test]
fn a_subscriber_prints_what_is_published_as_it_was_written() {
    let scene = Scene::start();
    let mut subscriber = scene.subscribe(&["/feed", "tick", "other", "--count", "4"]);
    let Finished { code, stdout, stderr } = scene.publish(&["/feed", "tick", r#"{"z":1.50,"a":2}"#]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.ends_with(": matched 1, admitted 1, coalesced 0, displaced 0, rejected 0, spilled 0\n"), "{stdout}");
    assert_eq!(scene.publish_from(b"\x00\xff", &["/feed", "other", "--binary"]).code, Some(0));
    assert_eq!(scene.publish(&["/feed", "tick", "hello", "--text"]).code, Some(0));
    assert_eq!(scene.publish(&["/feed", "tick", "-5"]).code, Some(0));
    let Finished { code, stdout, stderr } = subscriber.wait();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains(r#""payload":{"z":1.50,"a":2}"#), "{stdout}");
    let messages: Vec<_> = heard(&stdout).into_iter().filter(|line| line["type"] == "message").collect();
    assert_eq!(messages[1], json!({"type": "message", "topic": "other", "payloadBase64": "AP8="}));
    assert_eq!(messages[2], json!({"type": "message", "topic": "tick", "payload": "hello"}));
    assert_eq!(messages[3]["payload"], -5);

    // For people: data on stdout, the rest on stderr.
    let subscriber = ["subscribe", &format!("ws://{}", scene.open), "/java", "tick", "--count", "1"];
    let mut subscriber = Running::start(&subscriber);
    subscriber.until("it is subscribed", |subscriber| subscriber.said().starts_with("subscribed to tick as client "));
    scene.publish(&["/java", "tick", r#"{"a":"\u001b[2J"}"#]);
    let Finished { code, stdout, .. } = subscriber.wait();
    assert_eq!((code, stdout.as_str()), (Some(0), "tick {\"a\":\"\\u001b[2J\"}\n"));
}

#[test]
fn lines_are_published_one_by_one_and_a_count_repeats() {
    let scene = Scene::start();
    let mut subscriber = scene.subscribe(&["/feed", "tick", "--count", "6"]);
    let Finished { code, stdout, stderr } =
        scene.publish_from(b"1\n\n[2]\r\n{\"n\":3}", &["/feed", "tick", "--ndjson", "--json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), "3 messages published\n"));
    assert_eq!(heard(&stdout).iter().filter(|report| report["matched"] == 1).count(), 3, "{stdout}");
    let directory = Directory::new();
    let file = directory.write("payload.json", "\"again\"\n");
    let began = Instant::now();
    let repeated = scene.publish(&["/feed", "tick", "--file", &file, "--count", "3", "--rate", "20"]);
    assert_eq!((repeated.code, repeated.stderr.as_str()), (Some(0), "3 messages published\n"));
    assert!(began.elapsed() >= Duration::from_millis(100), "the third is due after two twentieths of a second");
    let Finished { stdout, .. } = subscriber.wait();
    assert_eq!(
        payloads(&stdout),
        [json!(1), json!([2]), json!({"n": 3}), json!("again"), json!("again"), json!("again")]
    );

    let wrong = scene.publish_from(b"1\nx\n", &["/feed", "tick", "--ndjson"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("line 2 is no JSON") && wrong.stdout.lines().count() == 1, "{wrong:?}");
}

#[test]
fn a_publish_is_for_whom_it_says() {
    let scene = Scene::start();
    let mut first = scene.subscribe(&["/feed", "tick", "--count", "2"]);
    let mut second = scene.subscribe(&["/feed", "tick", "--count", "2"]);
    let client = |subscriber: &Running| heard(&subscriber.printed())[0]["clientId"].as_str().expect("an id").to_owned();
    let (one, two) = (client(&first), client(&second));
    for arguments in [["--to", &one], ["--except", &one], ["--except", &two], ["--to", &two]] {
        let Finished { code, stdout, .. } = scene.publish(&[&["/feed", "tick", "1"], &arguments[..]].concat());
        assert!(code == Some(0) && stdout.contains("matched 1,"), "{arguments:?}: {stdout}");
    }
    assert_eq!((first.wait().code, second.wait().code), (Some(0), Some(0)));
    let nobody = scene.publish(&["/feed", "tick", "1", "--to-principal", "ann", "--key", "k", "--ttl", "1000"]);
    assert!(nobody.code == Some(0) && nobody.stdout.contains("matched 0,"), "{nobody:?}");
    assert_eq!(scene.publish(&["/feed", "tick", "1", "--to", "nobody"]).code, Some(2));
}

#[test]
fn acks_are_sent_and_may_be_late() {
    let mut scene = Scene::start();
    let mut subscriber = scene.subscribe(&["/alerts", "alert", "--count", "3", "--ack"]);
    assert_eq!(scene.publish(&["/alerts", "alert", "1", "--count", "3"]).code, Some(0));
    assert_eq!(subscriber.wait().code, Some(0));
    scene.until_acked(3);

    let mut subscriber = scene.subscribe(&["/alerts", "alert", "--count", "2", "--ack", "--ack-delay", "300"]);
    let began = Instant::now();
    assert_eq!(scene.publish(&["/alerts", "alert", "1", "--count", "2"]).code, Some(0));
    assert_eq!(subscriber.wait().code, Some(0));
    assert!(began.elapsed() >= Duration::from_millis(300), "it stays until it has acked");
    scene.until_acked(5);

    // Whoever does not ack hears as many as the window holds, and no more.
    let mut subscriber = scene.subscribe(&["/alerts", "alert"]);
    assert_eq!(scene.publish(&["/alerts", "alert", "1", "--count", "5"]).code, Some(0));
    subscriber.until("the window is full", |subscriber| payloads(&subscriber.printed()).len() == 4);
    let Finished { code, stdout, .. } = subscriber.interrupt("INT");
    assert_eq!((code, payloads(&stdout).len()), (Some(130), 4));
    // Nobody publishes any more.
    let Finished { code, stderr, .. } =
        scene.subscribe(&["/alerts", "alert", "--count", "1", "--timeout", "0.1"]).wait();
    assert!(code == Some(8) && stderr.contains("0 of 1 messages came in time"), "{stderr}");
    // Without a count, a time is how long it listens.
    assert_eq!(scene.subscribe(&["/alerts", "alert", "--timeout", "0.1"]).wait().code, Some(0));
}

#[test]
fn a_session_comes_back_and_hears_what_it_missed() {
    let mut scene = Scene::start();
    let relay = Relay::start(&scene.open);
    let subscribe = ["subscribe", "--json", &relay.address, "/alerts", "alert", "--ack", "--session", "--count", "2"];
    let mut subscriber = Running::start(&subscribe);
    subscriber.until("it is subscribed", |subscriber| subscriber.printed().contains("\"subscribed\""));
    assert!(!subscriber.printed().contains("secret"), "{}", subscriber.printed());
    scene.publish(&["/alerts", "alert", "1"]);
    subscriber.until("it hears the first", |subscriber| payloads(&subscriber.printed()) == [json!(1)]);
    // Or it would be sent again.
    scene.until_acked(1);
    relay.cut(true);
    subscriber.until("it has lost its connection", |subscriber| subscriber.said().contains("connecting again"));
    let missed = scene.publish(&["/alerts", "alert", "2"]);
    assert!(missed.stdout.contains("matched 1, admitted 1,"), "it is waited for: {missed:?}");
    assert_eq!(payloads(&subscriber.printed()), [json!(1)]);
    relay.cut(false);
    let Finished { code, stdout, stderr } = subscriber.wait();
    assert_eq!((code, payloads(&stdout)), (Some(0), vec![json!(1), json!(2)]), "{stderr}");
    let resumed: Vec<_> = heard(&stdout)
        .into_iter()
        .filter(|line| line["type"] == "session")
        .map(|line| line["resumed"].clone())
        .collect();
    assert_eq!(resumed, [json!(false), json!(true)]);

    // Where none is kept it is told so, and goes on without.
    let subscriber = scene.subscribe(&["/feed", "tick", "--session"]);
    assert!(heard(&subscriber.printed()).iter().any(|line| line["type"] == "session" && line["retentionMs"] == 0));
    drop(subscriber);

    // Without one, a connection that is lost is the end.
    let mut subscriber = Running::start(&["subscribe", "--json", &relay.address, "/alerts", "alert"]);
    subscriber.until("it is subscribed", |subscriber| subscriber.printed().contains("\"subscribed\""));
    relay.cut(true);
    assert_eq!(subscriber.wait().code, Some(5));
}

/// A network in front of a server, which can be cut.
struct Relay {
    address: String,
    wire: Arc<Mutex<Wire>>,
}

#[derive(Default)]
struct Wire {
    is_cut: bool,
    /// Both ends of each connection.
    ends: Vec<TcpStream>,
}

impl Relay {
    fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let wire = Arc::new(Mutex::new(Wire::default()));
        let (shared, server) = (wire.clone(), server.to_owned());
        // It ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut wire = shared.lock().expect("no panic");
                let Some(server) = (!wire.is_cut).then(|| TcpStream::connect(&server).ok()).flatten() else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let [mut from, mut to] = [from, to].map(|end| end.try_clone().expect("it can be shared"));
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                wire.ends.extend([client, server]);
            }
        });
        Self { address, wire }
    }

    /// Cuts all connections and lets no others come about, or lets them again.
    fn cut(&self, is_cut: bool) {
        let mut wire = self.wire.lock().expect("no panic");
        wire.is_cut = is_cut;
        for end in wire.ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn a_slow_subscriber_is_slow_on_the_wire() {
    let mut scene = Scene::start();
    let mut slow = scene.subscribe(&["/feed", "tick", "--slow", "2000"]);
    let mut quick = scene.subscribe(&["/feed", "tick"]);
    let pad = "x".repeat(4_096);
    let mut number = 0;
    let began = Instant::now();
    let displaced = loop {
        number += 1;
        let message = json!({"namespace": "/feed", "topic": "tick", "payload": [number, pad]});
        let (status, report) = post(&scene.admin, "/v1/publish", &message);
        let report: Value = serde_json::from_str(&report).expect("a report is JSON");
        assert_eq!((status, &report["matched"]), (202, &json!(2)));
        if report["displaced"] != 0 {
            break report["displaced"].clone();
        }
        assert!(began.elapsed() < PATIENCE, "{number} messages of 4 KiB went through in {PATIENCE:?}");
        // The quick one has it before there is another: it never stays behind.
        quick.until("it is read", |quick| payloads(&quick.printed()).len() == number);
    };
    assert_eq!(displaced, 1, "one lane, of one client, gave way");
    // What it may read in this time, what it has read at once, and what a read may have brought too early.
    let most = 2_000.0 * (began.elapsed().as_secs_f64() + 1.0) + 8_192.0;
    let read = slow.printed().len() as f64;
    assert!(read <= most, "{read} bytes are over {most}");
    assert_eq!(quick.interrupt("INT").code, Some(130));
    assert_eq!(scene.running.interrupt("TERM").code, Some(0));
    assert_eq!(slow.wait().code, Some(5), "the server has gone");
}

/// Its window is smaller than what waits for it in the kernel, which is when the kernel thinks that nothing moves.
#[test]
fn who_reads_slowly_is_not_cut_for_taking_nothing() {
    let mut scene = Scene::start();
    let impatient = scene.running.address("impatient");
    let mut slow = Running::start(&["subscribe", "--server", &impatient, "/bulk", "row", "--slow", "16384"]);
    slow.until("it is subscribed", |slow| slow.said().starts_with("subscribed to row"));
    let message = json!({"namespace": "/bulk", "topic": "row", "payload": "x".repeat(1_024)});
    // Six seconds of reading, four times as long as a client may take nothing.
    let enough = 6 * 16_384;
    slow.until("it has read for a while", |slow| {
        assert_eq!(post(&scene.admin, "/v1/publish", &message).0, 202);
        assert_eq!(slow.status(), None, "it was cut after {} bytes: {}", slow.printed().len(), slow.said());
        slow.printed().len() >= enough
    });
    assert_eq!(slow.interrupt("TERM").code, Some(130));
}

#[test]
fn what_a_lane_refuses_is_7() {
    let scene = Scene::start();
    let mut subscriber = scene.subscribe(&["/orders", "order", "--timeout", "60"]);
    // One is sent and not confirmed, two wait.
    let Finished { code, stdout, stderr } = scene.publish(&["/orders", "order", "1", "--count", "4"]);
    assert_eq!((code, stdout.lines().count()), (Some(7), 4), "{stderr}");
    assert!(stdout.lines().last().is_some_and(|line| line.contains("rejected 1")), "{stdout}");
    assert!(stderr.contains("1 of 4 messages were rejected"), "{stderr}");
    let one = scene.publish(&["/orders", "order", "1", "--json"]);
    assert_eq!((one.code, heard(&one.stdout)[0]["rejected"].as_u64()), (Some(7), Some(1)));
    assert_eq!(subscriber.interrupt("TERM").code, Some(130));
}

#[test]
fn tokens_are_shown_at_the_door() {
    let scene = Scene::start();
    let subscribe = ["subscribe", "--server", &scene.closed, "/private", "tick"];
    let Finished { code, stderr, .. } = run(&[&subscribe[..], &["--token", "wrong"]].concat());
    assert!(code == Some(6) && stderr.contains("AUTH_REJECTED") && !stderr.contains("wrong"), "{stderr}");
    let Finished { code, stderr, .. } = run(&subscribe);
    assert!(code == Some(6) && stderr.contains("AUTH_REJECTED"), "{stderr}");
    let mut by_name = Command::new(env!("CARGO_BIN_EXE_streamfence"));
    by_name.args(subscribe).args(["--timeout", "0.1"]).env("STREAMFENCE_TOKEN", "hunter2");
    assert_eq!(by_name.output().expect("the binary runs").status.code(), Some(0));
    let mut subscriber = Running::start(&[&subscribe[..], &["--token", "hunter2"]].concat());
    subscriber.until("it is subscribed", |subscriber| subscriber.said().starts_with("subscribed to tick"));
}

#[test]
fn who_cannot_be_reached_is_5_and_what_is_not_there_is_1() {
    let scene = Scene::start();
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
    let nobody = free.local_addr().expect("it is bound").to_string();
    drop(free);
    let (open, admin) = (scene.open.as_str(), scene.admin.as_str());
    for (arguments, wanted, reason) in [
        (&["subscribe", "--server", &nobody, "/feed", "tick"][..], 5, "cannot reach"),
        (&["publish", "--admin", &nobody, "/feed", "tick", "1"], 5, "cannot reach"),
        // Each for the other.
        (&["subscribe", "--server", admin, "/feed", "tick"], 1, "404"),
        (&["publish", "--admin", open, "/feed", "tick", "1"], 1, "is it the HTTP API"),
        (&["subscribe", "--server", open, "--path", "/elsewhere", "/feed", "tick"], 1, "404"),
        (&["subscribe", "--server", open, "/nowhere", "tick"], 1, "Invalid namespace: \"/nowhere\" is none there"),
        (&["subscribe", "--server", open, "/feed", "nothing"], 1, "UNKNOWN_TOPIC"),
        (&["publish", "--admin", admin, "/feed", "tikc", "1"], 1, "there is `tick`, `other` (UNKNOWN_TOPIC)"),
        (&["subscribe", "--server", open, "feed", "tick"], 2, "begins with /"),
        (&["subscribe", "http://127.0.0.1:1/feed", "/feed", "tick"], 2, "--path"),
        (&["subscribe", "http://127.0.0.1:1", "/feed"], 2, "at least one topic"),
        (&["subscribe", "--server", "ftp://a", "/feed", "tick"], 2, "wanted http://HOST:PORT"),
        (&["subscribe", "--server", open, "/feed", "tick", "--slow", "0"], 2, "--slow"),
        (&["subscribe", "--server", open, "/feed", "tick", "--ack-delay", "5"], 2, "--ack"),
        (&["publish", "--admin", admin, "/feed", "tick", "hello"], 2, "--text"),
        (&["publish", "--admin", admin, "/feed", "tick", "--file", "/nowhere"], 2, "/nowhere"),
        (&["publish", "--admin", admin, "/feed", "tick", "1", "--rate", "0"], 2, "above 0"),
        (&["publish", "--admin", admin, "/alerts", "alert", "1", "--acks", "1"], 2, "wanted --wait acked"),
    ] {
        let Finished { code, stdout, stderr } = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(wanted), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
    }
}

/// A server that answers one request with this body, whatever it is asked; its address.
fn foreign(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        let mut request = Vec::new();
        let is_whole = |request: &[u8]| request.windows(4).any(|end| end == b"\r\n\r\n");
        while !is_whole(&request) {
            let mut more = [0; 4_096];
            let read = stream.read(&mut more).expect("it asks");
            request.extend_from_slice(&more[..read]);
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        // Who does not want all of it may go.
        let _ = stream.write_all((head + &body).as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        // What is left unread would reset the connection, and the answer with it.
        let _ = stream.read_to_end(&mut request);
    });
    address
}

#[test]
fn an_answer_that_is_not_understood_is_1_and_one_that_nests_deep_is_understood() {
    for (arguments, route) in [
        (&["clients"][..], "GET http://127.0.0.1:"),
        (&["clients", "--json"], "/admin/v1/clients?"),
        (&["drain"], "POST http://127.0.0.1:"),
        (&["dlq", "list"], "/admin/v1/dead-letters?"),
        (&["top", "--once"], "/admin/v1/info"),
        (&["publish", "/feed", "tick", "1"], "/v1/publish"),
    ] {
        for body in ["<html>", "[]", ""] {
            let Finished { code, stdout, stderr } = run(&[arguments, &["--admin", &foreign(body.into())]].concat());
            assert_eq!((code, stdout.as_str()), (Some(1), ""), "{arguments:?} {body}: {stderr}");
            assert!(stderr.contains(route) && stderr.contains("is not understood: "), "{arguments:?} {body}: {stderr}");
        }
    }
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let letter = format!(
        r#"{{"deadLetters":[{{"id":"a:1","namespace":"/a","topic":"t","client":"c","reason":"exhausted","attempts":2,"at":1,"payload":{deep}}}],"total":1}}"#
    );
    let Finished { code, stdout, stderr } = run(&["dlq", "list", "--admin", &foreign(letter.clone())]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("exhausted") && stdout.ends_with(&format!("{}..\n", "[".repeat(40))), "{stdout}");
    let Finished { code, stdout, stderr } = run(&["dlq", "list", "--json", "--admin", &foreign(letter.clone())]);
    assert_eq!((code, stdout), (Some(0), letter + "\n"), "{stderr}");
}

#[test]
fn a_publisher_whose_reader_has_gone_publishes_all_of_it() {
    let scene = Scene::start();
    let mut child = Command::new(env!("CARGO_BIN_EXE_streamfence"))
        .args(["publish", "--admin", &scene.admin, "/feed", "tick", "1", "--count", "100"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let (_, topics) = process::get(&scene.admin, "/admin/v1/info");
    let info: Value = serde_json::from_str(&topics).expect("it is JSON");
    assert_eq!(info["totals"]["published"], 100, "{info}");
    let health = run(&["health", &format!("http://{}", scene.admin)]);
    assert_eq!((health.code, health.stdout.as_str()), (Some(0), "ready\n"), "{}", health.stderr);
}

#[test]
fn a_subscriber_whose_reader_has_gone_ends() {
    let scene = Scene::start();
    let (read, closed) = std::io::pipe().expect("a pipe can be made");
    let mut child = Command::new(env!("CARGO_BIN_EXE_streamfence"))
        .args(["subscribe", "--server", &scene.open, "/feed", "tick", "--json"])
        .stdout(closed)
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    drop(read);
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn it_talks_over_tls_and_unix_sockets() {
    let directory = Directory::new();
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a name is enough");
    let chain = directory.write("chain.pem", &certified.cert.pem());
    directory.write("key.pem", &certified.signing_key.serialize_pem());
    let secure = "port: 0\n    transport: WSS\n    tls: {certChainPemPath: chain.pem, privateKeyPemPath: key.pem}\n";
    let file = directory.write("tls.yaml", &CONFIG.replacen("port: 0\n", secure, 1));
    let admin = format!("unix:{}", directory.path("admin.sock"));
    let mut running = Running::start(&["serve", "--log-format", "json", "-c", &file, "--admin-listen", &admin]);
    let port = running.address("open").rsplit(':').next().expect("it has a port").to_owned();
    let url = format!("wss://localhost:{port}");
    let subscribe = ["subscribe", "--json", &url, "/feed", "tick", "--count", "1", "--timeout", "30"];
    let Finished { code, stderr, .. } = run(&subscribe);
    assert!(code == Some(5) && stderr.contains("certificate"), "nobody vouches for it: {stderr}");
    let Finished { code, stderr, .. } = run(&[&subscribe[..], &["--cacert", "/nowhere"]].concat());
    assert!(code == Some(4) && stderr.contains("/nowhere"), "{stderr}");
    let mut subscriber = Running::start(&[&subscribe[..], &["--cacert", &chain]].concat());
    subscriber.until("it is subscribed", |subscriber| subscriber.printed().contains("subscribed"));
    assert_eq!(run(&["publish", "--admin", &admin, "/feed", "tick", "7"]).code, Some(0));
    let Finished { code, stdout, .. } = subscriber.wait();
    assert_eq!((code, payloads(&stdout)), (Some(0), vec![json!(7)]));
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let Finished { code, stdout, stderr } = run(&["completions", shell]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert!(stdout.contains("subscribe") && stdout.contains("ack-delay"), "{shell}");
    }
    assert_eq!(run(&["completions", "nonsense"]).code, Some(2));
    let directory = Directory::new();
    assert_eq!(run(&["man", &directory.path("man1")]).code, Some(0));
    let page = std::fs::read_to_string(directory.path("man1/streamfence-subscribe.1")).expect("it is written");
    assert!(page.contains("ack\\-delay"), "{page}");
    let file = directory.write("file", "");
    let Finished { code, stderr, .. } = run(&["man", &file]);
    assert!(code == Some(1) && stderr.contains("cannot be written to"), "{stderr}");
}
