//! Engine.IO, "HTTP long-polling": how packets come and go by request and answer.

use std::collections::HashSet;

use crate::client::http::head;
use crate::client::polling::POLLING;
use crate::client::{Http, Polling, SEPARATOR, Socket};
use crate::target::{MAX_PAYLOAD, Target};

behaviours! {
    packets_go_by_post_and_come_by_get;
    an_unknown_session_is_refused;
    a_session_over_websocket_is_not_polled;
    a_poll_waits_until_there_is_something;
    packets_of_a_payload_are_heard_in_order;
    packets_are_put_together_in_a_payload;
    an_answer_says_what_it_is;
    a_body_is_text_whether_it_says_so_or_not;
    a_body_may_come_in_chunks;
    a_session_is_not_bound_to_a_connection;
    a_large_packet_comes_and_goes;
    a_payload_beyond_the_limit_is_refused;
    two_polls_at_once_end_the_session;
    two_posts_at_once_end_the_session fails on STOCK:
        "the second POST", because "it takes each POST as it comes, and their packets mix";
    other_methods_are_refused;
}

/// "To send some packets, a client MUST create an HTTP POST request with the packets encoded in the request body. To
/// indicate success, the server MUST return an HTTP 200 response, with the string `ok` in the response body. To receive
/// some packets, a client MUST create an HTTP GET request."
async fn packets_go_by_post_and_come_by_get(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.say(r#"42["message","hello"]"#).await;
    client.hears(r#"42["message-back","hello"]"#).await;
}

/// "The server MUST return an HTTP 400 response if the session ID (from the `sid` query parameter) is not known."
async fn an_unknown_session_is_refused(server: &Target) {
    let mut http = Http::dial(server.address).await;
    for sid in ["AAAAAAAAAAAAAAHs", "nonsense", "%00", ""] {
        let target = format!("{POLLING}&sid={sid}");
        assert_eq!(http.get(&target).await.status, 400, "{sid}");
        assert_eq!(http.post(&target, "40").await.status, 400, "{sid}");
    }
}

/// "transport: mandatory, the name of the transport": a session has one at a time.
async fn a_session_over_websocket_is_not_polled(server: &Target) {
    let (mut socket, open) = Socket::open(server).await;
    let target = format!("{POLLING}&sid={}", open["sid"].as_str().expect("a session id"));
    let mut http = Http::dial(server.address).await;
    assert_eq!(http.get(&target).await.status, 400);
    assert_eq!(http.post(&target, "40").await.status, 400);
    socket.talks().await;
}

/// "The server MAY not respond right away if there are no packets buffered for the given session. Once there are some
/// packets to be sent, the server SHOULD encode them and send them in the response body of the HTTP request."
async fn a_poll_waits_until_there_is_something(server: &Target) {
    let mut other = Socket::join(server, "/").await;
    let mut client = Polling::join(server, "/").await;
    let heard = async { client.hear().await };
    let shout = async {
        other.say(r#"42["shout","wake up"]"#).await;
        other.talks().await;
    };
    let (heard, ()) = futures_util::future::join(heard, shout).await;
    assert_eq!(heard, r#"42["shouted","wake up"]"#);
}

/// "Multiple packets might be concatenated in a single payload. The packets are separated by the record separator
/// character."
async fn packets_of_a_payload_are_heard_in_order(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let packets: Vec<_> = (0..50).map(|number| format!("42[\"message\",{number}]")).collect();
    client.say(&packets.join(&SEPARATOR.to_string())).await;
    for number in 0..50 {
        client.hears(&format!("42[\"message-back\",{number}]")).await;
    }
}

/// The same, in the other direction.
async fn packets_are_put_together_in_a_payload(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    for number in 0..10 {
        client.say(&format!("42[\"message\",{number}]")).await;
    }
    let answer = client.get().await;
    let packets = answer.body.split(SEPARATOR).filter(|packet| *packet != "2");
    let wanted: Vec<_> = (0..10).map(|number| format!("42[\"message-back\",{number}]")).collect();
    assert_eq!(packets.collect::<Vec<_>>(), wanted);
}

/// "Without an explicit Content-Type header, the receiver SHOULD infer that the data is plaintext", and an answer has
/// one that says so.
async fn an_answer_says_what_it_is(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.say(r#"42["message","grüße"]"#).await;
    let answer = client.get().await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
}

/// The same of requests.
async fn a_body_is_text_whether_it_says_so_or_not(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let mut http = Http::dial(server.address).await;
    for (number, header) in
        ["", "content-type: text/plain\r\n", "content-type: text/plain;charset=UTF-8\r\n"].into_iter().enumerate()
    {
        let packet = format!("42[\"message\",{number},\"grüße\"]");
        let answer = http.request("POST", &client.target, header, packet.as_bytes()).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{header}");
        client.hears(&format!("42[\"message-back\",{number},\"grüße\"]")).await;
    }
}

/// HTTP/1.1: a body may be sent piece by piece, and a piece may end anywhere.
async fn a_body_may_come_in_chunks(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let mut http = Http::dial(server.address).await;
    http.send(head("POST", &client.target, "transfer-encoding: chunked\r\n").as_bytes()).await;
    for piece in ["42[\"mess", "age\",1]\u{1e}", "42[\"message\",2]"] {
        http.send(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await;
    }
    http.send(b"0\r\n\r\n").await;
    let answer = http.answer().await.expect("the server answers");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    client.hears(r#"42["message-back",1]"#).await;
    client.hears(r#"42["message-back",2]"#).await;
}

/// "The client MUST send the sid value in the query parameters of all subsequent requests": it is all there is to tell
/// a session by.
async fn a_session_is_not_bound_to_a_connection(server: &Target) {
    let client = Polling::join(server, "/").await;
    let mut heard = HashSet::new();
    for number in 0..5 {
        let packet = format!("42[\"message\",{number}]");
        assert_eq!(Http::dial(server.address).await.post(&client.target, packet).await.status, 200);
        let answer = Http::dial(server.address).await.get(&client.target).await;
        heard.extend(answer.body.split(SEPARATOR).filter(|packet| *packet != "2").map(str::to_owned));
    }
    assert_eq!(heard.len(), 5, "{heard:?}");
}

/// "maxPayload: the maximum number of bytes per chunk": what is below it comes and goes.
async fn a_large_packet_comes_and_goes(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    for len in [1_000, 70_000, 900_000] {
        let text = "x".repeat(len);
        client.say(&format!("42[\"message\",\"{text}\"]")).await;
        client.hears(&format!("42[\"message-back\",\"{text}\"]")).await;
    }
}

/// The same: more is not taken.
async fn a_payload_beyond_the_limit_is_refused(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let text = "x".repeat(MAX_PAYLOAD as usize);
    let answer = client.post(&format!("42[\"message\",\"{text}\"]")).await;
    assert_eq!(answer.status, 413);
}

/// "To ensure packet ordering, a client MUST NOT have more than one active GET request. Should it happen, the server
/// MUST return an HTTP 400 error status and close the session."
async fn two_polls_at_once_end_the_session(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    // One of the two waits, and the other finds it waiting.
    client.hush().await;
    let target = client.target.clone();
    let mut other = Http::dial(server.address).await;
    let (first, second) = futures_util::future::join(client.get(), other.get(&target)).await;
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{first:?} {second:?}");
    client.is_closed().await;
}

/// "To ensure packet ordering, a client MUST NOT have more than one active POST request. Should it happen, the server
/// MUST return an HTTP 400 error status and close the session."
async fn two_posts_at_once_end_the_session(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let mut slow = Http::dial(server.address).await;
    let headers = "content-length: 20\r\nexpect: 100-continue\r\n";
    slow.send(head("POST", &client.target, headers).as_bytes()).await;
    // The server reads the body: this request is active.
    assert_eq!(slow.answer().await.expect("the server answers").status, 100);
    slow.send(b"42[\"mess").await;
    let second = client.post("3").await;
    assert_eq!(second.status, 400, "the second POST is taken");
    client.is_closed().await;
    slow.send(b"age\",\"slow\"]").await;
    assert_eq!(slow.answer().await.expect("the server answers").status, 400);
}

/// "GET requests, for receiving data from the server; POST requests, for sending data to the server."
async fn other_methods_are_refused(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let mut http = Http::dial(server.address).await;
    for method in ["PUT", "DELETE", "PATCH"] {
        assert_eq!(http.request(method, &client.target, "", b"40").await.status, 400, "{method}");
    }
    client.talks().await;
}
