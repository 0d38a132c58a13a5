//! What a client names does not become anything: no topic, no namespace, no metric, no line of a log of its own.

use serde_json::json;

use crate::process::{Finished, Running};
use crate::scene::Scene;
use crate::socket::{POLLING, Socket, request};

/// A hundred thousand names, in wishes of as many as one may hold.
#[test]
fn names_nobody_configured_leave_nothing_behind() {
    const WISHES: usize = 400;
    let mut scene = Scene::start();
    let mut socket = Socket::join(&scene.address, "/feed");
    for wish in 0..WISHES {
        let topics: Vec<_> = (0..250).map(|number| format!("t{wish}-{number}")).collect();
        let packet = json!(["subscribe", {"topics": topics}]);
        socket.say(&format!("42/feed,{wish}{packet}"));
        let answer = socket.hear(&format!("43/feed,{wish}["));
        assert!(answer.contains("UNKNOWN_TOPIC") && !answer.contains("true"), "{answer}");
        if wish % 50 == 0 {
            scene.serves_others();
        }
    }
    drop(socket);
    scene.settles();
}

#[test]
fn namespaces_nobody_configured_leave_nothing_behind() {
    let mut scene = Scene::start();
    let mut socket = Socket::join(&scene.address, "/feed");
    for number in 0..200 {
        socket.say(&format!("40/made-up-{number},"));
        socket.hear(&format!("44/made-up-{number},"));
    }
    drop(socket);
    scene.serves_others();
    scene.settles();
}

/// Topics that are made from a pattern are bounded, go with their last subscriber, and are one metric together.
#[test]
fn topics_of_a_pattern_are_no_more_than_they_may_be() {
    let mut scene = Scene::start();
    let mut sockets: Vec<_> = (0..4).map(|_| Socket::join(&scene.address, "/feed")).collect();
    let mut refused = 0;
    for (client, socket) in sockets.iter_mut().enumerate() {
        let topics: Vec<_> = (0..60).map(|number| format!("room/{client}-{number}")).collect();
        socket.say(&format!("42/feed,7{}", json!(["subscribe", {"topics": topics}])));
        let answer = socket.hear("43/feed,7[");
        refused += answer.matches("LIMIT_EXCEEDED").count() + answer.matches("UNKNOWN_TOPIC").count();
    }
    assert!(refused >= 4 * 60 - 100, "{refused} of 240 were refused, and 100 are the most there may be");
    drop(sockets);
    scene.serves_others();
    scene.settles();
}

const FORGED: &str = "level=ERROR forged";

/// Calls everything a client can name by a name with line breaks and colours in it.
fn call_names(address: &str) {
    let nasty = format!("x\\r\\n{FORGED}\\u001b[31m");
    let mut socket = Socket::join(address, "/feed");
    for packet in [
        format!(r#"42/feed,["subscribe",{{"topic":"{nasty}"}}]"#),
        format!(r#"42/feed,["subscribe",{{"topic":"room/{nasty}"}}]"#),
        format!(r#"42/feed,["publish",{{"topic":"room/{nasty}","payload":"{nasty}","key":"{nasty}"}}]"#),
        format!(r#"42/feed,["ack",{{"topic":"{nasty}","messageId":"{nasty}"}}]"#),
        format!(r#"42/feed,["{nasty}",1]"#),
        format!("40/n\u{1b}[31m,{{\"token\":\"{nasty}\"}}"),
        "42/feed,1[\"subscribe\",{\"topic\":\"tick\"}]".to_owned(),
    ] {
        socket.say(&packet);
    }
    socket.hear("43/feed,1[");
    for broken in [format!("42/feed,[\"x\r\n{FORGED}\u{1b}[31m"), format!("4\r\n{FORGED}\u{1b}[31m")] {
        let mut cut = Socket::join(address, "/feed");
        cut.say(&broken);
        cut.end();
    }
    for header in ["origin", "user-agent", "x-forwarded-for", "referer", "authorization", "\u{1b}[31m"] {
        let head =
            format!("GET {POLLING} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{header}: \u{1b}[31m{FORGED}\r\n\r\n");
        request(address, &head, b"");
    }
    for target in ["/socket.io/?EIO=4&transport=%0d%0a%1b[31mforged", "/\u{1b}[31m", "/socket.io/\r\nforged"] {
        request(address, &format!("GET {target} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"), b"");
    }
}

/// Whatever a client calls things, a line of the log is one line and holds nothing a terminal would obey.
#[test]
fn a_log_for_programs_is_one_object_a_line() {
    let mut scene = Scene::start_with(&["--log-level", "trace"]);
    call_names(&scene.address);
    scene.serves_others();
    let said = scene.running.said();
    assert!(said.lines().count() > 10, "it logs everything");
    for line in said.lines() {
        let object = serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|why| panic!("{line}: {why}"));
        assert!(object.is_object() && !line.contains('\u{1b}'), "{line:?}");
    }
    scene.settles();
}

#[test]
fn a_log_for_people_has_no_line_and_no_colour_of_a_clients() {
    let arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "trace"];
    let mut running = Running::start(&[&["serve", "--log-format", "text"], &arguments[..]].concat());
    let mut address = None;
    running.until("it listens", |running| {
        let said = running.said();
        let line = said.lines().find(|line| line.contains("server=\"demo\""));
        address = line.and_then(|line| line.split("address=").nth(1)?.split(' ').next().map(str::to_owned));
        address.is_some()
    });
    call_names(&address.expect("it was waited for"));
    let Finished { code, stderr, .. } = running.interrupt("TERM");
    assert_eq!(code, Some(0), "{stderr}");
    for line in stderr.lines() {
        assert!(line.starts_with("20") && line.contains('Z'), "a line without its time: {line:?}");
        assert!(!line.contains('\u{1b}') && !line.contains('\r'), "{line:?}");
    }
}
