//! Socket.IO, "BINARY_EVENT" and "BINARY_ACK": a packet whose bytes follow it.

use crate::client::{Heard, Polling, SEPARATOR, Socket};
use crate::target::Target;

behaviours! {
    attachments_follow_their_event;
    attachments_follow_an_event_of_a_namespace;
    placeholders_stand_anywhere;
    attachments_follow_an_answer;
    a_client_answers_with_attachments;
    attachments_of_all_lengths_come_and_go;
    each_event_has_its_own_attachments;
    attachments_are_base64_in_a_payload;
    a_payload_with_attachments_says_that_it_is_binary fails on EVERYWHERE:
        "text/plain", because "what a payload has of bytes is base64, and the reference too calls that text";
    attachments_may_come_in_another_payload;
    attachments_are_for_all_others_too;
    an_event_may_count_no_attachment;
}

/// `51-["baz",{"_placeholder":true,"num":0}]` and `<Buffer 01 02 03 04>`.
async fn attachments_follow_their_event(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let arguments = r#"1,{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    socket.say(&format!("452-[\"message\",{arguments}]")).await;
    socket.say_binary(&[1, 2, 3]).await;
    socket.say_binary(&[4, 5, 6]).await;
    socket.hears(&format!("452-[\"message-back\",{arguments}]")).await;
    socket.hears_binary(&[1, 2, 3]).await;
    socket.hears_binary(&[4, 5, 6]).await;
}

/// `52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`.
async fn attachments_follow_an_event_of_a_namespace(server: &Target) {
    let mut socket = Socket::join(server, "/custom").await;
    let arguments = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    socket.say(&format!("452-/custom,[\"message\",{arguments}]")).await;
    socket.say_binary(&[1, 2]).await;
    socket.say_binary(&[3, 4]).await;
    socket.hears(&format!("452-/custom,[\"message-back\",{arguments}]")).await;
    socket.hears_binary(&[1, 2]).await;
    socket.hears_binary(&[3, 4]).await;
}

/// "JSON-stringified payload without binary": the bytes may be at any depth.
async fn placeholders_stand_anywhere(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let arguments = r#"{"a":[1,{"_placeholder":true,"num":0}],"b":{"c":{"_placeholder":true,"num":1}}},"plain""#;
    socket.say(&format!("452-[\"message\",{arguments}]")).await;
    socket.say_binary(b"first").await;
    socket.say_binary(b"second").await;
    socket.hears(&format!("452-[\"message-back\",{arguments}]")).await;
    socket.hears_binary(b"first").await;
    socket.hears_binary(b"second").await;
}

/// `61-15["bar",{"_placeholder":true,"num":0}]`: an answer may have attachments, and a question too.
async fn attachments_follow_an_answer(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let arguments = r#"1,{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    socket.say(&format!("452-789[\"message-with-ack\",{arguments}]")).await;
    socket.say_binary(&[1, 2, 3]).await;
    socket.say_binary(&[4, 5, 6]).await;
    socket.hears(&format!("462-789[{arguments}]")).await;
    socket.hears_binary(&[1, 2, 3]).await;
    socket.hears_binary(&[4, 5, 6]).await;
}

/// The same, in the other direction.
async fn a_client_answers_with_attachments(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let arguments = r#"{"_placeholder":true,"num":0},"test""#;
    socket.say(&format!("451-[\"emit-with-ack\",{arguments}]")).await;
    socket.say_binary(b"question").await;
    let Heard::Text(asked) = socket.hear().await else { panic!("wanted an event") };
    let event = format!("[\"emit-with-ack\",{arguments}]");
    let id = asked.strip_prefix("451-").and_then(|rest| rest.strip_suffix(&event)).expect("a question");
    assert!(id.parse::<u64>().is_ok(), "{asked}");
    socket.hears_binary(b"question").await;
    socket.say(&format!("461-{id}[{arguments}]")).await;
    socket.say_binary(b"answer").await;
    socket.hears(&format!("451-{event}")).await;
    socket.hears_binary(b"answer").await;
}

/// "Binary attachments": of any length, none included.
async fn attachments_of_all_lengths_come_and_go(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for len in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        socket.say(r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
        socket.say_binary(&bytes).await;
        socket.hears(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await;
        socket.hears_binary(&bytes).await;
    }
}

/// "+ binary attachments extracted": directly after their packet, whatever else is on its way.
async fn each_event_has_its_own_attachments(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.enter("/custom").await;
    for number in 0..20_u8 {
        socket.say(&format!("451-[\"message\",{number},{{\"_placeholder\":true,\"num\":0}}]")).await;
        socket.say_binary(&[number]).await;
        socket.say(&format!("42/custom,[\"message\",{number}]")).await;
    }
    for number in 0..20_u8 {
        socket.hears(&format!("451-[\"message-back\",{number},{{\"_placeholder\":true,\"num\":0}}]")).await;
        socket.hears_binary(&[number]).await;
        socket.hears(&format!("42/custom,[\"message-back\",{number}]")).await;
    }
}

/// Engine.IO: "Binary payloads MUST be base64-encoded and prefixed with a `b` character."
async fn attachments_are_base64_in_a_payload(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let arguments = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    client.say(&format!("452-[\"message\",{arguments}]{SEPARATOR}bAQIDBA=={SEPARATOR}b")).await;
    client.hears(&format!("452-[\"message-back\",{arguments}]")).await;
    client.hears("bAQIDBA==").await;
    client.hears("b").await;
}

/// Engine.IO: "When sending binary data, the sender (client or server) MUST include a `Content-Type:
/// application/octet-stream` header."
async fn a_payload_with_attachments_says_that_it_is_binary(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.say(&format!("451-[\"message\",{{\"_placeholder\":true,\"num\":0}}]{SEPARATOR}bAQIDBA==")).await;
    loop {
        let answer = client.get().await;
        if answer.body.contains("bAQIDBA==") {
            break assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        }
    }
}

/// A payload is what was ready to be sent, not what belongs together.
async fn attachments_may_come_in_another_payload(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.say(r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
    client.say("bAQIDBA==").await;
    client.hears(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await;
    client.hears("bAQIDBA==").await;
}

/// The same, on both transports at a time.
async fn attachments_are_for_all_others_too(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    let mut other = Socket::join(server, "/").await;
    let mut polling = Polling::join(server, "/").await;
    socket.say(r#"451-["shout",{"_placeholder":true,"num":0}]"#).await;
    socket.say_binary(&[1, 2, 3, 4]).await;
    other.hears(r#"451-["shouted",{"_placeholder":true,"num":0}]"#).await;
    other.hears_binary(&[1, 2, 3, 4]).await;
    polling.hears(r#"451-["shouted",{"_placeholder":true,"num":0}]"#).await;
    polling.hears("bAQIDBA==").await;
}

/// "<# of binary attachments>-": none is a number too.
async fn an_event_may_count_no_attachment(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"450-["message",1]"#).await;
    socket.hears(r#"42["message-back",1]"#).await;
}
