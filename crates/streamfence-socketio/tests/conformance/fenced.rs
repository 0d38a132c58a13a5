//! The same protocol in what the fence says and hears, in a fenced namespace of its own.

use serde_json::{Value, json};
use streamfence_core::ClientId;
use streamfence_runtime::Payload;

use crate::client::{Heard, Polling, SEPARATOR, Socket};
use crate::target::{FEED, Target};
use crate::upgrade::probe;

behaviours! {
    ours:
    a_client_enters_with_its_auth;
    a_client_that_is_not_welcome_is_refused;
    a_client_leaves_and_hears_nothing_more;
    the_server_ends_a_namespace;
    each_verb_is_answered_when_it_is_asked_to;
    a_refusal_is_an_answer_too;
    no_verb_is_answered_when_it_is_not_asked_to;
    a_message_is_an_event;
    a_message_comes_by_polling;
    a_binary_message_is_a_binary_event;
    a_binary_message_comes_by_polling;
    a_client_publishes_with_attachments;
    a_message_is_acknowledged_by_an_event;
    a_message_is_acknowledged_by_its_callback;
    a_message_is_acknowledged_by_polling;
    attachments_follow_their_packet_whoever_else_talks;
    nothing_is_lost_by_an_upgrade;
    a_wish_that_makes_no_sense_is_refused;
    a_wish_that_is_no_json_ends_the_session;
}

const AUTH: &str = r#"{"word":"friend"}"#;

impl Socket {
    async fn enter_feed(&mut self) {
        self.enter_with(FEED, AUTH).await;
        self.hears(&format!("42/feed,[\"auth\",{AUTH}]")).await;
    }

    async fn join_feed(server: &Target) -> Self {
        let (mut socket, _) = Self::open(server).await;
        socket.enter_feed().await;
        socket
    }

    /// A client that is subscribed to a topic, and who it is.
    async fn subscriber(server: &Target, topic: &str) -> (Self, ClientId) {
        let mut socket = Self::join_feed(server).await;
        socket.say(&format!("42/feed,[\"subscribe\",{{\"topic\":\"{topic}\"}}]")).await;
        let subscribed = socket.feed_event("subscribed").await;
        let client = subscribed["clientId"].as_str().and_then(|id| id.parse().ok());
        (socket, client.expect("a client is told who it is"))
    }

    /// The argument of the next packet, which must be such an event.
    async fn feed_event(&mut self, name: &str) -> Value {
        let Heard::Text(text) = self.hear().await else { panic!("wanted {name}") };
        argument(&text, &format!("42/feed,[\"{name}\","))
    }

    /// The answer to a question.
    async fn answer_to(&mut self, id: u32) -> Value {
        let Heard::Text(text) = self.hear().await else { panic!("wanted the answer to {id}") };
        argument(&text, &format!("43/feed,{id}["))
    }
}

fn argument(text: &str, head: &str) -> Value {
    let argument = text.strip_prefix(head).and_then(|rest| rest.strip_suffix(']'));
    let argument = argument.unwrap_or_else(|| panic!("wanted {head}..], heard {text}"));
    serde_json::from_str(argument).unwrap_or_else(|why| panic!("{why} in {text}"))
}

impl Polling {
    async fn enter_feed(&mut self) {
        self.say(&format!("40/feed,{AUTH}")).await;
        assert!(self.hear().await.starts_with("40/feed,{\"sid\":"));
        self.hears(&format!("42/feed,[\"auth\",{AUTH}]")).await;
    }

    async fn subscriber(server: &Target, topic: &str) -> Self {
        let mut client = Self::open(server).await;
        client.enter_feed().await;
        client.say(&format!("42/feed,[\"subscribe\",{{\"topic\":\"{topic}\"}}]")).await;
        argument(&client.hear().await, "42/feed,[\"subscribed\",");
        client
    }
}

fn number(number: u32) -> Payload {
    Payload::serialize(&json!({"n": number})).expect("this is JSON")
}

/// "The server MUST respond with a CONNECT packet if the connection is successful, with the session ID in the payload."
async fn a_client_enters_with_its_auth(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.enter_feed().await;
    socket.enter("/").await;
    socket.talks().await;
}

/// "Or a CONNECT_ERROR packet if the connection is not allowed."
async fn a_client_that_is_not_welcome_is_refused(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    for auth in ["", r#"{"word":"enemy"}"#, "[]", "7"] {
        socket.say(&format!("40/feed,{auth}")).await;
        socket.hears(r#"44/feed,{"message":"Not authorized"}"#).await;
    }
    socket.enter_feed().await;
}

/// "One side can end the connection to a namespace by sending a DISCONNECT packet. No response is expected."
async fn a_client_leaves_and_hears_nothing_more(server: &Target) {
    let (mut socket, _) = Socket::subscriber(server, "tick").await;
    let (mut other, _) = Socket::subscriber(server, "tick").await;
    socket.say("41/feed,").await;
    // The next thing said is answered, so that the one before it is heard.
    socket.talks().await;
    server.publish("tick", number(1)).await;
    assert_eq!(other.feed_event("tick").await, json!({"n": 1}));
    socket.talks().await;
    socket.enter_feed().await;
    socket.say(r#"42/feed,["message","again"]"#).await;
    socket.hears(r#"42/feed,["message-back","again"]"#).await;
}

/// The same, by the server.
async fn the_server_ends_a_namespace(server: &Target) {
    let (mut socket, client) = Socket::subscriber(server, "tick").await;
    socket.enter("/").await;
    assert!(server.fence().disconnect(client).await);
    socket.hears("41/feed,").await;
    socket.say(r#"42["message",1]"#).await;
    socket.hears(r#"42["message-back",1]"#).await;
    socket.enter_feed().await;
}

/// "The receiver MUST respond with an ACK packet with the same event ID": after the event that says the same.
async fn each_verb_is_answered_when_it_is_asked_to(server: &Target) {
    let mut socket = Socket::join_feed(server).await;
    socket.say(r#"42/feed,1["subscribe",{"topic":"talk"}]"#).await;
    let subscribed = socket.feed_event("subscribed").await;
    let answer = socket.answer_to(1).await;
    assert_eq!((&answer["ok"], &answer["topic"]), (&json!(true), &json!("talk")));
    assert_eq!(answer["clientId"], subscribed["clientId"]);

    socket.say(r#"42/feed,2["subscribe",{"topics":["tick","alert"]}]"#).await;
    for topic in ["tick", "alert"] {
        assert_eq!(socket.feed_event("subscribed").await["topic"], topic);
    }
    let answer = socket.answer_to(2).await;
    assert_eq!((&answer["ok"], answer["results"].as_array().map(Vec::len)), (&json!(true), Some(2)));

    socket.say(r#"42/feed,3["publish",{"topic":"talk","payload":"hello"}]"#).await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let Heard::Text(text) = socket.hear().await else { panic!("it ends after {heard:?}") };
        heard.push(text);
    }
    heard.sort();
    assert_eq!(heard, [r#"42/feed,["talk","hello"]"#, r#"43/feed,3[{"ok":true}]"#]);

    server.publish("alert", number(1)).await;
    let Heard::Text(message) = socket.hear().await else { panic!("wanted a message") };
    let id = message_id(&message);
    socket.say(&format!("42/feed,4[\"ack\",{{\"topic\":\"alert\",\"messageId\":\"{id}\"}}]")).await;
    assert_eq!(socket.answer_to(4).await, json!({"ok": true}));
    socket.say(&format!("42/feed,5[\"nack\",{{\"topic\":\"alert\",\"messageId\":\"{id}\"}}]")).await;
    assert_eq!(socket.answer_to(5).await, json!({"ok": true}));

    socket.say(r#"42/feed,6["unsubscribe",{"topic":"talk"}]"#).await;
    assert_eq!(socket.feed_event("unsubscribed").await["reason"], "client");
    assert_eq!(socket.answer_to(6).await["ok"], true);
}

fn message_id(message: &str) -> String {
    let metadata = &message[message.rfind(",{").expect("a message has metadata") + 1..message.len() - 1];
    let metadata: Value = serde_json::from_str(metadata).expect("JSON");
    metadata["messageId"].as_str().expect("a message has an id").to_owned()
}

/// The same, when the answer is no.
async fn a_refusal_is_an_answer_too(server: &Target) {
    let mut socket = Socket::join_feed(server).await;
    for (id, verb) in (1..).zip(["subscribe", "unsubscribe", "publish", "ack", "nack"]) {
        let wish = r#"{"topic":"nowhere","payload":1,"messageId":"x"}"#;
        socket.say(&format!("42/feed,{id}[\"{verb}\",{wish}]")).await;
        let error = socket.feed_event("error").await;
        let answer = socket.answer_to(id).await;
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!("UNKNOWN_TOPIC")), "{verb}");
        assert_eq!(answer["message"], error["message"], "{verb}");
    }
}

/// "The sender MAY include an event ID": without one there is the event only, or nothing.
async fn no_verb_is_answered_when_it_is_not_asked_to(server: &Target) {
    let mut socket = Socket::join_feed(server).await;
    socket.say(r#"42/feed,["subscribe",{"topic":"tick"}]"#).await;
    socket.feed_event("subscribed").await;
    socket.say(r#"42/feed,["ack",{"topic":"tick","messageId":"x"}]"#).await;
    socket.say(r#"42/feed,["publish",{"topic":"talk","payload":1}]"#).await;
    socket.say(r#"42/feed,["unsubscribe",{"topic":"tick"}]"#).await;
    socket.feed_event("unsubscribed").await;
    socket.talks().await;
}

/// `2/admin,["bar"]`.
async fn a_message_is_an_event(server: &Target) {
    let (mut socket, _) = Socket::subscriber(server, "tick").await;
    for n in 0..100 {
        server.publish("tick", number(n)).await;
    }
    for n in 0..100 {
        socket.hears(&format!("42/feed,[\"tick\",{{\"n\":{n}}}]")).await;
    }
}

/// The same, over the other transport.
async fn a_message_comes_by_polling(server: &Target) {
    let mut client = Polling::subscriber(server, "tick").await;
    for n in 0..100 {
        server.publish("tick", number(n)).await;
    }
    for n in 0..100 {
        client.hears(&format!("42/feed,[\"tick\",{{\"n\":{n}}}]")).await;
    }
}

fn two_attachments() -> Payload {
    let text = r#"{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}"#;
    let attachments = vec![vec![1, 2, 3, 4].into(), vec![5].into()];
    Payload::with_attachments(text, attachments).expect("each attachment is named once")
}

const TWO: &str = r#"452-/feed,["tick",{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}]"#;

/// `52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`.
async fn a_binary_message_is_a_binary_event(server: &Target) {
    let (mut socket, _) = Socket::subscriber(server, "tick").await;
    server.publish("tick", Payload::binary(&b"abc"[..])).await;
    server.publish("tick", two_attachments()).await;
    socket.hears(r#"451-/feed,["tick",{"_placeholder":true,"num":0}]"#).await;
    socket.hears_binary(b"abc").await;
    socket.hears(TWO).await;
    socket.hears_binary(&[1, 2, 3, 4]).await;
    socket.hears_binary(&[5]).await;
}

/// Engine.IO: "Binary payloads MUST be base64-encoded and prefixed with a `b` character."
async fn a_binary_message_comes_by_polling(server: &Target) {
    let mut client = Polling::subscriber(server, "tick").await;
    server.publish("tick", two_attachments()).await;
    client.hears(TWO).await;
    client.hears("bAQIDBA==").await;
    client.hears("bBQ==").await;
}

/// "With binary data", from the client, and back to it.
async fn a_client_publishes_with_attachments(server: &Target) {
    let (mut socket, _) = Socket::subscriber(server, "talk").await;
    let payload = r#"{"image":{"_placeholder":true,"num":0}}"#;
    socket.say(&format!("451-/feed,[\"publish\",{{\"topic\":\"talk\",\"payload\":{payload}}}]")).await;
    socket.say_binary(b"image").await;
    socket.hears(&format!("451-/feed,[\"talk\",{payload}]")).await;
    socket.hears_binary(b"image").await;
    let mut client = Polling::subscriber(server, "talk").await;
    let wish = format!("451-/feed,[\"publish\",{{\"topic\":\"talk\",\"payload\":{payload}}}]");
    client.say(&format!("{wish}{SEPARATOR}bAQIDBA==")).await;
    client.hears(&format!("451-/feed,[\"talk\",{payload}]")).await;
    client.hears("bAQIDBA==").await;
    socket.hears(&format!("451-/feed,[\"talk\",{payload}]")).await;
    socket.hears_binary(&[1, 2, 3, 4]).await;
}

/// One at a time is on its way to the client: the next comes when it has said that it has it.
async fn a_message_is_acknowledged_by_an_event(server: &Target) {
    let (mut socket, _) = Socket::subscriber(server, "alert").await;
    for n in 0..3 {
        server.publish("alert", number(n)).await;
    }
    for n in 0..3 {
        let Heard::Text(message) = socket.hear().await else { panic!("wanted a message") };
        assert!(message.starts_with(&format!("42/feed,[\"alert\",{{\"n\":{n}}},{{\"namespace\":")), "{message}");
        socket.talks().await;
        let id = message_id(&message);
        socket.say(&format!("42/feed,[\"ack\",{{\"topic\":\"alert\",\"messageId\":\"{id}\"}}]")).await;
    }
    socket.talks().await;
}

/// "With the same event ID": `2/admin,13["foo"]` and `3/admin,13["bar"]`, which the server asks for here.
async fn a_message_is_acknowledged_by_its_callback(server: &Target) {
    let (mut socket, _) = Socket::subscriber(server, "called").await;
    for n in 0..3 {
        server.publish("called", number(n)).await;
    }
    for n in 0..3 {
        let Heard::Text(message) = socket.hear().await else { panic!("wanted a message") };
        let id = callback(&message, n);
        socket.talks().await;
        socket.say(&format!("43/feed,{id}[\"thanks\"]")).await;
    }
    socket.talks().await;
}

fn callback(message: &str, n: u32) -> u64 {
    let event = format!("[\"called\",{{\"n\":{n}}},{{\"namespace\":");
    let id = message.strip_prefix("42/feed,").and_then(|rest| rest.split_once(&event));
    id.and_then(|(id, _)| id.parse().ok()).unwrap_or_else(|| panic!("no callback for {n} in {message}"))
}

/// The same, over the other transport.
async fn a_message_is_acknowledged_by_polling(server: &Target) {
    let mut client = Polling::subscriber(server, "called").await;
    for n in 0..3 {
        server.publish("called", number(n)).await;
    }
    for n in 0..3 {
        let id = callback(&client.hear().await, n);
        client.say(&format!("43/feed,{id}[]")).await;
    }
}

/// "+ binary attachments extracted": directly after their packet, though the fence and the application share one
/// connection.
async fn attachments_follow_their_packet_whoever_else_talks(server: &Target) {
    const EACH: u8 = 50;
    let (mut socket, _) = Socket::subscriber(server, "tick").await;
    socket.enter("/").await;
    for n in 0..EACH {
        socket.say(&format!("451-[\"message\",{n},{{\"_placeholder\":true,\"num\":0}}]")).await;
        socket.say_binary(&[n, 0]).await;
        server.publish("tick", Payload::binary(vec![n, 1])).await;
        server.publish("tick", number(n.into())).await;
        socket.say(&format!("42[\"message\",{n}]")).await;
    }
    let (mut echoes, mut ticks) = ((0, 0), (0, 0));
    while (echoes, ticks) != ((EACH, EACH), (EACH, EACH)) {
        let Heard::Text(text) = socket.hear().await else { panic!("bytes without a packet: {echoes:?} {ticks:?}") };
        if let Some(rest) = text.strip_prefix("451-[\"message-back\",") {
            assert_eq!(rest, format!("{},{{\"_placeholder\":true,\"num\":0}}]", echoes.0));
            socket.hears_binary(&[echoes.0, 0]).await;
            echoes.0 += 1;
        } else if text.starts_with("451-/feed,") {
            socket.hears_binary(&[ticks.0, 1]).await;
            ticks.0 += 1;
        } else if text.starts_with("42[") {
            assert_eq!(text, format!("42[\"message-back\",{}]", echoes.1));
            echoes.1 += 1;
        } else {
            assert_eq!(text, format!("42/feed,[\"tick\",{{\"n\":{}}}]", ticks.1));
            ticks.1 += 1;
        }
    }
    socket.talks().await;
}

/// Engine.IO: "to ensure that no packet gets lost", whatever the moment a message is published at.
async fn nothing_is_lost_by_an_upgrade(server: &Target) {
    let mut polling = Polling::subscriber(server, "tick").await;
    let mut published = 0;
    let mut publish = async || {
        for _ in 0..50 {
            server.publish("tick", number(published)).await;
            published += 1;
        }
    };
    publish().await;
    polling.hears(r#"42/feed,["tick",{"n":0}]"#).await;
    let before = polling.rest();
    publish().await;
    let mut socket = probe(server, &polling).await;
    publish().await;
    socket.say("5").await;
    publish().await;
    for (n, packet) in (1..).zip(&before) {
        assert_eq!(*packet, format!("42/feed,[\"tick\",{{\"n\":{n}}}]"));
    }
    let first = 1 + u32::try_from(before.len()).expect("they are few");
    for n in first..200 {
        socket.hears(&format!("42/feed,[\"tick\",{{\"n\":{n}}}]")).await;
    }
    socket.talks().await;
}

/// A well-formed event is answered, whatever it says.
async fn a_wish_that_makes_no_sense_is_refused(server: &Target) {
    let mut socket = Socket::join_feed(server).await;
    for (id, wish) in (1..).zip([r#""subscribe""#, r#""subscribe",7"#, r#""ack",{}"#, r#""publish",{"topic":7}"#]) {
        socket.say(&format!("42/feed,{id}[{wish}]")).await;
        assert_eq!(socket.feed_event("error").await["code"], "BAD_REQUEST", "{wish}");
        assert_eq!(socket.answer_to(id).await["code"], "BAD_REQUEST", "{wish}");
    }
    socket.talks().await;
}

/// "The payload is mandatory and MUST be a non-empty array. If that's not the case, then the receiver MUST close the
/// connection."
async fn a_wish_that_is_no_json_ends_the_session(server: &Target) {
    for verb in ["subscribe", "unsubscribe", "publish", "ack", "nack"] {
        for rest in ["", ",", ",{]", ",{}]]"] {
            let mut socket = Socket::join_feed(server).await;
            socket.is_closed_by(&format!("42/feed,[\"{verb}\"{rest}")).await;
        }
    }
    let mut client = Polling::subscriber(server, "tick").await;
    client.post(r#"42/feed,["subscribe",{"topic"]"#).await;
    client.closes().await;
}
