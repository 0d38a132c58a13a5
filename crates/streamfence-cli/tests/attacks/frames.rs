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
        socket.end();
    }
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
