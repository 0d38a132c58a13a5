//! Requests: how large a head may be, what is not spoken, and who may come from where.

use std::io::{Read, Write};

use crate::packets::session;
use crate::process::get;
use crate::scene::{MAX_PACKET, Scene};
use crate::socket::{POLLING, Socket, WEBSOCKET, dial, request};

#[test]
fn heads_are_bounded_in_size_and_in_number() {
    let scene = Scene::start();
    let with = |headers: &str| {
        let head = format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
        request(&scene.address, &head, b"").0
    };
    assert_eq!(with(&format!("x: {}\r\n", "x".repeat(8 * 1024))), 200);
    for size in [20, 64, 1024] {
        assert_eq!(with(&format!("x: {}\r\n", "x".repeat(size * 1024))), 431, "{size} KiB");
    }
    assert_eq!(with(&"x: y\r\n".repeat(50)), 200);
    for count in [100, 1_000] {
        assert_eq!(with(&"x: y\r\n".repeat(count)), 431, "{count} headers");
    }
    let target = format!("{POLLING}&x={}", "x".repeat(60_000));
    let (status, _) = request(&scene.address, &format!("GET {target} HTTP/1.1\r\nhost: t\r\n\r\n"), b"");
    assert!([414, 431].contains(&status), "{status}");
    scene.settles();
}

#[test]
fn bodies_are_bounded_in_size_and_in_kind() {
    let mut scene = Scene::start();
    let post = |headers: &str, body: &[u8]| {
        let sid = session(&scene.address);
        let head = format!("POST {POLLING}&sid={sid} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
        request(&scene.address, &head, body).0
    };
    let sized = |length: usize| format!("content-length: {length}\r\n");
    assert_eq!(post(&sized(8), b"40/feed,"), 200);
    // What is promised is enough to refuse it.
    for length in [MAX_PACKET + 1, 100_000_000] {
        assert_eq!(post(&sized(length), b"4"), 413, "{length}");
    }
    assert_eq!(post("content-length: 99999999999999999999999\r\n", b"4"), 400);
    let endless = [b"2000\r\n".as_slice(), &[b'x'; 0x2000], b"\r\n"].concat().repeat(3);
    assert_eq!(post("transfer-encoding: chunked\r\n", &endless), 413);
    assert_eq!(post("content-encoding: gzip\r\ncontent-length: 2\r\n", b"42"), 415);
    let kind = post("content-type: application/octet-stream\r\ncontent-length: 8\r\n", b"40/feed,");
    assert!([200, 400, 415].contains(&kind), "bytes are read as text, or not at all: {kind}");
    scene.serves_others();
    scene.settles();
}

#[test]
fn nothing_is_spoken_but_http_1_1_and_nothing_is_compressed() {
    let mut scene = Scene::start();
    // HTTP/2, by its preface and by an upgrade.
    for preface in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", "\u{16}\u{3}\u{1}\0\u{5}hello"] {
        let mut stream = dial(&scene.address);
        stream.write_all(preface.as_bytes()).expect("the server reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    let upgrade = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";
    let head = format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\n{upgrade}connection: close\r\n\r\n");
    assert_eq!(request(&scene.address, &head, b"").0, 200, "an upgrade may be overlooked");
    let offered = "sec-websocket-extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame\r\n";
    let (mut socket, head) = Socket::upgrade(&scene.address, offered);
    assert!(head.starts_with("HTTP/1.1 101") && !head.to_lowercase().contains("extensions"), "{head}");
    socket.say("40/feed,");
    socket.hear("40/feed,");
    drop(socket);
    let head = format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\naccept-encoding: gzip, br\r\nconnection: close\r\n\r\n");
    let (status, answer) = request(&scene.address, &head, b"");
    assert!(status == 200 && !answer.to_lowercase().contains("content-encoding"), "{answer}");
    for nonsense in
        ["\0\0\0\0", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nhost t\r\n\r\n", "{\"a\":1}\r\n\r\n"]
    {
        let (status, answer) = request(&scene.address, nonsense, b"");
        assert!(status == 0 || status == 400 || status == 505, "{nonsense:?}: {answer}");
    }
    scene.serves_others();
    scene.settles();
}

#[test]
fn only_the_listed_origin_comes_in_by_either_way() {
    let scene = Scene::start();
    let cases = [
        ("", true),
        ("origin: https://example.org\r\n", true),
        ("origin: https://evil.example\r\n", false),
        ("origin: null\r\n", false),
        ("origin: \r\n", false),
        ("origin: *\r\n", false),
        ("origin: https://evil-example.org\r\n", false),
        ("origin: https://example.org.evil.example\r\n", false),
        ("origin: https://example.org:443\r\n", false),
        ("origin: http://example.org\r\n", false),
        ("origin: https://EXAMPLE.org\r\n", false),
        ("origin: https://example.org/\r\n", false),
        ("origin: https://example.org, https://evil.example\r\n", false),
        ("origin: https://evil.example\r\norigin: https://example.org\r\n", false),
        ("origin: https://example.org@evil.example\r\n", false),
    ];
    for (origin, is_allowed) in cases {
        let head = format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{origin}\r\n");
        let (status, answer) = request(&scene.address, &head, b"");
        assert_eq!(status, if is_allowed { 200 } else { 403 }, "{origin:?}: {answer}");
        let opens = answer.to_lowercase().contains("access-control-allow-origin");
        assert_eq!(opens, is_allowed && !origin.is_empty(), "{origin:?}: {answer}");
        let (_, head) = Socket::upgrade(&scene.address, origin);
        let wanted = if is_allowed { "HTTP/1.1 101" } else { "HTTP/1.1 403" };
        assert!(head.starts_with(wanted), "{origin:?}: {head}");
    }
    scene.settles();
}

#[test]
fn targets_that_are_no_targets_are_refused() {
    let mut scene = Scene::start();
    for target in ["/", "/metrics", "/v1/publish", "/admin/v1/clients", "/socket.io/../v1/publish", "/socket.io-admin/"]
    {
        let (status, _) = get(&scene.address, target);
        assert!([400, 404].contains(&status), "{target}: {status}");
    }
    for query in
        ["", "?EIO=4", "?EIO=5&transport=polling", "?EIO=4&transport=%00", "?EIO=4&transport=polling&sid=../../x"]
    {
        assert_eq!(get(&scene.address, &format!("/socket.io/{query}")).0, 400, "{query}");
    }
    // A session of somebody who made it up is none.
    let made_up = format!("GET {WEBSOCKET}&sid=AAAAAAAAAAAAAAAA HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
    assert_eq!(request(&scene.address, &made_up, b"").0, 400);
    scene.serves_others();
    scene.settles();
}
