//! What is no packet: it ends the session that sent it, and no other.

use crate::client::{Heard, Polling, SEPARATOR, Socket};
use crate::target::Target;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

behaviours! {
    an_unknown_engine_packet_ends_a_websocket;
    an_unknown_engine_packet_ends_a_polling_session;
    an_unknown_packet_ends_the_session;
    an_event_that_is_no_array_ends_the_session;
    an_event_that_is_empty_ends_the_session;
    an_event_that_is_broken_ends_the_session fails on EVERYWHERE:
        "goes on", because "the library reads no further than an event's name before it calls a handler";
    an_id_that_is_no_number_ends_the_session;
    an_answer_without_an_id_ends_the_session;
    a_refusal_is_the_servers_to_send;
    attachments_that_are_not_counted_end_the_session;
    bytes_that_belong_to_nothing_end_the_session;
    a_text_where_an_attachment_is_due_ends_the_session;
    a_malformed_packet_ends_a_polling_session;
    attachments_that_are_no_base64_end_a_polling_session;
    text_that_is_no_text_ends_the_session;
    one_that_is_malformed_harms_nobody;
}

/// Engine.IO: "An Engine.IO packet consists of a packet type and an optional packet payload", and the types are 0 to 6.
async fn an_unknown_engine_packet_ends_a_websocket(server: &Target) {
    for packet in ["abc", "", "7", "9hello", "é", "-1"] {
        let mut socket = Socket::join(server, "/").await;
        socket.is_closed_by(packet).await;
    }
}

/// The same, over the other transport.
async fn an_unknown_engine_packet_ends_a_polling_session(server: &Target) {
    for packet in ["abc", "7", "é", "4\u{1e}abc"] {
        let mut client = Polling::join(server, "/").await;
        let answer = client.post(packet).await;
        assert_eq!(answer.status, 400, "{packet:?}");
        client.closes().await;
    }
}

/// Socket.IO: "Here is the list of available packet types": 0 to 6.
async fn an_unknown_packet_ends_the_session(server: &Target) {
    for packet in ["4abc", "47", "49[\"message\",1]", "4", "4é", "4 2[\"message\",1]"] {
        let mut socket = Socket::join(server, "/").await;
        socket.is_closed_by(packet).await;
        let (mut socket, _) = Socket::open(server).await;
        socket.is_closed_by(packet).await;
    }
}

/// "The payload is mandatory and MUST be a non-empty array. If that's not the case, then the receiver MUST close the
/// connection."
async fn an_event_that_is_no_array_ends_the_session(server: &Target) {
    for packet in ["42", "42{}", r#"42"message""#, "42null", "42/custom,", "421", "42{\"message\":1}"] {
        let mut socket = Socket::join(server, "/").await;
        socket.enter("/custom").await;
        socket.is_closed_by(packet).await;
    }
}

/// The same.
async fn an_event_that_is_empty_ends_the_session(server: &Target) {
    for packet in ["42[]", "421[]", "42[ ]", "42/custom,[]"] {
        let mut socket = Socket::join(server, "/").await;
        socket.enter("/custom").await;
        socket.is_closed_by(packet).await;
    }
}

/// "JSON-stringified payload": what is no JSON is no array.
async fn an_event_that_is_broken_ends_the_session(server: &Target) {
    for packet in [r#"42["message","#, r#"42["message",1"#, r#"42["message",}]"#, r#"42["message",1]]"#] {
        let mut socket = Socket::join(server, "/").await;
        socket.is_closed_by(packet).await;
    }
}

/// "[<acknowledgment id>]": an integer.
async fn an_id_that_is_no_number_ends_the_session(server: &Target) {
    for packet in [r#"42abc["message-with-ack",1]"#, r#"421.5["message-with-ack",1]"#, r#"42-1["message-with-ack",1]"#]
    {
        let mut socket = Socket::join(server, "/").await;
        socket.is_closed_by(packet).await;
    }
}

/// "Respond with an ACK packet with the same event ID": one without is none.
async fn an_answer_without_an_id_ends_the_session(server: &Target) {
    for packet in ["43[]", "43abc[]", "43", "461-[]"] {
        let mut socket = Socket::join(server, "/").await;
        socket.is_closed_by(packet).await;
    }
}

/// "CONNECT_ERROR: used during the connection to a namespace", by the server.
async fn a_refusal_is_the_servers_to_send(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.is_closed_by(r#"44{"message":"I do not like you"}"#).await;
}

/// "<packet type>[<# of binary attachments>-]": a binary packet says how many follow.
async fn attachments_that_are_not_counted_end_the_session(server: &Target) {
    for packet in [r#"45["message"]"#, r#"45-["message"]"#, r#"45x-["message"]"#, "45", "451", "46-1[]"] {
        let mut socket = Socket::join(server, "/").await;
        socket.is_closed_by(packet).await;
    }
}

/// "+ binary attachments extracted": they follow a packet that counts them.
async fn bytes_that_belong_to_nothing_end_the_session(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say_binary(&[1, 2, 3]).await;
    ends(&mut socket).await;
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
    socket.say_binary(&[1]).await;
    socket.hears(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await;
    socket.hears_binary(&[1]).await;
    socket.say_binary(&[2]).await;
    ends(&mut socket).await;
}

async fn ends(socket: &mut Socket) {
    // A goodbye may come first.
    while socket.hear().await != Heard::Closed {}
}

/// The same: directly, or another packet's attachments would be taken for them.
async fn a_text_where_an_attachment_is_due_ends_the_session(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    socket.say_binary(&[1]).await;
    socket.is_closed_by(r#"42["message",1]"#).await;
}

/// "The receiver MUST close the connection", over the other transport.
async fn a_malformed_packet_ends_a_polling_session(server: &Target) {
    for packet in ["4abc", "42[]", "42{}", "45[]", "bAQID"] {
        let mut client = Polling::join(server, "/").await;
        client.post(packet).await;
        client.closes().await;
    }
}

/// Engine.IO: "Binary payloads MUST be base64-encoded."
async fn attachments_that_are_no_base64_end_a_polling_session(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let event = r#"451-["message",{"_placeholder":true,"num":0}]"#;
    assert_eq!(client.post(&format!("{event}{SEPARATOR}b!?")).await.status, 400);
    client.closes().await;
}

/// RFC 6455, 8.1: text that is not UTF-8 fails the connection.
async fn text_that_is_no_text_ends_the_session(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let frame = Frame::message(&b"42[\"message\",\"\xff\xfe\"]"[..], OpCode::Data(Data::Text), true);
    socket.send(Message::Frame(frame)).await;
    ends(&mut socket).await;
}

/// All of the above ends one connection.
async fn one_that_is_malformed_harms_nobody(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let mut polling = Polling::join(server, "/").await;
    for packet in ["abc", "4abc", "42[]", "45["] {
        let mut malformed = Socket::join(server, "/").await;
        malformed.is_closed_by(packet).await;
        let mut malformed = Polling::join(server, "/").await;
        malformed.post(packet).await;
        malformed.closes().await;
    }
    socket.talks().await;
    polling.talks().await;
}
