//! The commands that see and steer a server that runs, and `bench`: what they print, and how they end.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Instant;

use process::{Directory, Finished, PATIENCE, Running, run};
use serde_json::{Value, json};

const CONFIG: &str = r#"
servers:
  open:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /feed
        topics: [tick, other]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 16
      - path: /roomy
        topics: [tick]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 10000
        maxQueuedBytesPerClient: 100000000
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 1
        ackTimeoutMs: 50
      - path: /patient
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 1
        ackTimeoutMs: 60000
admin:
  port: 0
  keys:
    ops: {keys: [the-key-of-an-operator-of-this-test], scopes: [read, admin, publish]}
    reader: {keys: [the-key-of-a-reader-of-this-test], scopes: [read]}
"#;

const OPS: &str = "the-key-of-an-operator-of-this-test";
const READER: &str = "the-key-of-a-reader-of-this-test";

struct Scene {
    running: Running,
    open: String,
    admin: String,
    file: String,
    directory: Directory,
}

impl Scene {
    fn start() -> Self {
        let directory = Directory::new();
        let file = directory.write("operate.yaml", CONFIG);
        let mut running = Running::start(&["serve", "--log-format", "json", "--no-watch", "-c", &file]);
        let [open, admin] = ["open", "admin"].map(|server| running.address(server));
        Self { running, open, admin, file, directory }
    }

    /// A command with the address and the key of an operator.
    fn run(&self, arguments: &[&str]) -> Finished {
        run(&[arguments, &["--admin", &self.admin, "--api-key", OPS]].concat())
    }

    /// One that is done: what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let Finished { code, stdout, stderr } = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let stdout = self.done(&[arguments, &["--json"]].concat());
        serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{arguments:?}: {stdout}: {why}"))
    }

    /// Asks until the answer is as it should be.
    fn until(&self, arguments: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.json(arguments);
            if is_so(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "not in time: {arguments:?}: {answer}");
        }
    }

    /// A subscriber and its id.
    fn subscribe(&self, arguments: &[&str]) -> (Running, String) {
        let mut subscriber = Running::start(&[&["subscribe", "--json", "--server", &self.open], arguments].concat());
        let mut id = None;
        subscriber.until("it is subscribed", |subscriber| {
            let printed = subscriber.printed();
            let line = printed.lines().find(|line| line.contains("\"subscribed\""));
            id = line.map(|line| serde_json::from_str::<Value>(line).expect("it is JSON")["clientId"].clone());
            id.is_some()
        });
        let id = id.as_ref().and_then(Value::as_str).expect("it was waited for").to_owned();
        (subscriber, id)
    }

    /// Somebody who reads along, and does already.
    fn tail(&self, arguments: &[&str]) -> Running {
        let mut tail = Running::start(&[&["tail", "--admin", &self.admin, "--key", READER], arguments].concat());
        tail.until("it reads along", |tail| tail.said().contains("reading along"));
        tail
    }
}

#[test]
fn clients_are_listed_and_looked_at() {
    let scene = Scene::start();
    let (_slow, slow) = scene.subscribe(&["/feed", "tick", "--slow", "1000"]);
    let (_other, other) = scene.subscribe(&["/feed", "other"]);
    let payload = format!("\"{}\"", "x".repeat(8_192));
    let deadline = Instant::now() + PATIENCE;
    while !scene.done(&["publish", "/feed", "tick", &payload, "--count", "32"]).contains("displaced 1") {
        assert!(Instant::now() < deadline, "all of it is read");
    }
    let listed = scene.done(&["clients"]);
    let mut lines = listed.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("CLIENT            NAMESPACE")), "{listed}");
    assert!(lines.next().is_some_and(|line| line.starts_with(&slow)), "the deepest comes first: {listed}");
    assert!(lines.next().is_some_and(|line| line.starts_with(&other)), "{listed}");
    assert!(scene.done(&["clients", "--limit", "1"]).ends_with("1 of 2 clients; --limit shows more\n"));
    assert_eq!(scene.done(&["clients", "--topic", "other"]).lines().count(), 2);
    let by_drops = scene.json(&["clients", "--sort", "drops", "--namespace", "/feed"]);
    assert_eq!((&by_drops["total"], &by_drops["clients"][0]["id"]), (&json!(2), &json!(slow)));

    let is_blocked = |client: &Value| client["id"] == *slow && client["reason"] == "blocked";
    scene.until(&["clients", "--slow"], |answer| is_blocked(&answer["clients"][0]));
    let listed = scene.done(&["clients", "--slow"]);
    assert!(listed.lines().next().is_some_and(|line| line.ends_with("WHY")) && listed.contains(&slow), "{listed}");

    let inspected = scene.done(&["inspect", &slow]);
    for wanted in
        [format!("client         {slow}\n"), "slow           blocked, for ".into(), "BEST_EFFORT  DROP_OLDEST".into()]
    {
        assert!(inspected.contains(&wanted), "{wanted}\n{inspected}");
    }
    assert!(
        inspected.lines().last().is_some_and(|lane| lane.starts_with("tick") && lane.contains("displaced ")),
        "{inspected}"
    );
    assert_eq!(scene.json(&["inspect", &slow])["lanes"][0]["limits"]["messages"], 16);
    let Finished { code, stderr, .. } = scene.run(&["inspect", "AAAAAAAAAAAAAAAA"]);
    assert!(code == Some(1) && stderr.contains("UNKNOWN_CLIENT"), "{stderr}");
}

#[test]
fn events_are_told_as_they_happen() {
    let scene = Scene::start();
    let mut tail = scene.tail(&["--kind", "subscribed,unsubscribed", "--json", "--count", "2"]);
    let mut spoken = scene.tail(&["--kind", "subscribed", "--namespace", "/feed", "--topic", "tick", "--count", "1"]);
    let (_feed, id) = scene.subscribe(&["/feed", "tick", "other"]);
    let Finished { code, stdout, .. } = tail.wait();
    assert_eq!(code, Some(0));
    let told: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    for (event, topic) in told.iter().zip(["tick", "other"]) {
        assert_eq!(
            (&event["kind"], &event["topic"], &event["client"]),
            (&json!("subscribed"), &json!(topic), &json!(id))
        );
    }
    let Finished { code, stdout, .. } = spoken.wait();
    let words: Vec<_> = stdout.split_whitespace().collect();
    assert_eq!((code, words[0].len(), words[1]), (Some(0), "00:00:00.000Z".len(), "subscribed"), "{stdout}");
    assert!(words.contains(&format!("client={id}").as_str()), "{stdout}");

    assert_eq!(scene.run(&["tail", "--client", &id, "--count", "1", "--timeout", "0.1"]).code, Some(8));
    assert_eq!(scene.run(&["tail", "--client", &id, "--timeout", "0.1"]).code, Some(0));
    let Finished { code, stderr, .. } = scene.run(&["tail", "--kind", "nonsense"]);
    assert!(code == Some(2) && stderr.contains("nonsense"), "{stderr}");
    let mut tail = scene.tail(&[]);
    assert_eq!(tail.interrupt("INT").code, Some(130));
}

#[test]
fn clients_can_be_shown_out() {
    let scene = Scene::start();
    let (mut first, one) = scene.subscribe(&["/feed", "tick"]);
    let Finished { code, stdout, stderr } = scene.run(&["unsubscribe", &one, "other"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains(&format!("{one} is not subscribed to other")), "{stderr}");
    assert_eq!(scene.done(&["unsubscribe", &one, "tick"]), format!("{one} unsubscribed from tick\n"));
    let Finished { code, stdout, stderr } = first.wait();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains(r#""reason":"admin""#) && stderr.contains("ended every subscription"), "{stdout}{stderr}");

    let (mut second, two) = scene.subscribe(&["/feed", "tick"]);
    assert_eq!(scene.done(&["disconnect", &two, "--reason", "a test"]), "1 disconnected\n");
    assert_eq!(second.wait().code, Some(5));
    for (extra, printed) in [(&[][..], ""), (&["--json"], "{\"disconnected\":0}\n")] {
        let Finished { code, stdout, stderr } = scene.run(&[&["disconnect", "--principal", "nobody"], extra].concat());
        assert_eq!((code, stdout.as_str()), (Some(1), printed), "{stderr}");
        assert!(stderr.contains("no client of \"nobody\" is here"), "{stderr}");
    }
    let Finished { code, stderr, .. } = scene.run(&["disconnect", &two]);
    assert!(code == Some(1) && stderr.contains("UNKNOWN_CLIENT"), "{stderr}");
    assert_eq!(scene.run(&["disconnect"]).code, Some(2));
    assert_eq!(scene.run(&["disconnect", &two, "--principal", "ann"]).code, Some(2));
}

#[test]
fn a_reload_says_what_changes() {
    let scene = Scene::start();
    assert_eq!(scene.done(&["reload"]), "nothing has changed; generation 2\n");
    let changed = CONFIG.replace("maxQueuedMessagesPerClient: 16", "maxQueuedMessagesPerClient: 17");
    scene.directory.write("operate.yaml", &changed);
    let looked = scene.done(&["reload", "--dry-run"]);
    assert!(looked.starts_with("would change, from generation 2:\nKEY"), "{looked}");
    assert!(looked.contains("/feed tick maxQueuedMessagesPerClient   16    17  live"), "{looked}");
    assert_eq!(scene.json(&["reload", "--dry-run"])["applied"], false);
    let applied = scene.done(&["reload"]);
    assert!(applied.starts_with("applied as generation 3:\n") && !applied.contains("restart"), "{applied}");
    // What waits for a restart is told beside what is applied, and the order is carried out all the same.
    let waiting = |text: &str| text.replacen("port: 0\n", "port: 0\n    pingIntervalMs: 9000\n", 1);
    scene.directory.write("operate.yaml", &waiting(&changed.replace(": 17", ": 18")));
    let applied = scene.done(&["reload"]);
    let (holds, waits) = applied.split_once("not before a restart:\n").expect("both are told");
    assert!(holds.starts_with("applied as generation 4:\n") && holds.contains("17    18  live"), "{applied}");
    assert!(waits.contains("servers.open.pingIntervalMs") && !holds.contains("pingIntervalMs"), "{applied}");
    let again = scene.done(&["reload"]);
    assert!(again.starts_with("nothing of generation 5 has changed\nnot before a restart:\n"), "{again}");
    let reloaded = |line: &Value| line["code"] == "reloaded" && line["needs_restart"] == 1;
    assert_eq!(scene.running.lines().iter().filter(|line| reloaded(line)).count(), 2, "the log says so, too");
    scene.directory.write("operate.yaml", &CONFIG.replace("deliveryMode", "deliveryMood"));
    let Finished { code, stdout, stderr } = scene.run(&["reload"]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains(&format!("{}:18:9", scene.file)) && stderr.contains("deliveryMode"), "{stderr}");
}

#[test]
fn the_level_of_logs_is_shown_and_changed() {
    let scene = Scene::start();
    assert_eq!(scene.done(&["log-level"]), "info\n");
    assert_eq!(scene.done(&["log-level", "debug"]), "debug, before info\n");
    assert_eq!(scene.json(&["log-level", "warn"]), json!({"level": "warn", "before": "debug"}));
    assert_eq!(scene.done(&["log-level"]), "warn\n");
    let Finished { code, stderr, .. } = scene.run(&["log-level", "loud"]);
    assert!(code == Some(2) && stderr.contains("loud"), "{stderr}");
}

#[test]
fn messages_that_were_given_up_are_listed_sent_again_and_forgotten() {
    let scene = Scene::start();
    let (_deaf, client) = scene.subscribe(&["/alerts", "alert"]);
    scene.done(&["publish", "/alerts", "alert", r#"{"z":1,"a":2}"#, "--count", "2"]);
    let listed = scene.until(&["dlq", "list", "--topic", "alert"], |answer| answer["total"] == 2);
    let id = listed["deadLetters"][0]["id"].as_str().expect("it has an id").to_owned();
    let table = scene.done(&["dlq", "list", "--client", &client]);
    assert!(table.lines().count() == 3 && table.contains(&id) && table.contains(r#"{"z":1,"a":2}"#), "{table}");
    assert_eq!(scene.done(&["dlq", "list", "--limit", "1"]).lines().count(), 2);
    assert_eq!(scene.done(&["dlq", "purge", "/alerts", "alert", "--id", &id]), "1 forgotten\n");
    assert_eq!(scene.done(&["dlq", "replay", "/alerts", "alert", "--client", &client]), "1 of 1 sent again\n");
    let again = scene.until(&["dlq", "list"], |answer| answer["total"] == 1);
    assert_ne!(again["deadLetters"][0]["id"], listed["deadLetters"][1]["id"], "it is another message now");
    assert_eq!(scene.json(&["dlq", "purge", "/alerts", "alert"]), json!({"count": 1}));
    let Finished { code, stderr, .. } = scene.run(&["dlq", "purge", "/alerts", "nothing"]);
    assert!(code == Some(1) && stderr.contains("UNKNOWN_TOPIC"), "{stderr}");
}

#[test]
fn a_name_that_nobody_has_is_an_error_that_says_which_there_are() {
    let scene = Scene::start();
    for (arguments, wanted) in [
        // It would wait without an end.
        (&["tail", "--namespace", "/fed"][..], "unknown namespace `/fed`; there is `/feed`, "),
        (&["tail", "--topic", "tikc"], "unknown topic `tikc`; there is `tick`, "),
        (&["clients", "--topic", "tik"], "unknown topic `tik`; there is `tick`, "),
        (&["clients", "--slow", "--namespace", "/fed"], "unknown namespace `/fed`; there is `/feed`, "),
        (&["dlq", "list", "--namespace", "/feed", "--topic", "othr"], "in namespace `/feed`; there is `other`, `tick`"),
        (&["dlq", "replay", "/alert", "alert"], "unknown namespace `/alert`; there is `/alerts`, "),
    ] {
        let Finished { code, stdout, stderr } = scene.run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(wanted) && stderr.contains("UNKNOWN_TOPIC"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_publisher_waits_for_acks() {
    let scene = Scene::start();
    let publish = ["publish", "/patient", "alert", "1", "--wait", "acked"];
    let (mut acking, _) = scene.subscribe(&["/patient", "alert", "--ack"]);
    let acked = scene.done(&publish);
    assert!(acked.ends_with(", acked by 1 of 1\n"), "{acked}");
    let (_deaf, _) = scene.subscribe(&["/patient", "alert"]);
    let Finished { code, stdout, stderr } = scene.run(&[&publish[..], &["--timeout", "3", "--json"]].concat());
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{stdout}{stderr}: {why}"));
    assert_eq!(
        (code, &report["acked"]["count"], &report["acked"]["wanted"]),
        (Some(8), &json!(1), &json!(2)),
        "{stderr}"
    );
    assert!(stderr.contains("not acked in time"), "{stderr}");
    // One of them is enough.
    assert_eq!(scene.run(&[&publish[..], &["--acks", "1"]].concat()).code, Some(0));
    let Finished { code, stderr, .. } = scene.run(&["publish", "/feed", "tick", "1", "--wait", "acked"]);
    assert!(code == Some(1) && stderr.contains("BAD_REQUEST"), "{stderr}");
    assert_eq!(acking.interrupt("INT").code, Some(130));
    // Who does not ack in as many attempts is given up, long before the time is over.
    let (_deaf, _) = scene.subscribe(&["/alerts", "alert"]);
    let Finished { code, stdout, stderr } =
        scene.run(&["publish", "/alerts", "alert", "1", "--wait", "acked", "--timeout", "60"]);
    assert!(stdout.ends_with(", acked by 0 of 1\n"), "{stdout}");
    assert!(code == Some(8) && stderr.contains("the message was given up"), "{code:?}: {stderr}");
}

#[test]
fn a_message_of_a_key_is_published_once() {
    let scene = Scene::start();
    let publish = |payload: &str| scene.run(&["publish", "/feed", "tick", payload, "--idempotency-key", "k"]);
    let first = publish("1");
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(publish("1").stdout, first.stdout, "the answer is the first one's");
    let Finished { code, stderr, .. } = publish("2");
    assert!(code == Some(1) && stderr.contains("IDEMPOTENCY_CONFLICT"), "{stderr}");
    let several = ["publish", "/feed", "tick", "1", "--count", "2", "--idempotency-key", "several"];
    let ids = scene.done(&several);
    assert_eq!(ids.lines().count(), 2);
    assert_ne!(ids.lines().next(), ids.lines().nth(1));
    assert_eq!(scene.done(&several), ids);
}

#[test]
fn keys_open_what_they_are_for() {
    let scene = Scene::start();
    let admin = ["--admin", &scene.admin];
    let commands: [&[&str]; 12] = [
        &["publish", "/feed", "tick", "1"],
        &["clients"],
        &["inspect", "AAAAAAAAAAAAAAAA"],
        &["tail"],
        &["top", "--once"],
        &["disconnect", "AAAAAAAAAAAAAAAA"],
        &["unsubscribe", "AAAAAAAAAAAAAAAA", "tick"],
        &["reload"],
        &["drain"],
        &["log-level"],
        &["dlq", "list"],
        &["bench", "/feed", "tick", "--server", &scene.open, "--clients", "1", "--duration", "0.1", "-q"],
    ];
    for command in commands {
        for key in [&[][..], &["--api-key", "the-key-that-nobody-has-got-here"]] {
            let Finished { code, stdout, stderr } = run(&[command, &admin, key].concat());
            assert_eq!((code, stdout.as_str()), (Some(6), ""), "{command:?}: {stderr}");
            assert!(stderr.contains("UNAUTHORIZED") && !stderr.contains("nobody-has-got"), "{command:?}: {stderr}");
        }
    }
    let Finished { code, stderr, .. } = run(&["drain", "--admin", &scene.admin, "--key", READER]);
    assert!(code == Some(6) && stderr.contains("FORBIDDEN"), "{stderr}");
    let by_environment = Command::new(env!("CARGO_BIN_EXE_streamfence"))
        .args(["clients", "--json"])
        .envs([("STREAMFENCE_ADMIN", scene.admin.as_str()), ("STREAMFENCE_KEY", READER)])
        .output()
        .expect("the binary runs");
    assert_eq!(by_environment.status.code(), Some(0));
    // With nobody there, each says so.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
    let nobody = free.local_addr().expect("it is bound").to_string();
    drop(free);
    for command in commands {
        let Finished { code, stderr, .. } = run(&[command, &["--admin", &nobody]].concat());
        assert!(code == Some(5) && stderr.contains("cannot reach"), "{command:?}: {stderr}");
    }
}

#[test]
fn a_server_that_is_drained_ends() {
    let mut scene = Scene::start();
    let mut tail = scene.tail(&[]);
    let (mut subscriber, _) = scene.subscribe(&["/feed", "tick"]);
    assert_eq!(scene.done(&["drain"]), "draining\n");
    assert_eq!(subscriber.wait().code, Some(5));
    assert_eq!(tail.wait().code, Some(5));
    assert_eq!(scene.running.wait().code, Some(0));
}

#[test]
fn a_bench_says_what_became_of_its_messages() {
    let scene = Scene::start();
    let pid = scene.running.pid().to_string();
    let load = ["bench", "/roomy", "tick", "--server", &scene.open, "--duration", "1", "--rate", "200", "--pid", &pid];
    let slow = ["--clients", "3", "--slow", "1", "--slow-bps", "1000", "--payload-bytes", "2000"];
    let said = scene.json(&[&load[..], &slow].concat());
    let published = said["published"].as_u64().expect("it is a number");
    assert!((1..=200).contains(&published), "{said}");
    assert_eq!(said["reports"]["matched"], 4 * published, "{said}");
    assert_eq!((&said["quick"]["received"], &said["quick"]["lost"]), (&json!(3 * published), &json!(0)), "{said}");
    assert!(said["slow"]["received"].as_u64() < Some(published), "{said}");
    let latency = &said["quick"]["latencyMs"];
    let times: Vec<_> =
        ["p50", "p99", "p999", "max"].iter().map(|name| latency[name].as_f64().expect("a number")).collect();
    assert!(times[0] > 0.0 && times.is_sorted(), "{said}");
    assert_eq!(said["server"]["policies"]["published"], json!(published), "{said}");
    assert!(said["server"]["rssBytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{said}");
    assert!(said["server"]["cpuSeconds"].is_number(), "{said}");

    assert!(said["requests"].as_u64().is_some_and(|requests| (1..=published).contains(&requests)), "{said}");

    // Faster than one request after the other: what is due by then goes with the next one.
    let fast = ["bench", "/roomy", "tick", "--server", &scene.open, "--duration", "0.5", "--rate", "50000"];
    let fast = [&fast[..], &["--publishers", "1", "--clients", "1", "--payload-bytes", "10"]].concat();
    let said = scene.json(&fast);
    let (published, requests) = (said["published"].as_u64(), said["requests"].as_u64());
    assert!(requests > Some(0) && requests < published, "{said}");
    assert_eq!((&said["reports"]["matched"], said["reports"].get("status")), (&json!(published), None), "{said}");
    assert_eq!(said["server"]["policies"]["published"], json!(published), "{said}");
    let said = scene.json(&[&fast[..], &["--batch", "1"]].concat());
    assert_eq!(said["requests"], said["published"], "{said}");

    let Finished { code, stdout, stderr } =
        scene.run(&[&load[..], &["--clients", "2", "--topic-is-no-option"]].concat());
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    let Finished { code, stdout, stderr } = scene.run(&[&load[..], &["--clients", "2"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.starts_with("2 clients connected, 0 of them slow\n"), "{stderr}");
    for wanted in ["published ", "reports ", "quick ", "policies ", "cpu ", "memory "] {
        assert!(stdout.lines().any(|line| line.starts_with(wanted)), "{wanted}: {stdout}");
    }
    for (arguments, wanted) in [
        (&["bench", "/feed", "tick", "--clients", "0"][..], 2),
        (&["bench", "/feed", "tick", "--pid", "4294967295"], 2),
        (&["bench", "/feed", "tick", "--batch", "1001"], 2),
        (&["bench", "/feed", "nothing", "--server", &scene.open], 1),
        (&["bench", "/feed", "tick", "--server", "127.0.0.1:1"], 5),
    ] {
        let Finished { code, stdout, stderr } = scene.run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(wanted), ""), "{arguments:?}: {stderr}");
    }
}

#[test]
fn top_prints_a_frame_or_draws_on_a_terminal() {
    let scene = Scene::start();
    let (_subscriber, client) = scene.subscribe(&["/feed", "tick"]);
    let frame = scene.json(&["top", "--once"]);
    assert_eq!((&frame["info"]["state"], &frame["totalClients"]), (&json!("running"), &json!(1)), "{frame}");
    assert_eq!((&frame["clients"][0]["id"], &frame["topics"][0]["topic"]), (&json!(client), &json!("tick")), "{frame}");
    let text = scene.done(&["top", "--once", "--sort", "age"]);
    assert!(text.contains(" running, up ") && text.contains("NAMESPACE  TOPIC") && text.contains(&client), "{text}");
    let Finished { code, stderr, .. } = scene.run(&["top"]);
    assert!(code == Some(2) && stderr.contains("wants a terminal"), "{stderr}");
    assert_eq!(scene.run(&["top", "--json"]).code, Some(2));

    let draw = |terminal: &Terminal| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamfence"));
        let command = command.args(["top", "--admin", &scene.admin, "--interval", "0.05", "--key", READER]);
        let command = command.stdin(terminal.other_side()).stdout(terminal.other_side()).stderr(Stdio::null());
        command.spawn().expect("the binary runs")
    };
    let mut terminal = Terminal::open();
    let mut child = draw(&terminal);
    // Later frames are drawn in pieces, where they differ: words are what is waited for.
    terminal.until("running");
    terminal.until(&client);
    terminal.say("s");
    terminal.until("bytes");
    terminal.say("q");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));

    // Ctrl-C is a key while it draws, and ends it as the signal would.
    let mut terminal = Terminal::open();
    let mut child = draw(&terminal);
    terminal.until("running");
    terminal.say("\u{3}");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
}

/// Our side of a terminal.
struct Terminal {
    ours: OwnedFd,
    theirs: String,
    /// All that was drawn so far.
    drawn: Vec<u8>,
}

impl Terminal {
    fn open() -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use rustix::termios::{Winsize, tcsetwinsize};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it is ours");
        let size = Winsize { ws_row: 24, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).expect("it has a size");
        let theirs = ptsname(&ours, Vec::new()).expect("it has a name").into_string().expect("the name is text");
        Self { ours, theirs, drawn: Vec::new() }
    }

    fn other_side(&self) -> Stdio {
        let file = std::fs::File::options().read(true).write(true).open(&self.theirs);
        file.expect("it can be opened").into()
    }

    fn say(&self, text: &str) {
        rustix::io::write(self.ours.as_fd(), text.as_bytes()).expect("somebody reads");
    }

    /// Reads until this is drawn.
    fn until(&mut self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !String::from_utf8_lossy(&self.drawn).contains(wanted) {
            assert!(Instant::now() < deadline, "not drawn: {wanted}\n{}", String::from_utf8_lossy(&self.drawn));
            let mut bytes = [0; 4_096];
            let read = rustix::io::read(self.ours.as_fd(), &mut bytes).expect("somebody draws");
            self.drawn.extend_from_slice(&bytes[..read]);
        }
    }
}
