//! `disconnect`, `unsubscribe`, `log-level` and `drain`.

use serde_json::json;

use crate::process::{Poller, get};
use crate::scene::{Scene, config};

#[test]
fn a_client_is_disconnected_by_its_name_and_the_log_says_why() {
    let mut scene = Scene::new();
    let (mut client, id) = scene.join("/feed", "tick");
    let (mut other, _) = scene.join("/feed", "tick");
    let order = json!({ "client": id, "reason": "it floods the help desk" });
    let nobody = json!({ "principal": "nobody" });
    assert_eq!(scene.order("disconnect", &nobody), (200, json!({ "disconnected": 0 })));
    assert_eq!(scene.order("disconnect", &order), (200, json!({ "disconnected": 1 })));
    client.until("41/feed,");
    let (status, problem) = scene.order("disconnect", &order);
    assert_eq!((status, &problem["code"]), (404, &json!("UNKNOWN_CLIENT")));
    scene.publish("/feed", "tick", &json!("still here"));
    other.until("still here");
    scene.running.until("the log says why", |running| {
        let lines = running.lines();
        let mut lines = lines.iter().filter(|line| line["code"] == "disconnected_by_admin");
        lines.any(|line| line["reason"] == "it floods the help desk" && line["client"] == id.as_str())
    });
    let lines = scene.running.lines();
    let of_nobody = lines.iter().find(|line| line["principal"] == "nobody");
    assert_eq!(of_nobody, None, "what did not happen is not told");
}

#[test]
fn a_principal_is_disconnected_with_all_its_sessions() {
    let tokens = "    auth: TOKEN\n    staticTokens: {ann: ann-has-a-long-token, bob: bob-has-a-long-token}\n";
    let scene = Scene::of(&config(tokens));
    let join = |name: &str, namespace: &str, topic: &str| {
        let auth = format!(r#"{{"token":"{name}-has-a-long-token"}}"#);
        scene.subscribe(Poller::join_with(&scene.feed, namespace, &auth), namespace, topic)
    };
    let [(mut one, _), (mut two, _)] = [join("ann", "/feed", "tick"), join("ann", "/alerts", "alert")];
    let (_bob, bob) = join("bob", "/feed", "tick");
    assert_eq!(scene.order("disconnect", &json!({ "principal": "nobody" })), (200, json!({ "disconnected": 0 })));
    assert_eq!(scene.order("disconnect", &json!({ "principal": "ann" })), (200, json!({ "disconnected": 2 })));
    one.until("41/feed,");
    two.until("41/alerts,");
    let left = scene.see("clients");
    assert_eq!((&left["total"], &left["clients"][0]["id"]), (&json!(1), &json!(bob)));
}

#[test]
fn a_subscription_is_ended_and_the_client_is_told_who_did() {
    let scene = Scene::new();
    let (mut client, id) = scene.join("/feed", "tick");
    let order = json!({ "client": id, "topic": "tick" });
    assert_eq!(scene.order("unsubscribe", &order), (200, json!({ "unsubscribed": true })));
    client.until(r#"["unsubscribed",{"topic":"tick","reason":"admin"}]"#);
    assert_eq!(scene.order("unsubscribe", &order), (200, json!({ "unsubscribed": false })));
    assert_eq!(scene.client(&id)["lanes"], json!([]));
    // It may come back to it.
    let _again = scene.subscribe(client, "/feed", "tick");
    assert_eq!(scene.publish("/feed", "tick", &json!(1))["matched"], 1);
}

#[test]
fn another_log_level_holds_at_once_whoever_has_set_the_first() {
    let mut scene = Scene::new();
    assert_eq!(
        scene.order("log-level", &json!({ "level": "debug" })),
        (200, json!({ "level": "debug", "before": "info" }))
    );
    assert_eq!(scene.see("info")["logLevel"], "debug");
    scene.running.until("it is told", |running| running.lines().iter().any(|line| line["code"] == "log_level_changed"));
    assert_eq!(
        scene.order("log-level", &json!({ "level": "error" })),
        (200, json!({ "level": "error", "before": "debug" }))
    );
    let (_client, id) = scene.join("/feed", "tick");
    assert_eq!(scene.order("disconnect", &json!({ "client": id })).0, 200);
    let lines = scene.running.lines();
    assert!(lines.iter().all(|line| line["code"] != "disconnected_by_admin"), "that is no error");
    let (status, problem) = scene.order("log-level", &json!({ "level": "loud" }));
    assert_eq!((status, &problem["code"]), (400, &json!("BAD_REQUEST")));
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.contains("loud") && detail.contains("error, warn, info, debug, trace"), "{detail}");
}

#[test]
fn a_drain_takes_no_more_and_ends_the_process_well() {
    let mut scene = Scene::of(&config("").replace("ackTimeoutMs: 50", "ackTimeoutMs: 60000"));
    let (mut client, _) = scene.join("/alerts", "alert");
    scene.publish("/alerts", "alert", &json!("the last"));
    let last = client.until("the last");
    assert_eq!(scene.order("drain", &json!({})), (202, json!({ "state": "draining" })));
    scene.until("info", |info| info["state"] == "draining");
    assert_eq!(get(&scene.admin, "/readyz"), (503, "draining\n".to_owned()));
    let (status, problem) = scene.order("reload", &json!({}));
    assert_eq!((status, &problem["code"]), (503, &json!("SHUTTING_DOWN")));
    // A second wish changes nothing.
    assert_eq!(scene.order("drain", &json!({})).0, 202);
    // It waits for this, and for nothing else.
    let id = last.split(r#""messageId":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("it has an id");
    client.say(&format!(r#"42/alerts,["ack",{{"topic":"alert","messageId":"{id}"}}]"#));
    assert_eq!(scene.running.wait().code, Some(0));
}
