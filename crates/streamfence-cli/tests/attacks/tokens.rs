//! Guessing at tokens, from one address and from very many.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::process::Running;
use crate::scene::Scene;
use crate::socket::{POLLING, Socket, WEBSOCKET, request};

const LIMITS: &str = "auth: TOKEN
    staticTokens: {ann: token-of-ann, bob: token-of-bob}
    authFailures: {max: 5, windowMs: 600000, alarmPerMinute: 200}
    trustedProxies: [127.0.0.1]";

/// What a client from there is answered that shows this token.
fn answer(scene: &Scene, from: &str, token: &str) -> String {
    answer_at(&scene.address, from, token)
}

fn answer_at(address: &str, from: &str, token: &str) -> String {
    let (mut socket, head) = Socket::upgrade(address, &format!("x-forwarded-for: {from}\r\n"));
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    socket.say(&format!("40/feed,{{\"token\":\"{token}\"}}"));
    socket.hear("/feed,")
}

/// Who guesses is looked at no more; who has a token that was good before is not taken for them, though they share an
/// address, and somebody who comes to it with a new one has to wait.
#[test]
fn who_guesses_shuts_out_their_address_and_nobody_who_was_in() {
    const NAT: &str = "192.0.2.1";
    let mut scene = Scene::start_with_server(LIMITS);
    assert!(answer(&scene, NAT, "token-of-ann").starts_with("40"));
    for guess in 0..5 {
        assert!(answer(&scene, NAT, &format!("guess {guess}")).contains("AUTH_REJECTED"));
    }
    for _ in 0..50 {
        assert!(answer(&scene, NAT, "guess").contains("AUTH_RATE_LIMITED"));
    }
    assert!(answer(&scene, NAT, "token-of-ann").starts_with("40"), "it is known");
    assert!(answer(&scene, NAT, "token-of-bob").contains("AUTH_RATE_LIMITED"), "nobody knows it yet");
    assert!(answer(&scene, "192.0.2.2", "token-of-bob").starts_with("40"));
    assert!(answer(&scene, NAT, "token-of-bob").starts_with("40"), "now it is known everywhere");
    assert!(answer(&scene, NAT, "guess").contains("AUTH_RATE_LIMITED"));
    scene.counts("streamfence_auth_rate_limited_total{namespace=\"/feed\"}", 52.0);
    scene.settles();
}

/// From thousands of addresses, each of which stays within what it may: nobody is refused for it, but somebody is told.
#[test]
fn guesses_from_everywhere_take_no_memory_and_raise_an_alarm() {
    const GUESSES: usize = 600;
    let mut scene = Scene::start_with_server(LIMITS);
    let alarms = |scene: &Scene| scene.log().iter().filter(|line| line["code"] == "auth_alarm").count();
    for guess in 0..GUESSES {
        let from = format!("2001:db8:{:x}::1", guess + 1);
        assert!(answer(&scene, &from, "guess").contains("AUTH_REJECTED"));
        if guess == 150 {
            assert_eq!(alarms(&scene), 0);
        }
        if guess % 100 == 0 {
            scene.serves_others();
        }
    }
    scene.counts("streamfence_auth_rejected_total{namespace=\"/feed\"}", GUESSES as f64);
    // Once a minute, however many there are; this may take two.
    assert!((1..=2).contains(&alarms(&scene)), "{}", alarms(&scene));
    let line = scene.log().into_iter().find(|line| line["code"] == "auth_alarm").expect("there is one");
    assert_eq!((&line["level"], &line["failures"]), (&"WARN".into(), &200.into()), "{line}");
    scene.settles();
}

/// Where a token stands it is in no line of the log, however much is logged, and in no answer.
#[test]
fn no_token_is_written_anywhere() {
    const SECRET: &str = "c0ffee-c0ffee-c0ffee";
    let mut scene = Scene::start_with_server_and(&format!("{LIMITS}\n    tokenQuery: true"), &["--log-level", "trace"]);
    for token in ["token-of-ann", SECRET] {
        let mut said = answer(&scene, "192.0.2.1", token);
        let bearer = format!("authorization: Bearer {token}\r\n");
        for (target, headers) in [
            (format!("{POLLING}&token={token}"), ""),
            (format!("{WEBSOCKET}&token={token}"), ""),
            (POLLING.to_owned(), &*bearer),
            (format!("{POLLING}&sid=nobodys&token={token}"), &*bearer),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
            said += &request(&scene.address, &head, b"").1;
        }
        let mut socket = Socket::join(&scene.address, "/feed");
        for event in ["subscribe", "publish", "authenticate"] {
            let wish = format!(r#"{{"topic":"tick","payload":1,"token":"{token}"}}"#);
            socket.say(&format!(r#"42/feed,3["{event}",{wish}]"#));
            said += &socket.hear("43/feed,3[");
        }
        assert!(!said.contains(token), "{said}");
    }
    scene.serves_others();
    let said = scene.running.said();
    assert!(said.lines().count() > 50, "it logs everything");
    for token in ["token-of-", SECRET] {
        let line = said.lines().find(|line| line.contains(token));
        assert_eq!(line, None);
    }
    scene.settles();
}

/// A token that a reload takes away opens nothing from then on, whoever goes on showing it meanwhile; its sessions end
/// within 5 s, and nobody else's.
#[test]
fn a_token_that_is_taken_away_is_none_from_then_on_and_its_sessions_end() {
    let mut scene = Scene::start_with_server(&LIMITS.replace("max: 5", "max: 0"));
    let join = |scene: &Scene, token: &str| {
        let mut socket = Socket::open(&scene.address);
        socket.say(&format!("40/feed,{{\"token\":\"{token}\"}}"));
        assert!(socket.hear("/feed,").starts_with("40"), "{token}");
        socket
    };
    let (mut ann, mut bob) = (join(&scene, "token-of-ann"), join(&scene, "token-of-bob"));
    let (is_reloading, came) = (AtomicBool::new(true), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        let tried: Vec<_> = (0..4)
            .map(|_| {
                threads.spawn(|| {
                    let mut answers = Vec::new();
                    while is_reloading.load(Ordering::SeqCst) {
                        let begun = Instant::now();
                        let is_in = answer_at(&scene.address, "192.0.2.1", "token-of-bob").starts_with("40");
                        came.fetch_add(usize::from(is_in), Ordering::SeqCst);
                        answers.push((begun, is_in));
                    }
                    answers
                })
            })
            .collect();
        scene.running.until("somebody comes in", |_| came.load(Ordering::SeqCst) >= 8);
        let file = scene.folder().join("feed.yaml");
        let config = std::fs::read_to_string(&file).expect("it is there");
        std::fs::write(&file, config.replace(", bob: token-of-bob", "")).expect("it can be written");
        scene.running.signal("HUP");
        let is_reloaded = |running: &mut Running| running.lines().iter().any(|line| line["code"] == "reloaded");
        scene.running.until("it is reloaded", is_reloaded);
        let reloaded = Instant::now();
        assert!(answer_at(&scene.address, "192.0.2.1", "token-of-bob").contains("AUTH_REJECTED"));
        assert!(bob.listen().is_none_or(|text| text.contains("AUTH_REJECTED")), "he is told why, or is gone");
        while bob.listen().is_some_and(|text| text != "41/feed,") {}
        assert!(reloaded.elapsed() < Duration::from_secs(5), "he was in for {:?}", reloaded.elapsed());
        is_reloading.store(false, Ordering::SeqCst);
        let tried: Vec<_> = tried.into_iter().flat_map(|thread| thread.join().expect("it did not panic")).collect();
        let after: Vec<_> = tried.iter().filter(|(begun, _)| *begun > reloaded).collect();
        assert!(after.iter().all(|(_, is_in)| !is_in), "{after:?}");
    });
    ann.say(r#"42/feed,1["subscribe",{"topic":"tick"}]"#);
    assert!(ann.hear("43/feed,1[").contains("true"));
    drop((ann, bob));
    scene.settles();
}
