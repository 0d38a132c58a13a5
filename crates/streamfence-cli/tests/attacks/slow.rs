//! Clients that take their time: each has some, none has more, and nobody waits for them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::packets::session;
use crate::process::{PATIENCE, post};
use crate::scene::Scene;
use crate::socket::{POLLING, Socket, TEXT, dial, head};

/// How many of each kind there are at once.
const CROWD: usize = 100;

/// Sends a byte to each now and then, until all are closed; a good client is served meanwhile.
fn outlast(scene: &mut Scene, mut crowd: Vec<TcpStream>, drip: &[u8]) {
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while !crowd.is_empty() {
        assert!(began.elapsed() < PATIENCE, "{} are still open", crowd.len());
        slowest = slowest.max(scene.serves_others());
        crowd.retain_mut(|stream| {
            stream.set_nonblocking(true).expect("it can be set");
            let is_cut = stream.write(drip).is_err_and(|why| why.kind() != std::io::ErrorKind::WouldBlock);
            let mut bytes = [0; 4096];
            let is_closed = match stream.read(&mut bytes) {
                Ok(length) => length == 0,
                Err(why) => why.kind() != std::io::ErrorKind::WouldBlock,
            };
            !(is_cut || is_closed)
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    // A second is the shortest of the timeouts; this says that it is one, and not some other end.
    assert!(began.elapsed() > Duration::from_millis(500), "closed after {:?} already", began.elapsed());
    assert!(slowest < Duration::from_secs(3), "a good client waited {slowest:?}");
}

fn crowd(scene: &Scene, begun: impl Fn(&Scene) -> String) -> Vec<TcpStream> {
    let one = || {
        let begun = begun(scene);
        let mut stream = dial(&scene.address);
        stream.write_all(begun.as_bytes()).expect("the server reads");
        stream
    };
    (0..CROWD).map(|_| one()).collect()
}

#[test]
fn headers_that_never_end_are_not_waited_for() {
    let mut scene = Scene::start();
    let slow = crowd(&scene, |_| format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\nx: "));
    outlast(&mut scene, slow, b"x");
    scene.settles();
}

#[test]
fn bodies_that_never_end_are_not_waited_for() {
    let mut scene = Scene::start();
    let slow = crowd(&scene, |scene| {
        let sid = session(&scene.address);
        format!("POST {POLLING}&sid={sid} HTTP/1.1\r\nhost: t\r\ncontent-length: 1000\r\n\r\n4")
    });
    outlast(&mut scene, slow, b"x");
    let slow = crowd(&scene, |scene| {
        let sid = session(&scene.address);
        format!("POST {POLLING}&sid={sid} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
    });
    outlast(&mut scene, slow, b"1\r\n4\r\n");
    scene.settles();
}

#[test]
fn whoever_says_nothing_is_not_waited_for() {
    let mut scene = Scene::start();
    let slow = crowd(&scene, |_| String::new());
    outlast(&mut scene, slow, b"");
    scene.settles();
}

#[test]
fn frames_that_never_end_are_not_waited_for() {
    let mut scene = Scene::start();
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let mut socket = Socket::join(&scene.address, "/feed");
            socket.stream.write_all(&head(TEXT, true, 10_000)).expect("the connection is open");
            socket.stream
        })
        .collect();
    outlast(&mut scene, crowd, b"x");
    scene.settles();
}

#[test]
fn whoever_never_answers_a_ping_is_not_waited_for() {
    let mut scene = Scene::start();
    let crowd: Vec<_> = (0..CROWD).map(|_| Socket::join(&scene.address, "/feed").stream).collect();
    outlast(&mut scene, crowd, b"");
    scene.settles();
}

/// Clients that read nothing at all, until neither kernel takes any more for them.
#[test]
fn whoever_reads_nothing_is_cut_and_leaves_nothing() {
    const STALLED: &str = "streamfence_disconnections_total{namespace=\"/feed\",reason=\"stalled\"}";
    let mut scene = Scene::start();
    let mut crowd: Vec<_> = (0..20).map(|_| Socket::join(&scene.address, "/feed")).collect();
    for socket in &mut crowd {
        socket.say(r#"42/feed,1["subscribe",{"topic":"tick"}]"#);
        socket.hear("43/feed,1[");
    }
    let message = json!({"namespace": "/feed", "topic": "tick", "payload": "x".repeat(60_000)});
    let began = Instant::now();
    // `stallTimeoutMs` is 1 s here; the heartbeat would take 3.5.
    while scene.metric(STALLED) < 20.0 {
        assert!(began.elapsed() < PATIENCE, "{} of 20 are gone", scene.metric(STALLED));
        for _ in 0..10 {
            assert_eq!(post(&scene.admin, "/v1/publish", &message).0, 202);
        }
        scene.serves_others();
    }
    drop(crowd);
    scene.settles();
}
