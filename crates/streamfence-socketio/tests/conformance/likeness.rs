//! Whatever a client says, sense or nonsense: the application behind our layer answers as it does behind the library.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::client::websocket::{ANSWER, QUESTION};
use crate::client::{Heard, Http, Polling, Socket};
use crate::target::{Kind, Target};
use crate::verdict::{in_time, runtime};

/// One thing that a client says.
#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Bytes(Vec<u8>),
}

/// What became of it: everything heard, in any order, or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Heard(Vec<String>),
    Ended,
}

#[test]
fn the_layer_answers_as_the_library_does() {
    compare_talks(Kind::Layer, said());
}

#[test]
fn our_server_answers_as_the_library_does() {
    compare_talks(Kind::Server, said());
}

#[test]
fn fenced_namespaces_answer_as_the_library_does() {
    // The one thing that a fenced namespace is known to be stricter with.
    compare_talks(Kind::Fenced, said().prop_filter("a CONNECT without JSON", |said| !is_broken_connect(said)));
}

#[test]
fn our_server_answers_requests_as_the_library_does() {
    compare(Kind::Server, REQUESTS, &request(), answer);
}

fn compare_talks(kind: Kind, said: impl Strategy<Value = Said>) {
    let script = vec(said, 1..8);
    compare(kind, SCRIPTS, &script, by_websocket);
    compare(kind, SCRIPTS, &script, by_polling);
}

/// Does the same to the library and to a target of ours, over and over.
fn compare<T: Debug, O: Debug + PartialEq>(
    kind: Kind,
    cases: u32,
    inputs: &impl Strategy<Value = T>,
    outcome: impl AsyncFn(&Target, &T) -> O,
) {
    let runtime = runtime();
    let (stock, ours) = runtime.block_on(async { (Target::start(Kind::Stock).await, Target::start(kind).await) });
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(inputs, |input| {
        let outcomes = async { (outcome(&stock, &input).await, outcome(&ours, &input).await) };
        let (stock, ours) = runtime.block_on(in_time(outcomes));
        prop_assert_eq!(stock, ours);
        Ok::<(), TestCaseError>(())
    });
    if let Err(why) = result {
        panic!("{kind:?} does not answer as the library does, which is left: {why}");
    }
}

/// A request to the path of Socket.IO.
#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    path: &'static str,
    parameters: Vec<&'static str>,
    header: &'static str,
    body: &'static str,
}

fn request() -> impl Strategy<Value = Asked> {
    let methods = select(vec!["GET", "GET", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);
    let paths = select(vec!["/socket.io/", "/socket.io/", "/socket.io", "/socket.io/x"]);
    let parameters = select(vec![
        "EIO=4",
        "EIO=4",
        "EIO=4",
        "EIO=3",
        "EIO=5",
        "EIO=",
        "EIO",
        "transport=polling",
        "transport=polling",
        "transport=polling",
        "transport=websocket",
        "transport=webtransport",
        "transport=",
        "sid=LIVE",
        "sid=LIVE",
        "sid=AAAAAAAAAAAAAAHs",
        "sid=nonsense",
        "sid=",
        "t=N8hyd6w",
        "b64=1",
        "",
    ]);
    let headers = select(vec!["", "", "origin: http://localhost\r\n", "content-type: application/octet-stream\r\n"]);
    let bodies = select(vec![
        "40",
        "40",
        "",
        "3",
        "1",
        "42[\"message\",1]",
        "abc",
        "40\u{1e}42[\"message\",1]",
        "\u{1e}",
        "2probe",
        "5",
        "6",
        "0",
    ]);
    (methods, paths, vec(parameters, 0..5), headers, bodies)
        .prop_map(|(method, path, parameters, header, body)| Asked { method, path, parameters, header, body })
}

/// The status of the answer, and of what a session is told that it was about, or was not.
async fn answer(server: &Target, asked: &Asked) -> (u16, u16) {
    let client = Polling::open(server).await;
    let query = asked.parameters.join("&").replace("LIVE", &client.sid);
    let target = format!("{}?{query}", asked.path);
    let body = if asked.method == "GET" { "" } else { asked.body };
    let mut http = Http::dial(server.address).await;
    let answer = http.request(asked.method, &target, asked.header, body.as_bytes()).await;
    (answer.status, http.post(&client.target, "3").await.status)
}

/// Packets of all kinds, and what almost is one.
fn said() -> impl Strategy<Value = Said> {
    let kinds = select(vec!["0", "0", "1", "2", "2", "2", "3", "4", "5", "6", "7", "", "a"]);
    let counts = select(vec!["", "", "", "", "1-", "2-", "0-", "-", "1"]);
    let namespaces =
        select(vec!["", "", "", "/custom,", "/custom,", "/custom", "/private,", "/random,", "/é,", "/", ","]);
    let ids = select(vec!["", "", "", "7", "0", "007", "9007199254740993", "99999999999999999999", "-1", "x"]);
    let payloads = select(vec![
        "",
        "",
        r#"["message",1]"#,
        r#"["message",{"_placeholder":true,"num":0}]"#,
        r#"["message-with-ack","é",{"a":[null]}]"#,
        r#"["emit-with-ack"]"#,
        r#"["shout"]"#,
        r#"["throw-me-out"]"#,
        r#"["nobody listens"]"#,
        r#"["m\u0065ssage",1]"#,
        r#"{"word":"friend"}"#,
        "[]",
        "{}",
        "[1]",
        r#"["message","#,
        "null",
    ]);
    let packet = (kinds, counts, namespaces, ids, payloads).prop_map(|(kind, count, namespace, id, payload)| {
        Said::Text(format!("4{kind}{count}{namespace}{id}{payload}"))
    });
    let engine = select(vec!["", "0", "1", "2", "2probe", "3", "3probe", "5", "6", "7", "4", "b", "bAQ==", "é"]);
    prop_oneof![
        12 => packet,
        2 => engine.prop_map(|packet| Said::Text(packet.to_owned())),
        2 => vec(any::<u8>(), 0..4).prop_map(Said::Bytes),
        3 => Just(Said::Text("40".to_owned())),
    ]
}

/// Whether it asks to enter a namespace with what is no JSON.
fn is_broken_connect(said: &Said) -> bool {
    let Said::Text(text) = said else { return false };
    let Some(rest) = text.strip_prefix("40") else { return false };
    let auth = if rest.starts_with('/') { rest.split_once(',').map_or("", |(_, auth)| auth) } else { rest };
    !auth.is_empty() && serde_json::from_str::<serde_json::Value>(auth).is_err()
}

async fn by_websocket(server: &Target, script: &Vec<Said>) -> Vec<Outcome> {
    let (mut socket, _) = Socket::open(server).await;
    let mut outcomes = Vec::new();
    for said in script {
        match said {
            Said::Text(text) => socket.try_say(text).await,
            Said::Bytes(bytes) => socket.try_say_binary(bytes).await,
        }
        let mut heard = Vec::new();
        // Handlers are tasks of their own: what they say is said before the second answer. A third shows the end.
        for _ in 0..3 {
            socket.try_say(QUESTION).await;
            loop {
                match socket.hear().await {
                    Heard::Closed => {
                        outcomes.push(Outcome::Ended);
                        return outcomes;
                    }
                    Heard::Text(answer) if answer == ANSWER => break,
                    Heard::Text(text) => heard.push(without_id(text)),
                    Heard::Binary(bytes) => heard.push(format!("{bytes:?}")),
                }
            }
        }
        heard.sort();
        outcomes.push(Outcome::Heard(heard));
    }
    outcomes
}

async fn by_polling(server: &Target, script: &Vec<Said>) -> Vec<Outcome> {
    let mut client = Polling::open(server).await;
    let mut outcomes = Vec::new();
    for said in script {
        let packet = match said {
            Said::Text(text) => text.clone(),
            // Base64 of three bytes.
            Said::Bytes(_) => "bAQID".to_owned(),
        };
        let status = client.post(&packet).await.status;
        let mut heard = vec![status.to_string()];
        for _ in 0..3 {
            if client.post(QUESTION).await.status != 200 {
                outcomes.push(Outcome::Ended);
                return outcomes;
            }
            loop {
                match client.try_hear().await {
                    None => {
                        outcomes.push(Outcome::Ended);
                        return outcomes;
                    }
                    Some(answer) if answer == ANSWER => break,
                    Some(text) => heard.push(without_id(text)),
                }
            }
        }
        heard.sort();
        outcomes.push(Outcome::Heard(heard));
    }
    outcomes
}

/// Session ids are not alike.
fn without_id(text: String) -> String {
    match text.split_once("{\"sid\":") {
        Some((head, _)) => head.to_owned(),
        None => text,
    }
}

const SCRIPTS: u32 = 100;
const REQUESTS: u32 = 300;
