//! `events`: what happens, as it happens.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::process::PATIENCE;
use crate::scene::Scene;

/// One who reads along.
pub(crate) struct Reader(BufReader<TcpStream>);

impl Reader {
    /// Asks, and waits until it is heard that everything from now on is.
    fn new(scene: &Scene, query: &str) -> Self {
        Self::with_key(scene, query, "nobody-is-asked-for-it")
    }

    /// The same with a key.
    pub(crate) fn with_key(scene: &Scene, query: &str, key: &str) -> Self {
        let mut stream = TcpStream::connect(&scene.admin).expect("the API listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a limit");
        let head = format!("host: localhost\r\nauthorization: Bearer {key}");
        write!(stream, "GET /admin/v1/events{query} HTTP/1.1\r\n{head}\r\n\r\n").expect("it reads");
        let mut reader = Self(BufReader::new(stream));
        let head = reader.until("\r\n");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        reader.until(": reading along\n");
        reader
    }

    /// Reads on until nothing more comes; what comes before that is no event.
    pub(crate) fn ends(&mut self) {
        // The last chunk of a body is an empty one.
        let rest = self.until("0\r\n");
        assert!(!rest.contains("event: "), "{rest}");
    }

    /// Reads lines until this one.
    fn until(&mut self, wanted: &str) -> String {
        let mut read = String::new();
        loop {
            let before = read.len();
            assert!(self.0.read_line(&mut read).expect("it goes on") > 0, "it ended: {read}");
            if read[before..] == *wanted {
                return read;
            }
        }
    }

    /// The next event: its kind, its number and what it says.
    pub(crate) fn next(&mut self) -> (String, u64, Value) {
        let (mut kind, mut number) = (String::new(), 0);
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("it goes on") > 0, "it ended");
            let line = line.trim_end();
            if let Some(found) = line.strip_prefix("event: ") {
                found.clone_into(&mut kind);
            } else if let Some(found) = line.strip_prefix("id: ") {
                number = found.parse().expect("it is a number");
            } else if let Some(data) = line.strip_prefix("data: ") {
                // Of an event, the kind and the number come in the same piece, in any order.
                let mut rest = String::new();
                while rest != "\n" {
                    rest.clear();
                    assert!(self.0.read_line(&mut rest).expect("it goes on") > 0, "it ended");
                    if let Some(found) = rest.strip_prefix("id: ") {
                        number = found.trim_end().parse().expect("it is a number");
                    }
                }
                return (kind, number, serde_json::from_str(data).expect("it is JSON"));
            }
        }
    }
}

#[test]
fn events_come_as_they_happen_and_a_filter_lets_through_what_it_names() {
    let scene = Scene::new();
    let mut all = Reader::new(&scene, "");
    let (_first, first) = scene.join("/feed", "tick");
    let mut some = Reader::new(&scene, &format!("?kind=unsubscribed,disconnected&namespace=/feed&client={first}"));
    let mut alerts = Reader::new(&scene, "?topic=alert");
    let (_second, second) = scene.join("/alerts", "alert");
    assert_eq!(scene.order("disconnect", &json!({ "client": second })).0, 200);
    assert_eq!(scene.order("unsubscribe", &json!({ "client": first, "topic": "tick" })).0, 200);
    assert_eq!(scene.order("disconnect", &json!({ "client": first })).0, 200);

    let (kind, number, told) = all.next();
    assert_eq!((kind.as_str(), number), ("connected", 1));
    assert_eq!(
        (&told["kind"], &told["namespace"], &told["client"]),
        (&json!("connected"), &json!("/feed"), &json!(first))
    );
    assert_eq!((&told["transport"], told.get("principal")), (&json!("polling"), None));
    assert!(told["at"].as_u64() > Some(1_600_000_000_000), "milliseconds since 1970: {told}");
    let (kind, number, told) = all.next();
    assert_eq!((kind.as_str(), number, &told["topic"]), ("subscribed", 2, &json!("tick")));

    let (kind, number, told) = some.next();
    assert_eq!((kind.as_str(), &told["topic"], &told["reason"]), ("unsubscribed", &json!("tick"), &json!("admin")));
    let (next, after, told) = some.next();
    assert_eq!((next.as_str(), &told["reason"]), ("disconnected", &json!("server")));
    assert!(after > number, "numbers count up: {number} {after}");

    assert_eq!(alerts.next().2["client"], json!(second));
}

#[test]
fn as_many_read_along_as_may_and_a_place_is_free_again() {
    let scene = Scene::new();
    let mut readers: Vec<_> = (0..64).map(|_| Reader::new(&scene, "")).collect();
    let (status, problem) = crate::process::get(&scene.admin, "/admin/v1/events");
    assert_eq!(status, 429, "{problem}");
    assert!(problem.contains("LIMIT_EXCEEDED"), "{problem}");
    readers.clear();
    // The server sees that they have gone when it has something to say.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let (_client, id) = scene.join("/feed", "tick");
        assert_eq!(scene.order("disconnect", &json!({ "client": id })).0, 200);
        let mut stream = TcpStream::connect(&scene.admin).expect("the API listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a limit");
        write!(stream, "GET /admin/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("it answers");
        if line.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "no place is free: {line}");
    }
}
