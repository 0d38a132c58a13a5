//! Sessions of somebody else: whose id has leaked, or whose secret.

use serde_json::json;

use crate::packets::session;
use crate::process::post;
use crate::scene::Scene;
use crate::socket::{POLLING, Socket, WEBSOCKET, request};

const TOKENS: &str = "auth: TOKEN
    staticTokens: {ann: token-of-ann, bob: token-of-bob}
    tokenQuery: true";

fn get(address: &str, sid: &str, headers: &str) -> (u16, String) {
    let head = format!("GET {POLLING}&sid={sid} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
    request(address, &head, b"")
}

fn say(address: &str, sid: &str, headers: &str, packets: &str) -> u16 {
    let length = packets.len();
    let head = format!(
        "POST {POLLING}&sid={sid} HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    request(address, &head, packets.as_bytes()).0
}

/// What an upgrade is answered that is not to be accepted.
fn upgrade(address: &str, sid: &str, headers: &str) -> u16 {
    let head = format!(
        "GET {WEBSOCKET}&sid={sid} HTTP/1.1\r\nhost: t\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    request(address, &head, b"").0
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// Opens a session that polls with these headers, joins with this, and subscribes.
fn member(address: &str, headers: &str, auth: &str) -> String {
    let head = format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
    let (status, open) = request(address, &head, b"");
    assert_eq!(status, 200, "{open}");
    let sid = open.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a session").to_owned();
    assert_eq!(say(address, &sid, headers, &format!("40/feed,{auth}")), 200);
    hears(address, &sid, headers, "40/feed,");
    assert_eq!(say(address, &sid, headers, r#"42/feed,["subscribe",{"topic":"tick"}]"#), 200);
    hears(address, &sid, headers, "subscribed");
    sid
}

fn hears(address: &str, sid: &str, headers: &str, wanted: &str) {
    for _ in 0..10 {
        let (status, heard) = get(address, sid, headers);

        assert_eq!(status, 200, "{heard}");
        if heard.contains(wanted) {
            return;
        }
        if heard.ends_with('2') {
            assert_eq!(say(address, sid, headers, "3"), 200);
        }
    }
    panic!("not heard: {wanted}");
}

/// However a session was opened, a token of somebody else's opens nothing of it; and its owner notices nothing.
#[test]
fn a_session_is_not_taken_over_by_whoever_shows_a_token_of_their_own() {
    let mut scene = Scene::start_with_server_and(TOKENS, &["--log-level", "trace"]);
    let (ann, address) = (bearer("token-of-ann"), scene.address.clone());
    let by_head = member(&address, &ann, "");
    let by_connect = member(&address, "", r#"{"token":"token-of-ann"}"#);
    let mut refused = 0;
    for sid in [&by_head, &by_connect] {
        for theirs in ["token-of-bob", "nobodys"].map(bearer) {
            assert_eq!(get(&address, sid, &theirs).0, 403, "{theirs}");
            assert_eq!(say(&address, sid, &theirs, "41/feed,"), 403, "{theirs}");
            assert_eq!(upgrade(&address, sid, &theirs), 403, "{theirs}");
            refused += 3;
        }
        let in_query = format!("{sid}&token=token-of-bob");
        assert_eq!(get(&address, &in_query, "").0, 403);
        refused += 1;
    }
    // Before it has joined anything it is of whoever shows the token that it was opened with.
    let head = format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{ann}\r\n");
    let (_, open) = request(&address, &head, b"");
    let early = open.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a session");
    assert_eq!(say(&address, early, &bearer("token-of-bob"), "40/feed,"), 403);
    assert_eq!(say(&address, early, &ann, "40/feed,"), 200);
    assert_eq!(say(&address, early, &ann, "1"), 200);
    refused += 1;
    scene.counts("streamfence_refused_total{reason=\"foreign_session\"}", f64::from(refused));
    // With its token, and without one, by which its id is the secret that it always was.
    let message = json!({"namespace": "/feed", "topic": "tick", "payload": "for ann too"});
    assert_eq!(post(&scene.admin, "/v1/publish", &message).0, 202);
    hears(&address, &by_head, &ann, "for ann too");
    hears(&address, &by_connect, "", "for ann too");
    for sid in [&by_head, &by_connect] {
        assert_eq!(say(&address, sid, &ann, "1"), 200);
        assert!(!scene.running.said().contains(sid.as_str()), "a session's id is in the log");
    }
    scene.settles();
}

/// Who has the secret of a session that waits for its client, and a token of their own, begins anew and gets nothing.
#[test]
fn a_session_that_waits_is_not_resumed_by_whoever_stole_its_secret() {
    let scene = Scene::start_with_server(TOKENS);
    let join = |address: &str, auth: &serde_json::Value| {
        let mut socket = Socket::open(address);
        socket.say(&format!("40/feed,{auth}"));
        let ticket = socket.hear(r#"["session","#);
        let ticket = ticket.split_once(',').map(|(_, event)| serde_json::from_str::<serde_json::Value>(event));
        (socket, ticket.expect("an event").expect("it is JSON")[1].clone())
    };
    let address = scene.address.clone();
    let (mut ann, ticket) = join(&address, &json!({"token": "token-of-ann", "session": true}));
    ann.say(r#"42/feed,1["subscribe",{"topic":"room/ann"}]"#);
    ann.hear("43/feed,1[");
    drop(ann);
    let session = json!({"id": ticket["id"], "secret": ticket["secret"]});
    for token in [Some("token-of-bob"), None] {
        let (mut thief, other) = join(&address, &json!({"token": token, "session": session}));
        assert_eq!(other["resumed"], false, "{token:?}");
        assert_ne!(other["id"], session["id"], "{token:?}");
        let message = json!({"namespace": "/feed", "topic": "room/ann", "payload": "for ann alone"});
        assert_eq!(post(&scene.admin, "/v1/publish", &message).0, 202);
        thief.say(r#"42/feed,1["subscribe",{"topic":"tick"}]"#);
        while let Some(heard) = thief.listen() {
            assert!(!heard.contains("for ann alone"), "{heard}");
            if heard.contains("43/feed,1[") {
                break;
            }
        }
        thief.say("41/feed,");
    }
    let (mut back, mine) = join(&address, &json!({"token": "token-of-ann", "session": session}));
    assert_eq!((&mine["resumed"], &mine["id"]), (&json!(true), &session["id"]));
    back.hear("for ann alone");
    back.say("41/feed,");
    back.say("40/feed,");
    back.hear("40/feed,");
    drop(back);
    scene.settles();
}

#[test]
fn a_session_that_is_bound_to_its_address_is_nobodys_from_another() {
    let mut scene = Scene::start_with_server("trustedProxies: [127.0.0.1]\n    bindSidToIp: true");
    let address = scene.address.clone();
    let from = |client: &str| format!("x-forwarded-for: {client}\r\n");
    for (home, away, same_network) in
        [("192.0.2.1", "192.0.2.2", "192.0.2.1"), ("2001:db8::1", "2001:db8:0:1::1", "2001:db8::2")]
    {
        let sid = member(&address, &from(home), "");
        assert_eq!(get(&address, &sid, &from(away)).0, 403);
        assert_eq!(say(&address, &sid, &from(away), "41/feed,"), 403);
        assert_eq!(upgrade(&address, &sid, &from(away)), 403);
        assert_eq!(get(&address, &sid, "").0, 403, "the proxy itself is somewhere else too");
        assert_eq!(say(&address, &sid, &from(same_network), "1"), 200);
    }
    scene.counts("streamfence_refused_total{reason=\"foreign_session\"}", 8.0);
    scene.settles();
    // It is off unless it is wanted.
    let scene = Scene::start_with_server("trustedProxies: [127.0.0.1]");
    let sid = session(&scene.address);
    assert_eq!(say(&scene.address, &sid, &from("192.0.2.2"), "1"), 200);
    scene.settles();
}
