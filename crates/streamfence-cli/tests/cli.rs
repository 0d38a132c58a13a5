//! The binary as its users meet it: arguments in, exit codes, stdout and stderr out.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use process::{Directory, Finished, Poller, Running, get, post, run};
use serde_json::json;

const TWO_SERVERS: &str = r#"
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /feed
        topics: [tick]
  alerts:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 60000
    namespaces:
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 3
        ackTimeoutMs: 60000
admin:
  port: 0
"#;

fn two_servers(directory: &Directory) -> String {
    directory.write("two.yaml", TWO_SERVERS)
}

fn serve(arguments: &[&str]) -> Running {
    Running::start(&[&["serve", "--log-format", "json"], arguments].concat())
}

#[test]
fn version_is_data() {
    let Finished { code, stdout, stderr } = run(&["version"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout, format!("streamfence {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["--version"]).stdout, stdout);
    let Finished { code, stdout, .. } = run(&["version", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!((code, &said["version"]), (Some(0), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!((&said["os"], &said["arch"]), (&std::env::consts::OS.into(), &std::env::consts::ARCH.into()));
}

#[test]
fn who_serves_as_root_is_told_so() {
    let directory = Directory::new();
    let mut running = serve(&["-c", &two_servers(&directory)]);
    running.address("admin");
    // Whoever runs this runs that.
    let is_root = std::fs::metadata(directory.path(".")).expect("it was made").uid() == 0;
    let warned = running.lines().iter().filter(|line| line["code"] == "runs_as_root").count();
    assert_eq!(warned, usize::from(is_root));
}

#[test]
fn data_that_cannot_be_written_is_a_failure_and_a_reader_that_has_gone_is_none() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has one");
    let (read, closed) = std::io::pipe().expect("a pipe can be made");
    drop(read);
    for (stdout, wanted) in [(Stdio::from(full), 1), (Stdio::from(closed), 0)] {
        let binary = Command::new(env!("CARGO_BIN_EXE_streamfence")).arg("version").stdout(stdout).output();
        let Output { status, stderr, .. } = binary.expect("the binary runs");
        let stderr = String::from_utf8(stderr).expect("it is text");
        assert_eq!(status.code(), Some(wanted), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn a_wrong_command_line_is_usage() {
    for wrong in [
        &[][..],
        &["nonsense"],
        &["serve", "--nonsense"],
        &["serve", "--server", "feed"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--log-format", "xml"],
        &["serve", "--log-level", "a=b=c"],
        &["serve", "--log-level", "warning"],
        &["serve", "--log-level", ""],
        &["check"],
    ] {
        let Finished { code, stdout, stderr } = run(wrong);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{wrong:?}: {stderr}");
        assert!(!stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn check_says_what_is_there_or_where_it_is_wrong() {
    let directory = Directory::new();
    let good = two_servers(&directory);
    for arguments in [&["check", &good][..], &["check", "-c", &good], &["validate", &good]] {
        let Finished { code, stdout, stderr } = run(arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert_eq!(stdout, format!("{good}: ok: 2 servers, 2 namespaces, 2 topics\n"));
    }
    let wrong = directory.write("wrong.yaml", &TWO_SERVERS.replace("maxRetries: 3", "maxRetriez: 3"));
    let Finished { code, stdout, stderr } = run(&["check", &wrong]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains(&format!("{wrong}:17:9")) && stderr.contains("maxRetries"), "{stderr}");
    for missing in [directory.path("missing.yaml"), directory.write("settings.toml", "")] {
        assert_eq!(run(&["check", &missing]).code, Some(3), "{missing}");
        let Finished { code, stdout, stderr } = run(&["serve", "-c", &missing]);
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{stderr}");
    }
}

#[test]
fn certificates_that_cannot_be_used_are_named_with_their_servers() {
    let directory = Directory::new();
    let tls = "port: 0\n    transport: WSS\n    tls: {certChainPemPath: chain.pem, privateKeyPemPath: key.pem}\n";
    let file = directory.write("tls.yaml", &TWO_SERVERS.replacen("port: 0\n", tls, 2));
    let Finished { code, stdout, stderr } = run(&["check", &file]);
    assert_eq!((code, stdout.as_str()), (Some(4), ""), "{stderr}");
    let chain = directory.write("chain.pem", "");
    assert!(stderr.contains(&format!("{chain}: cannot be read: No such file or directory")), "{stderr}");
    assert!(stderr.contains("(servers.feed.tls)") && stderr.contains("(servers.alerts.tls)"), "{stderr}");
    let Finished { code, stderr, .. } = run(&["serve", "-c", &file]);
    assert_eq!(code, Some(4), "{stderr}");
    let wanted =
        format!("server feed: cannot speak TLS: {chain}: holds nothing in PEM; wanted at least one CERTIFICATE");
    assert!(stderr.contains(&wanted), "{stderr}");
}

#[test]
fn the_examples_are_valid() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let folders = std::fs::read_dir(examples).expect("the examples are there");
    let files: Vec<_> = folders
        .map(|folder| folder.expect("it is listed").path().join("streamfence.yaml"))
        .filter(|f| f.exists())
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let Finished { code, stderr, .. } = run(&["check", file.to_str().expect("the path is text")]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn serve_refuses_what_it_cannot_serve() {
    let directory = Directory::new();
    let file = two_servers(&directory);
    let wrong = directory.write("wrong.yaml", "servers: 7");
    for (arguments, wanted, reason) in [
        (&["-c", &file, "--server", "nobody"][..], 2, "nobody"),
        (&["-c", &file, "--server", "feed", "--server", "nobody"], 2, "nobody"),
        (&["-c", &file, "--listen", "127.0.0.1:0"], 2, "--server"),
        (&["--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"], 3, "add keys to the configuration"),
        (&["--listen", "127.0.0.1:0", "--admin-listen", "[::]:0"], 3, "add keys to the configuration"),
        (&["-c", &wrong], 3, "wrong.yaml:1:10"),
    ] {
        let Finished { code, stdout, stderr } = run(&[&["serve"], arguments].concat());
        assert_eq!((code, stdout.as_str()), (Some(wanted), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
    let address = taken.local_addr().expect("it is bound").to_string();
    let any = "127.0.0.1:0";
    for arguments in [["--listen", &address, "--admin-listen", any], ["--listen", any, "--admin-listen", &address]] {
        let Finished { code, stderr, .. } = run(&[&["serve"], &arguments[..]].concat());
        assert_eq!(code, Some(4), "{arguments:?}: {stderr}");
        assert!(stderr.lines().last().is_some_and(|line| line.contains(&address)), "{stderr}");
    }
}

#[test]
fn each_server_of_a_file_says_where_it_listens() {
    let directory = Directory::new();
    let file = two_servers(&directory);
    let mut both = serve(&["-c", &file]);
    let (feed, alerts) = (both.address("feed"), both.address("alerts"));
    assert_ne!(feed, alerts);
    for public in [&feed, &alerts, &both.address("admin")] {
        assert_eq!(get(public, "/healthz").0, 200);
        assert_eq!(get(public, "/readyz").0, 200);
    }
    assert_eq!(both.interrupt("TERM").code, Some(0));

    let mut one = serve(&["-c", &file, "--server", "alerts", "--listen", "[::1]:0"]);
    let alerts = one.address("alerts");
    assert!(alerts.starts_with("[::1]:") && !alerts.ends_with(":0"), "{alerts}");
    assert_eq!(get(&alerts, "/healthz").0, 200);
    assert!(!one.lines().iter().any(|line| line["server"] == "feed"));
    let answer =
        post(&one.address("admin"), "/v1/publish", &json!({"namespace": "/feed", "topic": "tick", "payload": 1}));
    assert_eq!(answer.0, 404, "the other server's namespaces are not here: {}", answer.1);
    assert_eq!(one.interrupt("TERM").code, Some(0));

    let mut again = serve(&["-c", &file, "--server", "alerts", "--server", "feed"]);
    again.address("feed");
    again.address("alerts");
}

#[test]
fn unix_sockets_are_served_and_those_left_over_are_replaced() {
    let directory = Directory::new();
    let (public, admin) = (directory.path("public.sock"), directory.path("admin.sock"));
    for _ in 0..2 {
        let arguments = [format!("unix:{public}"), format!("unix:{admin}")];
        let mut running = serve(&["--listen", &arguments[0], "--admin-listen", &arguments[1]]);
        assert_eq!(running.address("demo"), format!("unix:{public}"));
        assert_eq!(running.address("admin"), format!("unix:{admin}"));
        for path in [&public, &admin] {
            let mut stream = UnixStream::connect(path).expect("it listens");
            let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            stream.write_all(request).expect("it reads");
            let answer = std::io::read_to_string(stream).expect("it answers");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        // Killed, so that it leaves its sockets behind.
        assert_eq!(running.interrupt("KILL").code, None);
    }
}

#[test]
fn the_demo_says_what_to_try_and_publishes() {
    let mut demo = serve(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let (public, admin) = (demo.address("demo"), demo.address("admin"));
    demo.until("the metrics show messages", |_| {
        let (status, metrics) = get(&admin, "/metrics");
        assert_eq!(status, 200);
        metrics.lines().any(|line| {
            line.starts_with("streamfence_messages_published_total")
                && line.contains("ticker")
                && line.rsplit(' ').next().is_some_and(|count| count.parse::<f64>().is_ok_and(|count| count > 0.0))
        })
    });
    let mut client = Poller::join(&public, "/feed");
    client.say(r#"42/feed,["subscribe",{"topic":"ticker"}]"#);
    client.until(r#"["ticker",{"symbol":"DEMO""#);
    let Finished { code, stdout, stderr } = demo.interrupt("INT");
    assert_eq!(code, Some(0), "{stderr}");
    for wanted in
        [format!("http://{public}/socket.io"), format!("http://{admin}/v1/publish"), "streamfence serve -c".into()]
    {
        assert!(stdout.contains(&wanted), "{stdout}");
    }
    for line in stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|why| panic!("{line}: {why}"));
    }
}

#[test]
fn a_published_message_reaches_its_client_and_says_what_became_of_it() {
    let directory = Directory::new();
    let mut running = serve(&["-c", &two_servers(&directory)]);
    let (feed, admin) = (running.address("feed"), running.address("admin"));
    let mut client = Poller::join(&feed, "/feed");
    client.say(r#"42/feed,["subscribe",{"topic":"tick"}]"#);
    client.until("subscribed");
    let (status, report) = post(&admin, "/v1/publish", &json!({"namespace": "/feed", "topic": "tick", "payload": [1]}));
    let report: serde_json::Value = serde_json::from_str(&report).expect("a report is JSON");
    assert_eq!((status, &report["matched"], &report["admitted"]), (202, &json!(1), &json!(1)));
    client.until(r#"42/feed,["tick",[1]]"#);
    // `serve` has no handlers, so clients may not publish unless the file says so.
    client.say(r#"42/feed,["publish",{"topic":"tick","payload":1}]"#);
    client.until("PUBLISH_REJECTED");
}

#[test]
fn a_stop_drains_and_a_second_signal_ends_at_once() {
    let directory = Directory::new();
    let mut running = serve(&["-c", &two_servers(&directory)]);
    let (alerts, admin) = (running.address("alerts"), running.address("admin"));
    let mut client = Poller::join(&alerts, "/alerts");
    client.say(r#"42/alerts,["subscribe",{"topic":"alert"}]"#);
    client.until("subscribed");
    let publish = json!({"namespace": "/alerts", "topic": "alert", "payload": 1});
    assert_eq!(post(&admin, "/v1/publish", &publish).0, 202);
    client.until("ackRequired");

    // An alert that nobody has acked holds the drain, for a minute.
    running.signal("TERM");
    for address in [&admin, &alerts] {
        running.until("it drains", |_| get(address, "/readyz").0 == 503);
        assert_eq!(get(address, "/healthz").0, 200);
    }
    assert_eq!(post(&admin, "/v1/publish", &publish).0, 503);
    assert_eq!(get(&alerts, "/socket.io/?EIO=4&transport=polling").0, 503, "nobody new is taken in");
    let began = Instant::now();
    let Finished { code, stderr, .. } = running.interrupt("TERM");
    assert_eq!(code, Some(130), "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(stderr.contains("stopped at once"), "{stderr}");
}

#[test]
fn a_stop_ends_when_the_last_message_is_acked() {
    let directory = Directory::new();
    let mut running = serve(&["-c", &two_servers(&directory)]);
    let (alerts, admin) = (running.address("alerts"), running.address("admin"));
    let mut client = Poller::join(&alerts, "/alerts");
    client.say(r#"42/alerts,["subscribe",{"topic":"alert"}]"#);
    client.until("subscribed");
    post(&admin, "/v1/publish", &json!({"namespace": "/alerts", "topic": "alert", "payload": 1}));
    let alert = client.until("messageId");
    let id = alert.split(r#""messageId":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    running.signal("INT");
    running.until("it drains", |_| get(&admin, "/readyz").0 == 503);
    client.say(&format!(r#"42/alerts,["ack",{{"topic":"alert","messageId":"{id}"}}]"#));
    let Finished { code, stderr, .. } = running.wait();
    assert_eq!(code, Some(0), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_takes_the_descriptors_its_clients_may_need_and_says_when_there_are_too_few() {
    let directory = Directory::new();
    let few_clients = TWO_SERVERS.replace("port: 0\n    ", "port: 0\n    maxConnections: 50\n    ");
    let file = directory.write("few.yaml", &few_clients);
    let arguments = ["serve", "-c", &file, "--log-format", "json"];
    let limit_of = |running: &Running| {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.pid())).expect("it runs");
        let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("there is one");
        line.split_whitespace().nth(3).and_then(|soft| soft.parse::<u64>().ok()).expect("a number")
    };
    let has_said = |running: &Running| running.lines().iter().any(|line| line["code"] == "descriptors");

    // Two servers of 50 clients each, and some for everything else.
    let mut enough = Running::start_after("ulimit -Sn 300", &arguments);
    enough.address("admin");
    assert_eq!((limit_of(&enough), has_said(&enough)), (612, false));
    let mut few = Running::start_after("ulimit -n 300", &arguments);
    few.address("admin");
    assert_eq!((limit_of(&few), has_said(&few)), (300, true));
}
