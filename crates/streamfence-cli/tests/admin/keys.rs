//! Who may ask, and who may give orders: what the document says of each route is so.

use serde_json::{Value, json};

use crate::events::Reader;
use crate::process::{ask, get};
use crate::scene::{Scene, config};

const KEYS: &str = "admin:
  keys:
    backend: {keys: [publish-publish-publish], scopes: [publish]}
    eyes: {keys: [read-read-read-read], scopes: [read]}
    ops: {keys: [admin-admin-admin-admin], scopes: [admin]}
";

/// What the routes of the document that begin so say to a key: the method, the path, the scope wanted and the code.
fn answers(scene: &Scene, key: &str) -> Vec<(String, String, String, String)> {
    let (status, document) = get(&scene.admin, "/openapi.json");
    assert_eq!(status, 200, "nobody is asked for a key");
    let document: Value = serde_json::from_str(&document).expect("it is JSON");
    let mut answers = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("a table") {
        if !path.starts_with("/admin/v1/") {
            continue;
        }
        for (method, operation) in methods.as_object().expect("a table") {
            let scope = operation["security"][0]["key"][0].as_str().expect("each needs a key").to_owned();
            let target = path.replace("{id}", "AAAAAAAAAAAAAAAA");
            let head = format!("{} {target}?limit=0&kind=none HTTP/1.1\r\n{key}", method.to_uppercase());
            // Nothing is let through that would be carried out.
            let (_, problem) = ask(&scene.admin, &head, "no order");
            let problem: Value = serde_json::from_str(&problem).unwrap_or_default();
            answers.push((method.clone(), path.clone(), scope, problem["code"].as_str().unwrap_or("none").to_owned()));
        }
    }
    assert!(answers.len() >= 15, "{answers:?}");
    answers
}

#[test]
fn each_route_asks_for_the_key_that_the_document_names() {
    let scene = Scene::of(&(config("") + KEYS));
    for (method, path, scope, _) in answers(&scene, "") {
        assert_eq!(scope, if method == "get" { "read" } else { "admin" }, "{path}");
    }
    let bearer = |key: &str| format!("authorization: Bearer {key}\r\n");
    for (key, may) in [
        (String::new(), &[][..]),
        (bearer("nobody-has-this"), &[]),
        (bearer("publish-publish-publish"), &[]),
        (bearer("read-read-read-read"), &["read"]),
        (bearer("admin-admin-admin-admin"), &["read", "admin"]),
    ] {
        for (method, path, scope, code) in answers(&scene, &key) {
            let is_let_in = !["UNAUTHORIZED", "FORBIDDEN"].contains(&code.as_str());
            assert_eq!(is_let_in, may.contains(&scope.as_str()), "{method} {path} with {key:?}: {code}");
        }
    }
}

#[test]
fn who_gave_an_order_is_in_the_log_and_whose_key_is_gone_reads_no_further() {
    let mut scene = Scene::of(&(config("") + KEYS));
    let ops = "authorization: Bearer admin-admin-admin-admin\r\ncontent-type: application/json\r\n";
    let order = |scene: &Scene, path: &str, body: &Value| {
        ask(&scene.admin, &format!("POST /admin/v1/{path} HTTP/1.1\r\n{ops}"), &body.to_string())
    };
    let (_client, id) = scene.join("/feed", "tick");
    assert_eq!(order(&scene, "disconnect", &json!({ "client": id })).0, 200);
    scene.running.until("it is said who did it", |running| {
        running.lines().iter().any(|line| line["code"] == "disconnected_by_admin" && line["by"] == "ops")
    });

    let mut eyes = Reader::with_key(&scene, "?kind=reloaded,connected", "read-read-read-read");
    let mut ours = Reader::with_key(&scene, "?kind=reloaded,connected", "admin-admin-admin-admin");
    assert_eq!(order(&scene, "reload", &json!({})).0, 200);
    assert_eq!((eyes.next().0, ours.next().0), ("reloaded".to_owned(), "reloaded".to_owned()));
    let text = config("") + &KEYS.replace("read-read-read-read", "another-key-to-read");
    std::fs::write(&scene.file, text).expect("the file is ours");
    let (status, done) = order(&scene, "reload", &json!({}));
    assert_eq!(status, 200);
    assert!(done.contains(r#""key":"admin.keys""#) && !done.contains("another-key"), "{done}");
    // Nothing needs to happen for that.
    eyes.ends();
    let (_client, _) = scene.join("/feed", "tick");
    assert_eq!((ours.next().0, ours.next().0), ("reloaded".to_owned(), "connected".to_owned()));
    // And who may read on reads to the end.
    scene.running.signal("TERM");
    ours.ends();
    assert_eq!(scene.running.wait().code, Some(0));
}

#[test]
fn keys_that_nobody_has_are_in_the_log_and_do_not_fill_it() {
    let mut scene = Scene::of(&(config("") + KEYS));
    for _ in 0..50 {
        let head = "GET /admin/v1/info HTTP/1.1\r\nauthorization: Bearer a-guess\r\n";
        assert_eq!(ask(&scene.admin, head, "").0, 401);
    }
    // One that shows none guesses nothing.
    assert_eq!(ask(&scene.admin, "GET /admin/v1/info HTTP/1.1\r\n", "").0, 401);
    let told = |lines: Vec<Value>| -> Vec<Value> {
        lines.into_iter().filter(|line| line["code"] == "admin_key_rejected").collect()
    };
    let all = |lines: &[Value]| lines.iter().filter_map(|line| line["count"].as_u64()).sum::<u64>();
    scene.running.until("all are told", |running| all(&told(running.lines())) == 50);
    let told = told(scene.running.lines());
    assert_eq!((&told[0]["peer"], &told[0]["count"]), (&json!("127.0.0.1"), &json!(1)));
    assert!(told.len() < 25, "{told:?}");
    assert!(!scene.running.said().contains("a-guess"));
}

#[test]
fn keys_that_nobody_has_are_all_in_the_log_of_a_server_that_stops() {
    let mut scene = Scene::of(&(config("") + KEYS));
    for _ in 0..20 {
        let head = "GET /admin/v1/info HTTP/1.1\r\nauthorization: Bearer a-guess\r\n";
        assert_eq!(ask(&scene.admin, head, "").0, 401);
    }
    scene.running.signal("TERM");
    assert_eq!(scene.running.wait().code, Some(0));
    let lines = scene.running.lines();
    let told = lines.iter().filter(|line| line["code"] == "admin_key_rejected");
    assert_eq!(told.filter_map(|line| line["count"].as_u64()).sum::<u64>(), 20);
}
