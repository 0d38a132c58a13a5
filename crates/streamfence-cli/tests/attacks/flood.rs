//! More of what is allowed than anybody needs, from clients that do not read the answers.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::packets::session;
use crate::scene::Scene;
use crate::socket::{PING, POLLING, Socket, TEXT, frame, request};

/// Each wants an answer, and none is read: soon the server reads no further, and then it cuts the client off.
#[test]
fn who_never_reads_the_answers_is_cut_off_and_costs_nothing() {
    for (what, one) in [
        ("pings", frame(PING, true, &[7; 125])),
        ("wishes", frame(TEXT, true, br#"42/feed,["subscribe",{"topic":"nonsense"}]"#)),
    ] {
        let mut scene = Scene::start();
        let mut socket = Socket::join(&scene.address, "/feed");
        let many = one.repeat(1_000);
        let began = Instant::now();
        let mut written = 0;
        // What the buffers of both kernels take, and then the end. A write that hangs is one that is not read.
        while socket.stream.write_all(&many).is_ok() {
            written += many.len();
            scene.serves_others();
            assert!(began.elapsed() < Duration::from_secs(30), "{what}: {written} bytes, and no end");
        }
        scene.settles();
    }
}

/// What needs no answer costs the server something all the same, before it finds that there is nothing to do.
#[test]
fn asking_for_what_one_has_again_and_again_costs_nothing() {
    for (what, ask) in [
        ("a namespace", &[&b"40/feed,"[..]][..]),
        ("a namespace, left at once", &[b"41/feed,", b"40/feed,"]),
        ("a place in no namespace", &[b"41/feed,"]),
        ("an ack of nothing", &[br#"42/feed,["ack",{"topic":"tick","messageId":"a:1"}]"#]),
        ("attachments", &[br#"451-/feed,["publish",{"_placeholder":true,"num":0}]"#]),
        ("a heartbeat", &[b"3"]),
    ] {
        let mut scene = Scene::start();
        let many = ask.iter().map(|packet| frame(TEXT, true, packet)).collect::<Vec<_>>().concat().repeat(500);
        let flooders: Vec<_> = (0..8).map(|_| Socket::join(&scene.address, "/feed").stream).collect();
        let began = Instant::now();
        let floods: Vec<_> = flooders
            .into_iter()
            .map(|mut stream| {
                let many = many.clone();
                // A write that hangs is one of more than the server wants to read.
                stream.set_write_timeout(Some(Duration::from_millis(300))).expect("it can be set");
                std::thread::spawn(move || {
                    while began.elapsed() < Duration::from_millis(500) && stream.write_all(&many).is_ok() {}
                })
            })
            .collect();
        while !floods.iter().all(std::thread::JoinHandle::is_finished) {
            scene.serves_others();
        }
        assert!(scene.grown() < 16 * 1024 * 1024, "{what}: {} KiB", scene.grown() / 1024);
        scene.settles();
    }
}

/// The same by polling, where each packet is one of many in a body.
#[test]
fn asking_for_many_namespaces_in_a_body_is_too_much() {
    let mut scene = Scene::start();
    let post = |sid: &str, packets: usize| {
        let body = vec!["40/feed,"; packets].join("\u{1e}");
        let length = body.len();
        let target = format!("{POLLING}&sid={sid}");
        let head =
            format!("POST {target} HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        request(&scene.address, &head, body.as_bytes()).0
    };
    assert_eq!(post(&session(&scene.address), 100), 200);
    assert_eq!(post(&session(&scene.address), 1_000), 429);
    scene.serves_others();
    scene.settles();
}

/// Messages for everybody, from many at once.
#[test]
fn a_flood_of_messages_keeps_nobody_from_theirs() {
    let mut scene = Scene::start();
    let publish = frame(TEXT, true, br#"42/feed,["publish",{"topic":"room/flood","payload":"x"}]"#).repeat(500);
    let mut flooders: Vec<_> = (0..8).map(|_| Socket::join(&scene.address, "/feed")).collect();
    for _ in 0..5 {
        for flooder in &mut flooders {
            flooder.stream.write_all(&publish).expect("the connection is open");
        }
        scene.serves_others();
    }
    drop(flooders);
    scene.settles();
}

/// Sessions that are opened and never used, and clients that come and go.
#[test]
fn who_opens_and_never_joins_is_forgotten() {
    let mut scene = Scene::start();
    let mut last = String::new();
    for number in 0..500 {
        last = session(&scene.address);
        drop(Socket::open(&scene.address));
        if number % 50 == 0 {
            scene.serves_others();
        }
    }
    let silent: Vec<_> = (0..200).map(|_| Socket::open(&scene.address)).collect();
    scene.serves_others();
    for mut socket in silent {
        socket.end();
    }
    let deadline = Instant::now() + crate::process::PATIENCE;
    let poll = format!("GET {POLLING}&sid={last} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
    while request(&scene.address, &poll, b"").0 == 200 {
        assert!(Instant::now() < deadline, "a session that nobody joined anything with lives on");
    }
    scene.settles();
}

/// Who might still join is kept by the library, and who has gone before that with it: so many of them, and no more.
#[test]
fn who_comes_and_goes_without_joining_takes_no_more_than_so_much() {
    let mut scene = Scene::start_as(400, 600_000);
    for number in 0..6_000 {
        drop(Socket::upgrade(&scene.address, ""));
        if number % 500 == 0 {
            scene.serves_others();
        }
    }
    // Those of a second are told together.
    scene.counts("streamfence_refused_total{reason=\"departed\"}", 5_000.0);
    assert!(scene.grown() < 12 * 1024 * 1024, "{} KiB", scene.grown() / 1024);
    scene.settles();
}
