//! `reload`: a look at what it would change, the change, and why there is none.

use serde_json::{Value, json};

use crate::process::{Running, post};
use crate::scene::{Scene, config};

fn change(seen: &Value, key: &str) -> Value {
    let changes = seen["changes"].as_array().expect("a list");
    let found = changes.iter().find(|change| change["key"].as_str().is_some_and(|found| found.ends_with(key)));
    found.unwrap_or_else(|| panic!("{key}: {seen}")).clone()
}

#[test]
fn a_look_says_what_a_reload_then_does() {
    let scene = Scene::new();
    let (status, seen) = scene.order("reload", &json!({ "dryRun": true }));
    assert_eq!((status, seen), (200, json!({ "applied": false, "generation": 1, "changes": [], "needsRestart": [] })));
    let text = config("    stallTimeoutMs: 9000\n");
    let text = text.replace("maxQueuedMessagesPerClient: 4", "maxQueuedMessagesPerClient: 5");
    let text = text.replace("pingIntervalMs: 60000", "pingIntervalMs: 50000");
    std::fs::write(&scene.file, text).expect("the file is ours");

    let (status, seen) = scene.order("reload", &json!({ "dryRun": true }));
    assert_eq!((status, &seen["applied"], &seen["generation"]), (200, &json!(false), &json!(1)));
    let limit = change(&seen, "maxQueuedMessagesPerClient");
    assert_eq!((&limit["from"], &limit["to"], &limit["effect"]), (&json!("4"), &json!("5"), &json!("live")));
    assert_eq!(change(&seen, "stallTimeoutMs")["effect"], "new connections");
    assert_eq!(change(&seen, "pingIntervalMs")["effect"], "needs restart");
    let (_client, id) = scene.join("/feed", "tick");
    assert_eq!(scene.client(&id)["lanes"][0]["limits"]["messages"], 4, "nothing has changed");

    let (status, done) = scene.order("reload", &json!({}));
    assert_eq!((status, &done["applied"], &done["generation"]), (200, &json!(true), &json!(2)));
    assert_eq!((&done["changes"], &done["needsRestart"]), (&seen["changes"], &seen["needsRestart"]));
    let [key] = &done["needsRestart"].as_array().expect("a list")[..] else { panic!("one key waits: {done}") };
    assert!(key.as_str().is_some_and(|key| key.ends_with(".pingIntervalMs")), "{done}");
    assert_eq!(scene.client(&id)["lanes"][0]["limits"]["messages"], 5);
    assert_eq!(scene.see("info")["generation"], 2);
    let (_, seen) = scene.order("reload", &json!({ "dryRun": true }));
    let left: Vec<_> = seen["changes"].as_array().expect("a list").iter().map(|change| &change["effect"]).collect();
    assert_eq!(left, ["needs restart"], "that is said until it is restarted");
}

#[test]
fn a_memory_budget_holds_at_once() {
    let scene = Scene::of(&config("    memoryBudgetBytes: 9000000\n"));
    let budget = || scene.see("info")["memory"]["budgetBytes"].clone();
    assert_eq!(budget(), 9_000_000);
    std::fs::write(&scene.file, config("    memoryBudgetBytes: 2000000\n")).expect("the file is ours");
    let (_, done) = scene.order("reload", &json!({}));
    let change = change(&done, "memoryBudgetBytes");
    assert_eq!(
        (&change["from"], &change["to"], &change["effect"]),
        (&json!("9000000"), &json!("2000000"), &json!("live"))
    );
    assert_eq!((done["needsRestart"].clone(), budget()), (json!([]), json!(2_000_000)));
    // Without one it is what the machine has.
    std::fs::write(&scene.file, config("")).expect("the file is ours");
    assert_eq!(scene.order("reload", &json!({})).0, 200);
    assert_ne!(budget(), 2_000_000);
    assert_eq!(scene.order("reload", &json!({})).1["changes"], json!([]), "it was taken up");
}

#[test]
fn a_pipe_in_place_of_the_file_holds_nobody_up() {
    let mut scene = Scene::new();
    std::fs::remove_file(&scene.file).expect("it is ours");
    assert!(std::process::Command::new("mkfifo").arg(&scene.file).status().expect("it runs").success());
    for dry_run in [true, false] {
        let (status, problem) = scene.order("reload", &json!({ "dryRun": dry_run }));
        assert_eq!((status, &problem["code"]), (422, &json!("CONFIG_INVALID")));
        assert!(problem["errors"][0].as_str().is_some_and(|why| why.contains("no regular file")), "{problem}");
    }
    assert_eq!(scene.running.interrupt("TERM").code, Some(0));
}

#[test]
fn the_level_somebody_asked_for_outlives_a_reload_that_names_no_other() {
    let scene = Scene::new();
    assert_eq!(scene.order("log-level", &json!({ "level": "error" })).0, 200);
    std::fs::write(&scene.file, config("    stallTimeoutMs: 9000\n")).expect("the file is ours");
    assert_eq!(scene.order("reload", &json!({})).0, 200);
    assert_eq!(scene.see("info")["logLevel"], "error");
    std::fs::write(&scene.file, config("") + "log: {level: warn}\n").expect("the file is ours");
    assert_eq!(scene.order("reload", &json!({})).0, 200);
    assert_eq!(scene.see("info")["logLevel"], "warn");
}

#[test]
fn a_file_that_is_not_valid_changes_nothing_and_every_mistake_is_told() {
    let scene = Scene::new();
    let text = config("    unheardOf: 1\n").replace("DROP_OLDEST", "DROP_ALL");
    std::fs::write(&scene.file, text).expect("the file is ours");
    for dry_run in [true, false] {
        let (status, problem) = scene.order("reload", &json!({ "dryRun": dry_run }));
        assert_eq!((status, &problem["code"], &problem["status"]), (422, &json!("CONFIG_INVALID"), &json!(422)));
        let errors: Vec<_> = problem["errors"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(errors.len(), 2, "{problem}");
        for wanted in ["unheardOf", "DROP_ALL"] {
            assert!(errors.iter().any(|error| error.contains(wanted)), "{wanted}: {problem}");
        }
        assert!(errors.iter().all(|error| error.contains("streamfence.yaml:")), "each has its place: {problem}");
    }
    assert_eq!(scene.see("info")["generation"], 1);
}

#[test]
fn without_a_file_there_is_nothing_to_read_again() {
    let mut running =
        Running::start(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
    let admin = running.address("admin");
    let (status, problem) = post(&admin, "/admin/v1/reload", &json!({}));
    assert_eq!(status, 501);
    assert!(problem.contains("NOT_AVAILABLE") && problem.contains("no configuration file"), "{problem}");
}
