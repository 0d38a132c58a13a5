//! The connections themselves: how long a head may take, how many there may be, and what is not spoken.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::process::{PATIENCE, get};
use crate::scene::Scene;

fn dial(scene: &Scene) -> TcpStream {
    let stream = TcpStream::connect(&scene.admin).expect("the API listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a limit");
    stream
}

/// What comes until the end of a connection; however it ends.
fn heard(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    if let Err(why) = stream.read_to_end(&mut heard) {
        assert_eq!(why.kind(), std::io::ErrorKind::ConnectionReset, "it stays open");
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn who_does_not_finish_a_head_is_not_waited_for() {
    let scene = Scene::new();
    let (mut slow, mut kept, silent) = (dial(&scene), dial(&scene), dial(&scene));
    write!(slow, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n").expect("it reads");
    write!(kept, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    assert!(!heard(slow).contains("200 OK"));
    assert!(heard(kept).contains("200 OK"), "the next request did not come either");
    assert_eq!(heard(silent), "");
}

#[test]
fn there_are_only_so_many_connections_and_one_that_ends_makes_room() {
    let mut scene = Scene::new();
    let mut held: Vec<_> = (0..384).map(|_| dial(&scene)).collect();
    // They are accepted in the order in which they came.
    let refused = heard(dial(&scene));
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 503 "), "{refused}");
    scene.running.until("it is said", |running| running.lines().iter().any(|line| line["code"] == "admin_full"));
    let mut last = held.pop().expect("there are many");
    write!(last, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it reads");
    assert!(heard(last).starts_with("HTTP/1.1 200 "), "those that are in are served");
    let admin = scene.admin.clone();
    scene.running.until("there is a place again", |_| get(&admin, "/healthz").0 == 200);
}

#[test]
fn heads_are_bounded_and_nothing_is_spoken_but_http_1() {
    let scene = Scene::new();
    let mut preface = dial(&scene);
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("it reads");
    let answer = heard(preface);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
    for headers in [format!("x: {}\r\n", "x".repeat(64 * 1024)), "x: y\r\n".repeat(100)] {
        let mut stream = dial(&scene);
        // It may have been closed before all of it was written.
        let _ = write!(stream, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        let answer = heard(stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }
}

#[test]
fn a_stream_hears_that_the_server_stops_and_ends_well() {
    let mut scene = Scene::new();
    let mut stream = dial(&scene);
    let head = "POST /v1/publish/stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n";
    write!(stream, "{head}transfer-encoding: chunked\r\n\r\n").expect("it reads");
    let line = "{\"namespace\":\"/feed\",\"topic\":\"tick\",\"payload\":1}\n";
    write!(stream, "{:x}\r\n{line}\r\n", line.len()).expect("it reads");
    let mut begun = [0; 64];
    stream.read_exact(&mut begun).expect("it is answered");
    scene.running.signal("TERM");
    let rest = heard(stream);
    assert!(rest.contains("SHUTTING_DOWN") && rest.ends_with("0\r\n\r\n"), "{rest}");
    assert_eq!(scene.running.wait().code, Some(0));
}
