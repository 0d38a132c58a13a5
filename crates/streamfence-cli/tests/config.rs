//! `streamfence config ..` and `streamfence check ..`: what is written, what is said of it, and exit codes.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use process::{Directory, Finished, Running, run};
use serde_json::{Value, json};

const PRESETS: [&str; 5] = ["ticker", "alerts", "chat", "bulk", "telemetry"];

fn data(arguments: &[&str]) -> String {
    let Finished { code, stdout, stderr } = run(arguments);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    stdout
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn the_schema_and_the_defaults_are_data() {
    let schema: Value = serde_json::from_str(&data(&["config", "schema"])).expect("a schema is JSON");
    assert_eq!(schema["$defs"]["server"]["properties"]["port"]["default"], 3000);
    let directory = Directory::new();
    for arguments in [&["config", "defaults"][..], &["config", "defaults", "--json"]] {
        let file = directory.write("defaults.yaml", &data(arguments));
        assert_eq!(data(&["check", "--strict", &file]), format!("{file}: ok: 1 servers, 1 namespaces, 1 topics\n"));
    }
    let values: Value = serde_json::from_str(&data(&["config", "defaults", "--json"])).expect("it is JSON");
    assert_eq!(values["servers"]["main"]["stallTimeoutMs"], 30_000);
}

#[test]
fn every_preset_is_valid_without_a_warning_and_is_served() {
    let directory = Directory::new();
    for preset in PRESETS {
        let text = data(&["config", "init", "--preset", preset]);
        assert!(text.starts_with("# "), "{preset} says what it is for");
        for limit in
            ["maxConnectionsPerIp", "handshakesPerIp", "maxPendingConnections", "maxPendingPerIp", "inboundRate"]
        {
            assert!(text.contains(&format!("\n    {limit}: ")), "{preset} has no {limit}");
        }
        let file = directory.write("preset.yaml", &text);
        data(&["check", "--strict", &file]);
        let json = data(&["config", "init", "--preset", preset, "--json"]);
        let same: Value = serde_saphyr::from_str(&text).expect("it is YAML");
        assert_eq!(serde_json::from_str::<Value>(&json).expect("it is JSON"), same, "{preset}");
        let mut served = Running::start(&[
            "serve",
            "--log-format",
            "json",
            "-c",
            &file,
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        served.address("main");
        assert_eq!(served.interrupt("TERM").code, Some(0), "{preset}");
    }
    let Finished { code, stderr, .. } = run(&["config", "init", "--preset", "nonsense"]);
    assert_eq!(code, Some(2));
    assert!(PRESETS.iter().all(|preset| stderr.contains(preset)), "{stderr}");
}

#[test]
fn no_file_is_overwritten_without_being_told_to() {
    let directory = Directory::new();
    let file = directory.path("new.yaml");
    let init = |more: &[&str]| run(&[&["config", "init", "--preset", "chat", "-o", &file], more].concat());
    assert_eq!(init(&[]).code, Some(0));
    std::fs::write(&file, "mine").expect("it can be written");
    let Finished { code, stdout, stderr } = init(&[]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains(&file) && stderr.contains("--force"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "mine");
    assert_eq!(init(&["--force"]).code, Some(0));
    data(&["check", &file]);
    // Nor what a link leads to.
    let (target, link) = (directory.write("target.yaml", "mine"), directory.path("link.yaml"));
    std::os::unix::fs::symlink(&target, &link).expect("a link can be made");
    assert_eq!(run(&["config", "schema", "-o", &link]).code, Some(1));
    assert_eq!(std::fs::read_to_string(&target).expect("it is there"), "mine");
    assert_eq!(run(&["config", "schema", "-o", &directory.path("no/such/folder")]).code, Some(1));
    assert_eq!(run(&["config", "schema", "--force"]).code, Some(2), "there is nothing to force");
}

const FLAT: &str = "
host: 127.0.0.1
port: 0
transportMode: WS
senderThreads: 2
authMode: NONE
namespaces: {/feed: {authRequired: false}}
topicPolicies:
  - {namespace: /feed, topics: [prices, quotes], deliveryMode: BEST_EFFORT, overflowAction: DROP_OLDEST}
";

#[test]
fn a_file_of_the_ancestors_is_converted_and_what_is_lost_is_said() {
    let directory = Directory::new();
    let old = directory.write("old.yaml", FLAT);
    for (format, name) in [(&["--json"][..], "new.json"), (&[], "new.yaml")] {
        let Finished { code, stdout, stderr } = run(&[&["config", "convert", &old], format].concat());
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(&format!("note: {old}:5:16: senderThreads: ")), "{stderr}");
        let new = directory.write(name, &stdout);
        assert_eq!(data(&["check", "--strict", &new]), format!("{new}: ok: 1 servers, 1 namespaces, 2 topics\n"));
    }
    let new = directory.path("written.yaml");
    assert_eq!(run(&["config", "convert", &old, "-o", &new]).code, Some(0));
    assert_eq!(mode(&new), 0o600, "tokens may stand in it");
    data(&["check", &new]);

    let unknown = directory.write("unknown.yaml", &FLAT.replace("senderThreads", "senderTreads"));
    let Finished { code, stdout, stderr } = run(&["config", "convert", &unknown]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains("unknown.yaml:5:1: unknown key \"senderTreads\""), "{stderr}");

    // What comes out is shown even where it is no configuration yet.
    let wrong = directory.write("wrong.yaml", &FLAT.replace("BEST_EFFORT", "AT_LEAST_ONCE"));
    let Finished { code, stdout, stderr } = run(&["config", "convert", &wrong]);
    assert_eq!(code, Some(3));
    assert!(stdout.contains("deliveryMode: AT_LEAST_ONCE"), "{stdout}");
    assert!(stderr.contains("not valid yet") && stderr.contains("maxRetries is 0"), "{stderr}");
    assert_eq!(run(&["config", "convert", &directory.path("missing.yaml")]).code, Some(3));
}

const EXPLAINED: &str = "
servers:
  feed:
    port: 0
    maxConnections: 100
    memoryBudgetBytes: 1048576
    spillMaxBytes: 67108864
    namespaces:
      - {path: /feed, topics: [tick], maxQueuedMessagesPerClient: 10, maxQueuedBytesPerClient: 1000}
      - {path: /bulk, topics: [file], overflowAction: SPILL_TO_DISK, spill: {maxBytesPerClient: 4096}}
";

#[test]
fn what_a_file_may_take_is_explained() {
    let directory = Directory::new();
    let file = directory.write("f.yaml", EXPLAINED);
    let text = data(&["check", "--explain", &file]);
    for wanted in [
        "server feed: 100 clients at most",
        "  /feed: 1 lane and 3.9 KiB a client, 394.5 KiB for 100",
        "    tick: 10 messages and 3.9 KiB a lane, 394.5 KiB for 100",
        "on disk 4.0 KiB a client, what its directory takes in all",
        "the budget holds them to 1.0 MiB (memoryBudgetBytes)",
        "up to 1.2 MiB of connections that ended before they joined",
        "takes 64.0 MiB at most and leaves 512.0 MiB free, for feed",
        "ok: 1 servers, 2 namespaces, 2 topics",
    ] {
        assert!(text.contains(wanted), "{wanted}:\n{text}");
    }
    let said: Value = serde_json::from_str(&data(&["check", "--explain", "--json", &file])).expect("it is JSON");
    assert_eq!((&said["ok"], &said["topics"], &said["warnings"]), (&json!(true), &json!(2), &json!([])));
    let tick = &said["explain"]["servers"][0]["namespaces"][0]["topics"][0];
    assert_eq!((&tick["name"], &tick["laneBytes"], &tick["bytes"]), (&json!("tick"), &json!(4040), &json!(404_000)));
    assert_eq!(said["explain"]["memory"]["budgetBytes"], 1_048_576);
    assert_eq!(said["explain"]["memory"]["departedBytes"], 100 * 12 * 1024);
    assert_eq!(said["explain"]["disk"][0]["maxBytes"], 67_108_864);
}

#[test]
fn strict_takes_warnings_for_errors() {
    let directory = Directory::new();
    let file = directory.write("f.yaml", &EXPLAINED.replace("topics: [tick]", "topics: [tick], maxRetries: 7"));
    let Finished { code, stdout, stderr } = run(&["check", &file]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("warning: ") && stdout.contains("maxRetries has no effect"), "{stdout}");
    let Finished { code, stdout, stderr } = run(&["check", "--strict", &file]);
    assert_eq!(code, Some(3));
    assert!(stdout.contains("maxRetries has no effect") && !stdout.contains("ok:"), "{stdout}");
    assert!(stderr.contains("--strict"), "{stderr}");
    let Finished { code, stdout, .. } = run(&["check", "--strict", "--json", &file]);
    let said: Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!((code, &said["ok"], &said["warnings"][0]["line"]), (Some(3), &json!(false), &json!(9)));
}

#[test]
fn an_invalid_file_is_said_as_json_too() {
    let directory = Directory::new();
    let file = directory.write("f.yaml", "servers: 7");
    let Finished { code, stdout, stderr } = run(&["check", "--json", &file]);
    let said: Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!((code, &said["ok"]), (Some(3), &json!(false)));
    let error = &said["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&json!(1), &json!(10)));
    assert!(stderr.contains(error["message"].as_str().expect("a text")), "{stderr}");
    let tls = "transport: WSS, tls: {certChainPemPath: no.pem, privateKeyPemPath: no.pem}";
    let text = format!("servers: {{s: {{{tls}, namespaces: [{{path: /n, topics: [a]}}]}}}}");
    let Finished { code, stdout, .. } = run(&["check", "--json", &directory.write("tls.yaml", &text)]);
    let said: Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!((code, &said["ok"], &said["errors"][0]["part"]), (Some(4), &json!(false), &json!("servers.s.tls")));
}

/// A password that nobody else may read, in a file that everybody may.
#[test]
fn an_open_secret_is_warned_of_by_check_and_by_serve() {
    let directory = Directory::new();
    let tls =
        "transport: WSS\n    tls: {certChainPemPath: c.pem, privateKeyPemPath: k.pem, privateKeyPassword: Zg2b9x}";
    let file = directory.write("f.yaml", &EXPLAINED.replace("port: 0", &format!("port: 0\n    {tls}")));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let Finished { code, stdout, stderr } = run(&["check", &file]);
    assert_eq!(code, Some(4), "there are no certificates: {stderr}");
    let warning = "privateKeyPassword is a secret in this file, which everybody may read (mode 0644)";
    assert!(stdout.contains(warning), "{stdout}");
    let served = run(&["serve", "-c", &file]);
    assert!(served.stderr.contains(warning), "{}", served.stderr);
    assert!(!format!("{stdout}{stderr}{served:?}").contains("Zg2b9x"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    assert!(!run(&["check", &file]).stdout.contains("secret"));
}

/// What a file can do to whoever reads it: be huge, be deep, stand for more than it is, say a thing twice.
#[test]
fn files_that_explode_are_refused_at_once() {
    let directory = Directory::new();
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 'b'..='z' {
        let below = (level as u8 - 1) as char;
        bomb += &format!("{level}: &{level} [{}]\n", vec![format!("*{below}"); 9].join(", "));
    }
    let files = [
        ("bomb.yaml", bomb, "alias replay limit"),
        ("merge.yaml", format!("a: &a {{{}}}\nb: {{{}}}", "x: 1", "<<: *a, ".repeat(30_000)), ""),
        ("deep.yaml", "[".repeat(100_000), "recursion limit"),
        ("deeper.yaml", format!("{}{}", "[".repeat(17), "]".repeat(17)), "nests deeper than 16"),
        ("deep.json", format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)), "nests deeper than 16"),
        ("huge.yaml", "#".repeat(1024 * 1024 + 1), "larger than 1048576 bytes"),
        ("twice.yaml", "log: {level: warn}\nlog: {level: info}\n".to_owned(), "`log` is there twice"),
        ("wrong.yaml", (0..40_000).map(|key| format!("k{key}: 1\n")).collect(), "more"),
        ("endless.yaml", "x: \"".to_owned() + &"y".repeat(1_000_000), ""),
    ];
    for (name, text, wanted) in files {
        let file = directory.write(name, &text);
        for command in [&["check"][..], &["config", "convert"]] {
            let began = Instant::now();
            let Finished { code, stdout, stderr } = run(&[command, &[&file]].concat());
            assert_eq!((code, stdout.as_str()), (Some(3), ""), "{name}");
            assert!(stderr.contains(wanted), "{name}: {stderr}");
            assert!(stderr.len() < 128 * 1024, "{name}: {} bytes", stderr.len());
            // Less than 100 ms of a release; this one is not optimised and starts a process.
            assert!(began.elapsed() < Duration::from_secs(5), "{name}: {:?}", began.elapsed());
        }
    }
    // A file that never ends is read no further than a file may be long.
    assert_eq!(run(&["check", &link_to_zero(&directory)]).code, Some(3));
}

fn link_to_zero(directory: &Directory) -> String {
    let link = directory.path("zero.yaml");
    std::os::unix::fs::symlink("/dev/zero", &link).expect("a link can be made");
    link
}
