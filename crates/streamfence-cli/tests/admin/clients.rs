//! `clients`, `clients/{id}` and `slow`.

use serde_json::{Value, json};

use crate::process::Poller;
use crate::scene::{Scene, config};

fn ids(seen: &Value) -> Vec<&str> {
    seen["clients"].as_array().expect("a list").iter().map(|client| client["id"].as_str().expect("text")).collect()
}

#[test]
fn the_slowest_client_is_found_and_it_is_seen_why_it_is_slow_and_what_was_dropped_for_it() {
    let scene = Scene::of(&config("    windowFrames: 2\n"));
    // It polls no more from here on.
    let (_stuck, stuck) = scene.join("/feed", "tick");
    let (mut reader, well) = scene.join("/feed", "tick");
    let (_other, other) = scene.join("/feed", "tock");
    let big = "x".repeat(1_000);
    for n in 1..=20 {
        scene.publish("/feed", "tick", &json!([n, big]));
        reader.until(&format!(r#"["tick",[{n},"#));
    }
    let deepest = scene.see("clients?sort=depth&limit=1");
    assert_eq!((ids(&deepest), &deepest["total"]), (vec![stuck.as_str()], &json!(3)));
    for sort in ["bytes", "age", "drops"] {
        assert_eq!(ids(&scene.see(&format!("clients?sort={sort}")))[0], stuck, "{sort}");
    }
    assert_eq!(ids(&scene.see("clients?sort=connected"))[2], other);
    let ticks = scene.see("clients?namespace=/feed&topic=tick");
    assert_eq!(ticks["total"], 2);
    assert!(ids(&ticks).contains(&well.as_str()) && !ids(&ticks).contains(&other.as_str()));
    assert_eq!(scene.see("clients?namespace=/alerts")["total"], 0);
    scene.until("clients?sort=rate", |seen| seen["clients"][0]["deliveredPerSecond"].as_u64() >= Some(1));

    let slow = scene.see("slow");
    assert_eq!(ids(&slow), [stuck.as_str()]);
    // It has lost messages at once, and takes nothing for more than a second soon.
    let slow = scene.until("slow", |seen| seen["clients"][0]["reason"] == "blocked");
    let seen = &slow["clients"][0];
    assert_eq!(seen["slow"], true);
    assert!(seen["sinceMs"].as_u64().is_some());

    let client = scene.client(&stuck);
    assert_eq!(
        (&client["namespace"], &client["transport"], &client["tier"]),
        (&json!("/feed"), &json!("polling"), &json!("emit"))
    );
    assert_eq!((&client["address"], client.get("principal")), (&json!("127.0.0.1"), None));
    let [lane] = &client["lanes"].as_array().expect("a list")[..] else { panic!("{client}") };
    assert_eq!(
        (&lane["topic"], &lane["overflow"], &lane["limits"]["messages"]),
        (&json!("tick"), &json!("DROP_OLDEST"), &json!(4))
    );
    assert_eq!((&lane["depth"], &client["depth"]), (&json!(4), &json!(4)));
    let (delivered, displaced) = (&lane["delivered"], &lane["dropped"]["displaced"]);
    assert_eq!(delivered.as_u64().zip(displaced.as_u64()).map(|(one, other)| one + other + 4), Some(20), "{client}");
    assert_eq!(client["dropped"], *displaced);
    assert_eq!(client["room"]["frames"], 0);
    assert!(client["blockedMs"].as_u64().is_some() && lane["oldestMs"].as_u64().is_some(), "{client}");

    let reader = scene.client(&well);
    assert_eq!((&reader["slow"], &reader["delivered"], &reader["dropped"]), (&json!(false), &json!(20), &json!(0)));
}

#[test]
fn a_client_that_waits_for_acks_shows_its_window_and_a_principal_its_name() {
    let scene = Scene::of(&config("    auth: TOKEN\n    staticTokens: {ann: ann-has-a-long-token}\n"));
    let client = Poller::join_with(&scene.feed, "/alerts", r#"{"token":"ann-has-a-long-token"}"#);
    let (mut client, id) = scene.subscribe(client, "/alerts", "alert");
    scene.publish("/alerts", "alert", &json!("fire"));
    client.until("fire");
    let seen = scene.client(&id);
    assert_eq!(seen["principal"], "ann");
    let lane = &seen["lanes"][0];
    assert_eq!((&lane["delivery"], &lane["window"]), (&json!("AT_LEAST_ONCE"), &json!(8)));
    // It is never acked, so it is sent again, and given up.
    let seen = scene.until(&format!("clients/{id}"), |seen| seen["lanes"][0]["dropped"]["exhausted"] == 1);
    assert_eq!(
        (&seen["lanes"][0]["retries"], &seen["inFlight"], &seen["delivered"]),
        (&json!(1), &json!(0), &json!(0))
    );
}
