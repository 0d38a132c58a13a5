//! `dead-letters`, `dead-letters/replay` and `dead-letters/purge`.

use serde_json::{Value, json};

use crate::process::post;
use crate::scene::Scene;

fn letters(seen: &Value) -> &[Value] {
    seen["deadLetters"].as_array().expect("a list")
}

#[test]
fn what_was_given_up_is_listed_tried_again_and_thrown_away() {
    let scene = Scene::new();
    let (mut client, id) = scene.join("/alerts", "alert");
    for n in 1..=3 {
        scene.publish("/alerts", "alert", &json!({ "n": n }));
    }
    let binary = json!({ "namespace": "/alerts", "topic": "alert", "payloadBase64": "AAEC" });
    assert_eq!(post(&scene.admin, "/v1/publish", &binary).0, 202);
    client.until(r#"{"n":3}"#);
    let seen = scene.until("dead-letters", |seen| seen["total"] == 4);
    let [newest, .., oldest] = letters(&seen) else { panic!("{seen}") };
    assert_eq!((&newest["payloadBase64"], newest.get("payload")), (&json!("AAEC"), None));
    assert_eq!((&oldest["payload"], oldest.get("payloadBase64")), (&json!({ "n": 1 }), None));
    assert_eq!(
        (&oldest["namespace"], &oldest["topic"], &oldest["client"]),
        (&json!("/alerts"), &json!("alert"), &json!(id))
    );
    assert_eq!((&oldest["reason"], &oldest["attempts"]), (&json!("exhausted"), &json!(2)));
    assert!(oldest["at"].as_u64() > Some(1_600_000_000_000), "milliseconds since 1970: {oldest}");

    let one = scene.see("dead-letters?namespace=/alerts&topic=alert&limit=1");
    assert_eq!((letters(&one).len(), &one["total"]), (1, &json!(4)));
    assert_eq!(scene.see(&format!("dead-letters?client={id}"))["total"], 4);
    assert_eq!(scene.see("dead-letters?client=AAAAAAAAAAAAAAAA")["total"], 0);
    assert_eq!(scene.see("dead-letters?namespace=/feed")["total"], 0);
    assert_eq!(scene.see("topics")["topics"][2]["deadLetters"], 4);

    // One of them; it comes as a message of its own, and this time it is acked.
    let chosen = json!({ "namespace": "/alerts", "topic": "alert", "client": id, "ids": [oldest["id"]] });
    assert_eq!(scene.order("dead-letters/replay", &chosen), (200, json!({ "count": 1, "tried": 1 })));
    let mut again = client.until(r#"{"n":1}"#);
    while again.contains(oldest["id"].as_str().expect("text")) {
        again = client.until(r#"{"n":1}"#);
    }
    let new = again.split(r#""messageId":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("it has an id");
    client.say(&format!(r#"42/alerts,["ack",{{"topic":"alert","messageId":"{new}"}}]"#));
    assert_eq!(scene.order("dead-letters/replay", &chosen), (200, json!({ "count": 0, "tried": 0 })));

    let other = json!({ "namespace": "/alerts", "topic": "alert", "client": "AAAAAAAAAAAAAAAA" });
    assert_eq!(scene.order("dead-letters/purge", &other), (200, json!({ "count": 0 })));
    let chosen = json!({ "namespace": "/alerts", "topic": "alert", "ids": [newest["id"]] });
    assert_eq!(scene.order("dead-letters/purge", &chosen), (200, json!({ "count": 1 })));
    let left = scene.see("dead-letters");
    assert!(letters(&left).iter().all(|letter| letter["id"] != newest["id"]));
    let all = json!({ "namespace": "/alerts", "topic": "alert" });
    assert_eq!(scene.order("dead-letters/purge", &all).1["count"], left["total"]);
    assert_eq!(scene.see("dead-letters"), json!({ "deadLetters": [], "total": 0 }));
}

#[test]
fn what_its_client_is_not_there_for_stays_a_dead_letter() {
    let scene = Scene::new();
    let (mut client, id) = scene.join("/alerts", "alert");
    scene.publish("/alerts", "alert", &json!("fire"));
    client.until("fire");
    scene.until("dead-letters", |seen| seen["total"] == 1);
    assert_eq!(scene.order("disconnect", &json!({ "client": id })).0, 200);
    let all = json!({ "namespace": "/alerts", "topic": "alert" });
    assert_eq!(scene.order("dead-letters/replay", &all), (200, json!({ "count": 0, "tried": 1 })));
    assert_eq!(scene.see("dead-letters")["total"], 1);
}
