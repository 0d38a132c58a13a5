//! What a server tells whoever supervises it: systemd over its socket, anybody else by `streamfence health`.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use std::os::unix::net::UnixDatagram;

use process::{Directory, PATIENCE, Poller, Running, post, run};
use serde_json::json;

const CONFIG: &str = "
servers:
  main:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 20000
    namespaces:
      - {path: /alerts, topics: [alert], deliveryMode: AT_LEAST_ONCE, maxRetries: 3, ackTimeoutMs: 60000}
admin: {port: 0}
";

/// Where systemd would listen.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn new(path: &str) -> Self {
        let socket = UnixDatagram::bind(path).expect("the directory is ours");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self(socket)
    }

    /// The next word that is not the watchdog's.
    fn hear(&self) -> String {
        loop {
            let word = self.hear_any();
            if word != "WATCHDOG=1\n" {
                return word;
            }
        }
    }

    fn hear_any(&self) -> String {
        let mut word = [0; 512];
        let length = self.0.recv(&mut word).expect("a word comes in time");
        String::from_utf8(word[..length].to_vec()).expect("it is text")
    }
}

#[test]
fn systemd_hears_when_a_server_serves_reads_its_file_again_and_stops() {
    let directory = Directory::new();
    let file = directory.write("streamfence.yaml", CONFIG);
    let socket = directory.path("notify");
    let supervisor = Supervisor::new(&socket);
    let arguments = ["serve", "--no-watch", "--log-format", "json", "-c", &file];
    let mut server = Running::start_with(&arguments, &[("NOTIFY_SOCKET", &socket)]);

    assert_eq!(supervisor.hear(), "READY=1\nSTATUS=serving\n");
    server.address("main");

    server.signal("HUP");
    let reloading = supervisor.hear();
    let mut lines = reloading.lines();
    assert_eq!(lines.next(), Some("RELOADING=1"));
    let since = lines.next().and_then(|line| line.strip_prefix("MONOTONIC_USEC=")).map(str::parse::<u64>);
    assert!(matches!(since, Some(Ok(_))), "{reloading}");
    assert_eq!(supervisor.hear(), "READY=1\nSTATUS=serving\n");

    let ended = server.interrupt("TERM");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // The drain of the file, which is 20 s, and 5 s more.
    assert_eq!(supervisor.hear(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=25000000\nSTATUS=draining\n");
}

#[test]
fn systemd_hears_of_a_server_that_lives_as_often_as_it_asks_for() {
    let directory = Directory::new();
    let file = directory.write("streamfence.yaml", CONFIG);
    let socket = directory.path("notify");
    let supervisor = Supervisor::new(&socket);
    let variables = [("NOTIFY_SOCKET", socket.as_str()), ("WATCHDOG_USEC", "50000")];
    let _server = Running::start_with(&["serve", "-c", &file], &variables);
    assert_eq!(supervisor.hear(), "READY=1\nSTATUS=serving\n");
    for _ in 0..3 {
        assert_eq!(supervisor.hear_any(), "WATCHDOG=1\n");
    }
}

#[test]
fn health_tells_a_server_that_is_ready_from_one_that_drains_and_from_none() {
    let directory = Directory::new();
    let file = directory.write("streamfence.yaml", CONFIG);
    let mut server = Running::start(&["serve", "--log-format", "json", "-c", &file]);
    let (public, admin) = (server.address("main"), server.address("admin"));
    for address in [&public, &admin] {
        let asked = run(&["health", address]);
        assert_eq!((asked.code, asked.stdout.as_str()), (Some(0), "ready\n"), "{}", asked.stderr);
        let said = json!({"address": address, "asked": "/readyz", "status": 200, "state": "ready"});
        let asked = run(&["health", "--json", address]);
        assert_eq!((asked.code, asked.stdout), (Some(0), format!("{said}\n")), "{}", asked.stderr);
    }

    let url = format!("http://{admin}");
    let asked = Running::start_with(&["health"], &[("STREAMFENCE_ADMIN", &url)]).wait();
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(0), "ready\n"), "where every command asks: {}", asked.stderr);

    // What a client does not ack keeps the drain from its end.
    let mut client = Poller::join(&public, "/alerts");
    client.say(r#"42/alerts,["subscribe",{"topic":"alert"}]"#);
    client.until("subscribed");
    post(&admin, "/v1/publish", &json!({"namespace": "/alerts", "topic": "alert", "payload": 1}));
    client.until("ackRequired");
    server.signal("TERM");
    server.until("it drains", |_| run(&["health", &admin]).code == Some(1));
    let asked = run(&["health", &admin]);
    assert_eq!(asked.stderr, format!("streamfence: {admin}: /readyz says 503 draining\n"));
    let asked = run(&["health", "--json", &admin]);
    assert!(asked.code == Some(1) && asked.stdout.contains(r#""state":"draining","status":503"#), "{asked:?}");
    let asked = run(&["health", "--live", &admin]);
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(0), "ok\n"), "{}", asked.stderr);

    server.interrupt("TERM");
    let asked = run(&["health", "--json", &admin]);
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(5), ""), "nobody has answered");
    let asked = run(&["health", &admin]);
    assert_eq!(asked.code, Some(5));
    assert!(asked.stderr.starts_with(&format!("streamfence: {admin}: ")), "{}", asked.stderr);
}
