//! Frames that are too large, too many, or no frames.

use std::io::Write;

use crate::scene::{MAX_PACKET, Scene};
use crate::socket::{BINARY, CONTINUATION, End, PING, Socket, TEXT, frame, head};

#[test]
fn a_message_may_be_no_larger_than_the_limit_however_it_comes() {
    let mut scene = Scene::start();
    // Whole, and in fragments of which each is small.
    for piece in [MAX_PACKET + 1, 1_000] {
        for opcode in [TEXT, BINARY] {
            let mut socket = Socket::join(&scene.address, "/feed");
            let mut opcode = opcode;
            let mut sent = 0;
            while sent < 10 * MAX_PACKET && socket.send(opcode, false, &vec![b'x'; piece]).is_ok() {
                opcode = CONTINUATION;
                sent += piece;
            }
            // A close with its reason, unless the rest was on its way when it closed.
            let end = socket.end();
            assert!([End::Closed(1009), End::Closed(1005), End::Cut].contains(&end), "pieces of {piece}: {end:?}");

            scene.serves_others();
        }
    }
    scene.settles();
}

#[test]
fn a_frame_that_promises_more_than_it_may_is_not_waited_for() {
    let mut scene = Scene::start();
    for length in [MAX_PACKET as u64 + 1, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
        let mut socket = Socket::join(&scene.address, "/feed");
        socket.stream.write_all(&head(TEXT, true, length)).expect("the connection is open");
        assert_eq!(socket.end(), End::Closed(1009), "{length}");
    }
    scene.counts("streamfence_refused_total{reason=\"payload_too_large\"}", 4.0);
    scene.serves_others();
    scene.settles();
}

#[test]
fn fragments_without_end_take_no_memory() {
    let mut scene = Scene::start();
    let mut socket = Socket::join(&scene.address, "/feed");
    socket.send(TEXT, false, b"4").expect("the connection is open");
    // Empty ones, which no limit on bytes would end.
    let empty = frame(CONTINUATION, false, b"").repeat(1_000);
    for round in 0..100 {
        if socket.stream.write_all(&empty).is_err() {
            break;
        }
        if round % 20 == 0 {
            scene.serves_others();
        }
    }
    drop(socket);
    scene.settles();
}

/// A few say that a client is alive; more of them are work for nothing.
#[test]
fn who_sends_what_is_no_message_too_often_is_cut() {
    let mut scene = Scene::start();
    let idle = [
        ("pings", frame(PING, true, b"x")),
        ("pongs", frame(10, true, b"")),
        ("heartbeats", frame(TEXT, true, b"3")),
        ("a client's own heartbeats", frame(TEXT, true, b"2")),
        ("messages in tiny pieces", [frame(TEXT, false, b"43/feed,7"), frame(CONTINUATION, true, b"[]")].concat()),
    ];
    let kinds = idle.len();
    for (cut, (what, bytes)) in idle.into_iter().enumerate() {
        let mut socket = Socket::join(&scene.address, "/feed");
        socket.stream.write_all(&bytes.repeat(500)).expect("the connection is open");
        socket.say(r#"42/feed,1["subscribe",{"topic":"tick"}]"#);
        assert!(socket.hear("43/feed,1[").contains("true"), "{what}");
        // It may be cut while it is written to.
        let _cut = socket.stream.write_all(&bytes.repeat(5_000));
        assert_eq!(socket.end(), End::Cut, "{what}");
        scene.counts("streamfence_refused_total{reason=\"control_frames\"}", (cut + 1) as f64);
    }
    let cut = scene.metric("streamfence_disconnections_total{namespace=\"/feed\",reason=\"rate_limited\"}");
    assert!((cut - kinds as f64).abs() < 0.5, "{cut} of {kinds} were told apart");
    scene.settles();
}

#[test]
fn what_is_no_frame_ends_its_connection() {
    let mut scene = Scene::start();
    let wrong: [(&str, Vec<u8>); 9] = [
        ("without a mask", vec![0x81, 1, b'2']),
        ("with a reserved bit", vec![0xc1, 0x81, 0, 0, 0, 0, b'2']),
        ("of no kind", vec![0x83, 0x80, 0, 0, 0, 0]),
        ("of no kind of control", vec![0x8b, 0x80, 0, 0, 0, 0]),
        ("a continuation of nothing", frame(CONTINUATION, true, b"2")),
        ("a ping in pieces", frame(PING, false, b"2")),
        ("a large ping", frame(PING, true, &[7; 126])),
        ("a message within a message", [frame(TEXT, false, b"4"), frame(TEXT, true, b"4")].concat()),
        ("a close of half a code", frame(8, true, &[3])),
    ];
    for (what, bytes) in wrong {
        let mut socket = Socket::join(&scene.address, "/feed");
        socket.stream.write_all(&bytes).expect("the connection is open");
        let end = socket.end();
        assert!(matches!(end, End::Closed(1000 | 1002 | 1005 | 1007) | End::Cut), "{what}: {end:?}");
        scene.serves_others();
    }
    scene.settles();
}
