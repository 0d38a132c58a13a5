//! Socket.IO, "Connection to a namespace": who comes in, and where.

use std::time::Duration;

use serde_json::Value;

use crate::client::{Heard, Polling, Socket};
use crate::target::{Target, Tempo};

behaviours! {
    a_client_enters_the_main_namespace;
    a_client_enters_a_namespace_of_another_name;
    a_namespace_may_be_named_without_its_comma;
    a_client_says_who_it_is;
    a_client_enters_by_polling;
    an_unknown_namespace_is_refused;
    a_client_that_is_not_welcome_is_refused;
    a_client_that_was_refused_may_try_again;
    a_client_is_in_several_namespaces_at_a_time;
    several_may_be_asked_for_at_once;
    whoever_does_not_enter_first_is_closed;
    whoever_does_not_enter_by_polling_is_closed;
    whoever_talks_in_a_namespace_it_has_not_entered_is_closed;
    whoever_talks_in_a_namespace_that_does_not_exist_is_closed fails on EVERYWHERE:
        "goes on", because "the library ignores packets of namespaces that it does not have";
    whoever_says_nothing_is_closed;
    whoever_says_who_it_is_in_no_json_is_closed fails on UNFENCED:
        "goes on", because "the library lets it in, and calls no handler";
    a_socket_has_another_id_than_its_session fails on EVERYWHERE:
        "the session's id", because "the library has one id for both";
}

/// "At the beginning of a Socket.IO session, the client MUST send a CONNECT packet. The server MUST respond with either
/// a CONNECT packet if the connection is successful, with the session ID in the payload, or a CONNECT_ERROR packet."
async fn a_client_enters_the_main_namespace(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.enter_with("/", "").await;
    socket.hears(r#"42["auth",{}]"#).await;
    socket.talks().await;
}

/// "With a custom namespace": `0/admin,`.
async fn a_client_enters_a_namespace_of_another_name(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.enter_with("/custom", "").await;
    socket.hears(r#"42/custom,["auth",{}]"#).await;
    socket.talks().await;
}

/// "[<namespace>,]": older clients leave the comma away where nothing follows.
async fn a_namespace_may_be_named_without_its_comma(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.say("40/custom").await;
    assert!(matches!(socket.hear().await, Heard::Text(joined) if joined.starts_with("40/custom,{\"sid\":")));
    socket.hears(r#"42/custom,["auth",{}]"#).await;
}

/// "With an additional payload": `0/admin,{"token":"123"}`.
async fn a_client_says_who_it_is(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.enter_with("/", r#"{"token":"123"}"#).await;
    socket.hears(r#"42["auth",{"token":"123"}]"#).await;
    socket.enter_with("/custom", r#"{"token":{"of":["ann"]}}"#).await;
    socket.hears(r#"42/custom,["auth",{"token":{"of":["ann"]}}]"#).await;
}

/// "With the main namespace", over the other transport.
async fn a_client_enters_by_polling(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.enter("/custom").await;
    client.talks().await;
}

/// "Or a CONNECT_ERROR packet if the connection is not allowed."
async fn an_unknown_namespace_is_refused(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    for asked in ["40/random", "40/random,", r#"40/random,{"token":"123"}"#] {
        socket.say(asked).await;
        socket.hears(r#"44/random,{"message":"Invalid namespace"}"#).await;
    }
    socket.enter("/").await;
}

/// "In case the connection is refused": `4{"message":"Not authorized"}`.
async fn a_client_that_is_not_welcome_is_refused(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    for auth in ["", r#"{"word":"enemy"}"#] {
        socket.say(&format!("40/private,{auth}")).await;
        socket.hears(r#"44/private,{"message":"Not authorized"}"#).await;
    }
    socket.enter("/").await;
}

/// The same: a refusal is of one CONNECT packet.
async fn a_client_that_was_refused_may_try_again(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.say("40/private,").await;
    socket.hears(r#"44/private,{"message":"Not authorized"}"#).await;
    socket.enter_with("/private", r#"{"word":"friend"}"#).await;
    socket.hears(r#"42/private,["auth",{"word":"friend"}]"#).await;
    socket.say(r#"42/private,["message",1]"#).await;
    socket.hears(r#"42/private,["message-back",1]"#).await;
}

/// "A client MAY be connected to multiple namespaces at the same time, with the same underlying WebSocket connection."
async fn a_client_is_in_several_namespaces_at_a_time(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.enter("/custom").await;
    for number in 0..3 {
        socket.say(&format!("42[\"message\",{number}]")).await;
        socket.say(&format!("42/custom,[\"message\",{number}]")).await;
        socket.hears(&format!("42[\"message-back\",{number}]")).await;
        socket.hears(&format!("42/custom,[\"message-back\",{number}]")).await;
    }
    // One that shouts is heard where it shouts.
    let mut other = Socket::join(server, "/custom").await;
    other.say(r#"42/custom,["shout","hello"]"#).await;
    socket.hears(r#"42/custom,["shouted","hello"]"#).await;
    socket.talks().await;
}

/// The same: no CONNECT waits for the answer to another.
async fn several_may_be_asked_for_at_once(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    for asked in ["40", "40/custom,", "40/random,", "40/private,"] {
        socket.say(asked).await;
    }
    let mut heard = Vec::new();
    while heard.len() < 6 {
        let Heard::Text(text) = socket.hear().await else { panic!("it ends after {heard:?}") };
        heard.push(text);
    }
    for wanted in [
        "40{\"sid\":",
        "42[\"auth\",{}]",
        "40/custom,{\"sid\":",
        "42/custom,[\"auth\",{}]",
        r#"44/random,{"message":"Invalid namespace"}"#,
        r#"44/private,{"message":"Not authorized"}"#,
    ] {
        assert_eq!(heard.iter().filter(|text| text.starts_with(wanted)).count(), 1, "{wanted} in {heard:?}");
    }
}

/// "If the server does not receive a CONNECT packet first, then it MUST close the connection immediately."
async fn whoever_does_not_enter_first_is_closed(server: &Target) {
    for packet in [r#"42["message",1]"#, r#"42/custom,["message",1]"#, "41", "431[]"] {
        let (mut socket, _) = Socket::open(server).await;
        socket.is_closed_by(packet).await;
    }
}

/// The same over the other transport.
async fn whoever_does_not_enter_by_polling_is_closed(server: &Target) {
    let mut client = Polling::open(server).await;
    client.post(r#"42["message",1]"#).await;
    client.closes().await;
}

/// The same: each namespace is entered by its own CONNECT.
async fn whoever_talks_in_a_namespace_it_has_not_entered_is_closed(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.is_closed_by(r#"42/custom,["message",1]"#).await;
}

/// The same: there is no namespace that it could have entered.
async fn whoever_talks_in_a_namespace_that_does_not_exist_is_closed(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.is_closed_by(r#"42/nowhere,["message",1]"#).await;
}

/// The same, of a client that sends nothing at all.
async fn whoever_says_nothing_is_closed(server: &Target) {
    let server = server.at(Tempo { connect_timeout: Duration::from_millis(200), ..Tempo::default() }).await;
    let mut polling = Polling::open(&server).await;
    let (mut socket, _) = Socket::open(&server).await;
    loop {
        match socket.hear().await {
            Heard::Closed => break,
            // A goodbye may come first.
            heard => assert_eq!(heard, Heard::Text("1".into())),
        }
    }
    polling.closes().await;
}

/// "JSON-stringified payload."
async fn whoever_says_who_it_is_in_no_json_is_closed(server: &Target) {
    for packet in ["40abc", r#"40{"token":"#, r#"40/custom,{"token"}"#, "40/private,{"] {
        let (mut socket, _) = Socket::open(server).await;
        socket.is_closed_by(packet).await;
    }
}

/// "The ID of the Socket.IO connection will now be different from the ID of the underlying Engine.IO connection."
async fn a_socket_has_another_id_than_its_session(server: &Target) {
    let (mut socket, open) = Socket::open(server).await;
    socket.say("40").await;
    let Heard::Text(joined) = socket.hear().await else { panic!("wanted a CONNECT packet") };
    let joined: Value = serde_json::from_str(joined.strip_prefix("40").expect("a CONNECT packet")).expect("JSON");
    assert_ne!(joined["sid"], open["sid"], "the socket's id is the session's id");
}
