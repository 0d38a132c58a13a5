//! The demo that runs without a configuration: what it prints, and the clients that one can start in it.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use serde_json::{Value, json};

use process::{Directory, Running, get, post};

fn demo() -> Running {
    let mut demo = serve(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    demo.address("demo");
    demo
}

fn serve(more: &[&str]) -> Running {
    Running::start(&[&["serve", "--log-format", "json"], more].concat())
}

fn clients(text: &str) -> Vec<Value> {
    let answer: Value = serde_json::from_str(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    answer["clients"].as_array().unwrap_or_else(|| panic!("{text} has no clients")).clone()
}

#[test]
fn it_prints_first_where_the_dashboard_is_and_serves_it_there() {
    let mut demo = demo();
    let admin = demo.address("admin");
    let (status, page) = get(&admin, "/");
    assert_eq!(status, 200);
    assert!(page.contains("<title>StreamFence</title>"), "{page}");
    let stdout = demo.interrupt("INT").stdout;
    let first = stdout.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    assert_eq!(first.trim(), format!("Open      http://{admin}/"), "{stdout}");
}

#[test]
fn clients_are_started_watched_and_stopped() {
    let mut demo = demo();
    let admin = demo.address("admin");
    demo.until("those that keep up are there", |_| {
        let (_, info) = get(&admin, "/admin/v1/info");
        serde_json::from_str::<Value>(&info).is_ok_and(|info| info["sessions"] == 5)
    });
    let (status, started) = post(&admin, "/demo/v1/clients/start", &json!({"kind": "slow"}));
    assert_eq!((status, clients(&started).len()), (200, 1), "{started}");
    // By its name it is found among the clients of the server, and after a while among the slow ones.
    let mut name = String::new();
    demo.until("its name is known", |_| {
        let there = clients(&get(&admin, "/demo/v1/clients").1);
        name = there[0]["clientId"].as_str().unwrap_or_default().to_owned();
        !name.is_empty()
    });
    assert_eq!(get(&admin, &format!("/admin/v1/clients/{name}")).0, 200);
    demo.until("it is slow, and nobody else is", |_| {
        let slow = clients(&get(&admin, "/admin/v1/slow").1);
        slow.len() == 1 && slow[0]["id"] == name.as_str()
    });
    let told = |demo: &Running, code: &str| {
        demo.lines().iter().any(|line| line["code"] == code && line["client"] == name.as_str())
    };
    demo.until("it is told of as slow", |demo| told(demo, "slow_client_began"));
    let id = clients(&get(&admin, "/demo/v1/clients").1)[0]["id"].clone();
    let (status, left) = post(&admin, "/demo/v1/clients/stop", &json!({ "id": id }));
    assert_eq!((status, clients(&left).len()), (200, 0), "{left}");
    demo.until("the server has seen it go", |_| get(&admin, &format!("/admin/v1/clients/{name}")).0 == 404);
}

#[test]
fn there_are_not_more_than_six_and_only_of_two_kinds() {
    let mut demo = demo();
    let admin = demo.address("admin");
    // The admin address listens before the demo's server does.
    let start = |kind: &str| post(&admin, "/demo/v1/clients/start", &json!({ "kind": kind }));
    demo.until("the first is let in", |_| start("silent").0 == 200);
    for _ in 1..6 {
        assert_eq!(start("silent").0, 200);
    }
    let (status, problem) = start("slow");
    assert_eq!(status, 429, "{problem}");
    assert!(problem.contains("LIMIT_EXCEEDED") && problem.contains("6 such clients are the most"), "{problem}");
    assert_eq!(start("fast").0, 422);
    assert_eq!(post(&admin, "/demo/v1/clients/stop", &json!({"id": 77, "all": true})).0, 422);
}

#[test]
fn whoever_brings_a_configuration_has_none_of_it() {
    let directory = Directory::new();
    let file = directory.write(
        "streamfence.yaml",
        "servers: {feed: {host: 127.0.0.1, port: 0, namespaces: [{path: /feed, topics: [tick]}]}}",
    );
    let mut running = serve(&["-c", &file, "--admin-listen", "127.0.0.1:0"]);
    running.address("feed");
    let admin = running.address("admin");
    assert_eq!(get(&admin, "/demo/v1/clients").0, 404);
    assert_eq!(post(&admin, "/demo/v1/clients/start", &json!({"kind": "slow"})).0, 404);
    assert_eq!(get(&admin, "/").0, 200, "the dashboard is there all the same");
}
