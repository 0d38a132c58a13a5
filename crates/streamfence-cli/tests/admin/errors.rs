//! What is asked wrongly is answered with a problem that says what was wanted.

use serde_json::{Value, json};

use crate::process::{ask, get, post};
use crate::scene::Scene;

const NOBODY: &str = "AAAAAAAAAAAAAAAA";

#[test]
fn every_question_that_cannot_be_answered_says_why() {
    let scene = Scene::new();
    for (path, status, code, wanted) in [
        ("clients?sort=size", 400, "BAD_REQUEST", "depth, bytes, age, drops, rate, connected"),
        ("clients?limit=0", 400, "BAD_REQUEST", "wanted 1 to 1000"),
        ("clients?limit=1001", 400, "BAD_REQUEST", "wanted 1 to 1000"),
        ("clients?limit=many", 400, "BAD_REQUEST", "limit"),
        ("clients?color=red", 400, "BAD_REQUEST", "color"),
        ("clients?namespace=/none", 404, "UNKNOWN_TOPIC", "/none"),
        ("clients?topic=tik", 404, "UNKNOWN_TOPIC", "unknown topic `tik`; there is `tick`, `tock`, `alert`"),
        ("clients?namespace=/feed&topic=alert", 404, "UNKNOWN_TOPIC", "in namespace `/feed`; there is `tick`, `tock`"),
        ("slow?topic=none", 404, "UNKNOWN_TOPIC", "`none`"),
        ("slow?sort=size", 400, "BAD_REQUEST", "size"),
        ("clients/me", 400, "BAD_REQUEST", "16 characters"),
        (&format!("clients/{NOBODY}"), 404, "UNKNOWN_CLIENT", NOBODY),
        ("dead-letters?namespace=/none", 404, "UNKNOWN_TOPIC", "/none"),
        ("dead-letters?namespace=/feed&topic=none", 404, "UNKNOWN_TOPIC", "none"),
        ("dead-letters?topic=none", 404, "UNKNOWN_TOPIC", "none"),
        ("dead-letters?client=me", 400, "BAD_REQUEST", "16 characters"),
        ("dead-letters?limit=0", 400, "BAD_REQUEST", "wanted 1 to 1000"),
        ("events?kind=connected,nothing", 400, "BAD_REQUEST", "nothing"),
        ("events?namespace=/fed", 404, "UNKNOWN_TOPIC", "unknown namespace `/fed`; there is `/feed`, `/alerts`"),
        ("events?topic=none", 404, "UNKNOWN_TOPIC", "none"),
        ("events?client=me", 400, "BAD_REQUEST", "16 characters"),
        ("disconnect", 405, "METHOD_NOT_ALLOWED", "method"),
        ("nothing", 404, "NOT_FOUND", "no such resource"),
    ] {
        let (found, problem) = get(&scene.admin, &format!("/admin/v1/{path}"));
        let problem: Value = serde_json::from_str(&problem).unwrap_or_else(|why| panic!("{path}: {why}: {problem}"));
        assert_eq!((found, &problem["code"], &problem["status"]), (status, &json!(code), &json!(status)), "{path}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(wanted)), "{path}: {problem}");
    }
}

#[test]
fn every_order_that_cannot_be_carried_out_says_why() {
    let scene = Scene::new();
    for (path, body, status, code, wanted) in [
        ("disconnect", json!({}), 400, "BAD_REQUEST", "client or principal"),
        ("disconnect", json!({ "client": NOBODY, "principal": "ann" }), 400, "BAD_REQUEST", "one of the two"),
        ("disconnect", json!({ "client": "me" }), 400, "BAD_REQUEST", "16 characters"),
        ("disconnect", json!({ "client": NOBODY }), 404, "UNKNOWN_CLIENT", NOBODY),
        ("disconnect", json!({ "who": "me" }), 400, "BAD_REQUEST", "who"),
        ("unsubscribe", json!({ "client": NOBODY }), 400, "BAD_REQUEST", "topic"),
        ("unsubscribe", json!({ "client": NOBODY, "topic": "tick" }), 404, "UNKNOWN_CLIENT", NOBODY),
        ("reload", json!({ "dryRun": "yes" }), 400, "BAD_REQUEST", "boolean"),
        ("drain", json!({ "slowly": true }), 400, "BAD_REQUEST", "slowly"),
        ("log-level", json!({}), 400, "BAD_REQUEST", "level"),
        (
            "dead-letters/replay",
            json!({ "namespace": "/none", "topic": "x" }),
            404,
            "UNKNOWN_TOPIC",
            "there is `/feed`, `/alerts`",
        ),
        (
            "dead-letters/purge",
            json!({ "namespace": "/feed", "topic": "x" }),
            404,
            "UNKNOWN_TOPIC",
            "`x` in namespace `/feed`; there is `tick`",
        ),
        (
            "dead-letters/purge",
            json!({ "namespace": "/alerts", "topic": "alert", "ids": ["seven"] }),
            400,
            "BAD_REQUEST",
            "seven",
        ),
        (
            "dead-letters/replay",
            json!({ "namespace": "/alerts", "topic": "alert", "ids": vec!["x"; 1_001] }),
            400,
            "BAD_REQUEST",
            "at most 1000",
        ),
    ] {
        let (found, problem) = scene.order(path, &body);
        assert_eq!(
            (found, &problem["code"], &problem["status"]),
            (status, &json!(code), &json!(status)),
            "{path} {body}"
        );
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(wanted)), "{path} {body}: {problem}");
    }
    assert_eq!(get(&scene.admin, "/readyz").0, 200, "it does not drain");
}

#[test]
fn orders_are_json_so_that_no_foreign_page_gives_any() {
    let scene = Scene::new();
    for path in
        ["disconnect", "unsubscribe", "reload", "drain", "log-level", "dead-letters/replay", "dead-letters/purge"]
    {
        for kind in ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"] {
            let (status, answer) = ask(&scene.admin, &format!("POST /admin/v1/{path} HTTP/1.1\r\n{kind}"), "{}");
            assert_eq!(status, 415, "{path} {kind}: {answer}");
            assert!(answer.contains("UNSUPPORTED_MEDIA_TYPE"), "{path} {kind}: {answer}");
        }
        let (status, _) =
            post(&scene.admin, &format!("/admin/v1/{path}"), &json!({ "padding": "x".repeat(2_000_000) }));
        // The server may close before it has heard all of it.
        assert!(matches!(status, 413 | 0), "{path}: {status}");
    }
    assert_eq!(get(&scene.admin, "/readyz").0, 200, "it does not drain");
}
