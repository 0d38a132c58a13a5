//! Packets no client would send: too many attachments, too deep, too long, not text, not anything.

use std::time::Instant;

use crate::process::PATIENCE;
use crate::scene::Scene;
use crate::socket::{BINARY, POLLING, Socket, TEXT, request};

/// Announced attachments cost memory only as they come, no more of them than a packet may have, and not for ever.
#[test]
fn attachments_are_bounded_in_number_and_in_bytes() {
    let mut scene = Scene::start();
    for count in ["257", "1000", "451000000", "4294967296", "99999999999999999999", "-1", ""] {
        let mut socket = Socket::join(&scene.address, "/feed");
        socket.say(&format!(
            r#"45{count}-/feed,["publish",{{"topic":"tick","payload":{{"_placeholder":true,"num":0}}}}]"#
        ));
        socket.end();
        scene.serves_others();
    }
    // Each as large as a message may be, so that together they are too large.
    let mut socket = Socket::join(&scene.address, "/feed");
    socket.say(r#"45200-/feed,["publish",{"topic":"tick","payload":{"_placeholder":true,"num":0}}]"#);
    let began = Instant::now();
    while socket.send(BINARY, true, &[7; 12_000]).is_ok() {
        assert!(began.elapsed() < PATIENCE, "attachments are taken without end");
    }
    scene.counts("streamfence_refused_total{reason=\"attachments\"}", 6.0);
    // Begun by many and finished by none.
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let mut socket = Socket::join(&scene.address, "/feed");
            socket.say(r#"452-/feed,["publish",{"topic":"tick","payload":{"_placeholder":true,"num":0}}]"#);
            socket.send(BINARY, true, &[7; 8_000]).expect("the connection is open");
            socket
        })
        .collect();
    scene.serves_others();
    for mut socket in waiting {
        socket.end();
    }
    scene.settles();
}

/// What has broken parsers of the protocol before, and its kin.
fn corpus() -> Vec<Vec<u8>> {
    let deep =
        |open: &str, close: &str| format!(r#"42/feed,["publish",{}7{}]"#, open.repeat(2_000), close.repeat(2_000));
    let texts = [
        deep("[", "]"),
        deep(r#"{"a":"#, "}"),
        format!(r#"42/feed,["publish",{}"#, "[".repeat(12_000)),
        r#"42/feed,["publish",{"topic":"tick","payload":1e400}]"#.to_owned(),
        format!(r#"42/feed,["publish",{{"topic":"tick","payload":{}}}]"#, "9".repeat(11_000)),
        format!(r#"42/feed,{}["subscribe",{{"topic":"tick"}}]"#, "9".repeat(400)),
        format!(r#"42/feed,["{}"]"#, "e".repeat(12_000)),
        format!("40/{},", "n".repeat(12_000)),
        r#"42/feed,["subscribe",{"topic":"\ud800"}]"#.to_owned(),
        r#"42/feed,["subscribe",{"topic":"\u0000\u001b[31m\r\n"}]"#.to_owned(),
        r#"42/feed,["__proto__",{"__proto__":{"polluted":1}}]"#.to_owned(),
        r#"42/feed,["connect"]"#.to_owned(),
        r#"42/feed,["disconnect",{}]"#.to_owned(),
        r#"42/feed,[null]"#.to_owned(),
        r#"42/feed,[{"toString":"x"}]"#.to_owned(),
        r#"42/feed,["subscribe",{"topic":"tick","topic":"room/x"}]"#.to_owned(),
        r#"42/feed,["subscribe",{"topics":[[]]}]"#.to_owned(),
        r#"42/feed,["ack",{"topic":"tick","messageId":"18446744073709551616:-1"}]"#.to_owned(),
        r#"42/feed,["ack",{"topic":"tick","messageIds":["é:é",":","a:b:c"]}]"#.to_owned(),
        r#"42/feed,["publish",{"topic":"tick","payload":1,"ttlMs":-9e99}]"#.to_owned(),
        r#"43/feed,99999999999999999999[1]"#.to_owned(),
        "43/feed,[".to_owned(),
        "44/feed,{\"message\":1}".to_owned(),
        "450-/feed,[\"tick\"]".to_owned(),
        "451-/feed,[\"publish\",{\"_placeholder\":true,\"num\":9}]".to_owned(),
        "461-/feed,1[{\"_placeholder\":true,\"num\":-1}]".to_owned(),
        "45-".to_owned(),
        "451".to_owned(),
        "40/feed,{\"session\":{\"id\":7,\"secret\":[]}}".to_owned(),
        "40/feed,[".to_owned(),
        "41/feed,".to_owned(),
        "41".to_owned(),
        "4".to_owned(),
        "49".to_owned(),
        "4é".to_owned(),
        "é".to_owned(),
        "42/é,[\"é\"]".to_owned(),
        "42/feed\u{1f600},[]".to_owned(),
        "2probe".to_owned(),
        "3probe".to_owned(),
        "5".to_owned(),
        "6".to_owned(),
        "1".to_owned(),
        "0{}".to_owned(),
        "7".to_owned(),
        String::new(),
        "\0".repeat(1_000),
        "b====".to_owned(),
    ];
    let bytes = [&b"\xff\xfe\xfd"[..], b"42/feed,[\"\xc3\x28\"]", b"4\xf0\x9f", b"\xed\xa0\x80"];
    texts.into_iter().map(String::into_bytes).chain(bytes.map(<[u8]>::to_vec)).collect()
}

#[test]
fn no_packet_harms_anybody_but_its_sender() {
    let mut scene = Scene::start();
    for packet in corpus() {
        for opcode in [TEXT, BINARY] {
            let mut socket = Socket::join(&scene.address, "/feed");
            socket.send(opcode, true, &packet).expect("the connection is open");
            // Before it has joined anything, too.
            let mut stranger = Socket::open(&scene.address);
            stranger.send(opcode, true, &packet).expect("the connection is open");
        }
        scene.serves_others();
    }
    scene.settles();
}

#[test]
fn no_body_harms_anybody_but_its_sender() {
    let mut scene = Scene::start();
    let mut bodies = corpus();
    bodies.extend([b"\x1e".repeat(10_000), b"2\x1e".repeat(5_000), b"b!!!!\x1eb\x1e4".to_vec(), b"4".repeat(12_000)]);
    for body in bodies {
        let sid = session(&scene.address);
        let head = format!(
            "POST {POLLING}&sid={sid} HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let (status, answer) = request(&scene.address, &head, &body);
        assert!([200, 400, 413].contains(&status), "{:?}: {answer}", String::from_utf8_lossy(&body));
        scene.serves_others();
    }
    scene.settles();
}

/// Opens a session that polls, and says its id.
pub(crate) fn session(address: &str) -> String {
    let (status, open) =
        request(address, &format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"), b"");
    assert_eq!(status, 200, "{open}");
    open.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a session").to_owned()
}
