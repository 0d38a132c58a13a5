//! Engine.IO, "WebSocket", and what RFC 6455 asks of one end.

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::client::websocket::WEBSOCKET;
use crate::client::{Heard, Polling, Socket};
use crate::handshake::is_refused;
use crate::target::Target;

behaviours! {
    each_packet_has_a_frame_of_its_own;
    packets_are_heard_in_order;
    binary_goes_as_it_is;
    frames_of_all_lengths_come_and_go;
    a_message_in_pieces_is_put_together;
    a_ping_of_the_websocket_is_answered;
    a_goodbye_of_the_websocket_is_answered;
    what_a_browser_offers_is_declined_or_kept;
    a_second_websocket_is_refused;
    a_connection_that_is_cut_harms_nobody;
}

/// "Each packet (read or write) is sent its own WebSocket frame."
async fn each_packet_has_a_frame_of_its_own(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for text in ["a", "b", "c"] {
        socket.say(&format!("42[\"message\",\"{text}\"]")).await;
    }
    for text in ["a", "b", "c"] {
        socket.hears(&format!("42[\"message-back\",\"{text}\"]")).await;
    }
}

/// "A bidirectional communication channel": what one side says, the other hears in that order.
async fn packets_are_heard_in_order(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for round in 0..10 {
        for number in 0..50 {
            socket.say(&format!("42[\"message\",{round},{number}]")).await;
        }
        for number in 0..50 {
            socket.hears(&format!("42[\"message-back\",{round},{number}]")).await;
        }
    }
}

/// "Binary payloads are sent as is, without modification."
async fn binary_goes_as_it_is(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let every_byte: Vec<u8> = (0..=255).collect();
    socket.say(r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
    socket.say_binary(&every_byte).await;
    socket.hears(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await;
    socket.hears_binary(&every_byte).await;
}

/// RFC 6455, 5.2: a length takes 7 bits, 16 or 64.
async fn frames_of_all_lengths_come_and_go(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let around = r#"42["message-back",""]"#.len();
    for len in [125, 126, 127, 65_535, 65_536, 65_537, 300_000] {
        let text = "x".repeat(len - around);
        socket.say(&format!("42[\"message\",\"{text}\"]")).await;
        socket.hears(&format!("42[\"message-back\",\"{text}\"]")).await;
    }
}

/// RFC 6455, 5.4: a message may be fragmented, with control frames in between.
async fn a_message_in_pieces_is_put_together(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let piece = |text: &'static str, data, is_last| {
        Message::Frame(Frame::message(text.as_bytes(), OpCode::Data(data), is_last))
    };
    socket.send(piece("42[\"mess", Data::Text, false)).await;
    socket.send(piece("age\",", Data::Continue, false)).await;
    socket.send(Message::Ping("in between".into())).await;
    socket.send(piece("1]", Data::Continue, true)).await;
    socket.hears(r#"42["message-back",1]"#).await;
}

/// RFC 6455, 5.5.2: "an endpoint MUST send a Pong frame in response".
async fn a_ping_of_the_websocket_is_answered(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.send(Message::Ping("are you there?".into())).await;
    loop {
        match socket.hear_frame().await.expect("the connection is open") {
            Message::Pong(answer) => break assert_eq!(&answer[..], b"are you there?"),
            Message::Text(ping) if ping.as_str() == "2" => socket.say("3").await,
            other => panic!("wanted a pong, heard {other:?}"),
        }
    }
    socket.talks().await;
}

/// RFC 6455, 5.5.1: "the endpoint MUST send a Close frame in response".
async fn a_goodbye_of_the_websocket_is_answered(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.send(Message::Close(None)).await;
    loop {
        match socket.hear_frame().await.expect("a goodbye comes before the end") {
            Message::Close(_) => break,
            Message::Text(ping) if ping.as_str() == "2" => {}
            other => panic!("wanted a goodbye, heard {other:?}"),
        }
    }
    assert_eq!(socket.hear_frame().await, None);
}

/// RFC 6455, 9.1: an extension is in use when the server says so; browsers offer one with every handshake.
async fn what_a_browser_offers_is_declined_or_kept(server: &Target) {
    let headers = [
        ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
        ("connection", "keep-alive, Upgrade"),
        ("origin", "http://localhost:8080"),
    ];
    let granted = Socket::dial_with(server, WEBSOCKET, &headers).await;
    let (mut socket, response) = granted.expect("the upgrade is granted");
    assert!(!response.headers().contains_key("sec-websocket-extensions"), "{response:?}");
    assert!(matches!(socket.hear().await, Heard::Text(open) if open.starts_with("0{")));
    socket.talks().await;
}

/// "A client MUST NOT open more than one WebSocket connection per session. Should it happen, the server MUST close the
/// WebSocket connection."
async fn a_second_websocket_is_refused(server: &Target) {
    let (mut socket, open) = Socket::open(server).await;
    let sid = open["sid"].as_str().expect("a session id");
    is_refused(server, &format!("{WEBSOCKET}&sid={sid}")).await;
    socket.talks().await;
}

/// A connection ends at any time, without a word: others have their own.
async fn a_connection_that_is_cut_harms_nobody(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let mut polling = Polling::join(server, "/").await;
    for _ in 0..5 {
        let mut cut = Socket::join(server, "/").await;
        cut.say(r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
        drop(cut);
    }
    socket.talks().await;
    polling.talks().await;
}
