//! `info`, `servers` and `topics`.

use serde_json::json;

use crate::process::{Running, get};
use crate::scene::Scene;

#[test]
fn the_process_its_servers_and_its_topics_are_told_in_numbers() {
    let scene = Scene::new();
    let (mut client, _) = scene.join("/feed", "tick");
    for n in 1..=2 {
        scene.publish("/feed", "tick", &json!(n));
    }
    client.until(r#"["tick",2]"#);

    let info = scene.see("info");
    assert_eq!(info["state"], "running");
    assert_eq!(info["generation"], 1);
    assert_eq!(info["configFile"], scene.file.as_str());
    assert_eq!(info["logLevel"], "info");
    assert_eq!((&info["connections"], &info["sessions"], &info["lanes"]), (&json!(1), &json!(1), &json!(1)));
    assert!(info["uptimeMs"].as_u64().is_some() && info["shards"].as_u64().is_some_and(|shards| shards > 0));
    assert!(info["memory"]["budgetBytes"].as_u64().is_some_and(|bytes| bytes > 0), "{info}");
    let totals = &info["totals"];
    assert_eq!((&totals["published"], &totals["delivered"], &totals["displaced"]), (&json!(2), &json!(2), &json!(0)));
    assert!(totals["bytesOut"].as_u64().is_some_and(|bytes| bytes > 0), "{info}");

    let servers = scene.see("servers");
    let wanted = json!([{
        "name": "feed", "address": scene.feed, "transport": "WS", "path": "/socket.io", "connections": 1,
    }]);
    assert_eq!(servers["servers"], wanted);

    let topics = scene.see("topics");
    let found: Vec<_> = topics["topics"].as_array().expect("a list").iter().map(|topic| &topic["topic"]).collect();
    assert_eq!(found, ["tick", "tock", "alert"]);
    let [tick, _, alert] = &topics["topics"].as_array().expect("a list")[..] else { panic!("{topics}") };
    assert_eq!((&tick["delivery"], &tick["overflow"]), (&json!("BEST_EFFORT"), &json!("DROP_OLDEST")));
    assert_eq!((&alert["delivery"], &alert["overflow"]), (&json!("AT_LEAST_ONCE"), &json!("REJECT_NEW")));
    assert_eq!((&tick["subscribers"], &tick["queued"]), (&json!(1), &json!(0)));
    assert_eq!((&tick["totals"]["published"], &tick["totals"]["offered"]), (&json!(2), &json!(2)));
}

#[test]
fn the_demo_is_told_too_and_has_no_file() {
    let mut running =
        Running::start(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
    let admin = running.address("admin");
    running.address("demo");
    let (status, info) = get(&admin, "/admin/v1/info");
    assert_eq!(status, 200);
    let info: serde_json::Value = serde_json::from_str(&info).expect("it is JSON");
    assert_eq!((info.get("configFile"), &info["state"]), (None, &json!("running")));
}
