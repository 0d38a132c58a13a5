//! Socket.IO, "Sending and receiving data": events, as they are said and as they are heard.

use crate::client::{Polling, Socket};
use crate::target::Target;

behaviours! {
    an_event_has_a_name_and_arguments;
    an_event_is_of_its_namespace;
    an_event_may_have_no_arguments;
    an_event_that_nobody_awaits_changes_nothing;
    an_event_comes_by_polling;
    any_json_comes_and_goes;
    any_text_is_the_same_on_both_transports;
    a_name_may_be_any_text fails on EVERYWHERE:
        "connection is open", because "the library reads a name in place, where an escape is not what it means";
    the_server_speaks_first;
    one_speaks_to_all_others;
}

/// "Once the connection to a namespace is established, the client and the server can begin exchanging data":
/// `2["foo"]`.
async fn an_event_has_a_name_and_arguments(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"42["message",1,"2",{"3":[true]}]"#).await;
    socket.hears(r#"42["message-back",1,"2",{"3":[true]}]"#).await;
}

/// "With a custom namespace": `2/admin,["bar"]`.
async fn an_event_is_of_its_namespace(server: &Target) {
    let mut socket = Socket::join(server, "/custom").await;
    socket.say(r#"42/custom,["message",1,"2",{"3":[true]}]"#).await;
    socket.hears(r#"42/custom,["message-back",1,"2",{"3":[true]}]"#).await;
}

/// "The payload is mandatory and MUST be a non-empty array": its name is enough.
async fn an_event_may_have_no_arguments(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"42["message"]"#).await;
    socket.hears(r#"42["message-back"]"#).await;
}

/// The same: it is well-formed.
async fn an_event_that_nobody_awaits_changes_nothing(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"42["nobody listens",1]"#).await;
    socket.say(r#"42["",1]"#).await;
    socket.talks().await;
}

/// "In the request/response body with HTTP long-polling, or in the WebSocket frame."
async fn an_event_comes_by_polling(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.enter("/custom").await;
    client.say(r#"42["message",1,"2",{"3":[true]}]"#).await;
    client.hears(r#"42["message-back",1,"2",{"3":[true]}]"#).await;
    client.say(r#"42/custom,["message",null]"#).await;
    client.hears(r#"42/custom,["message-back",null]"#).await;
}

const JSON: [&str; 12] = [
    "null",
    "true",
    "0",
    "-1.5",
    "9007199254740991",
    r#""""#,
    r#""a \"quoted\" text, a \\, a / and a\nline""#,
    r#""Grüße, 你好, 👋🏽""#,
    r#""\u001e is what separates packets""#,
    "[[],[[1]],{}]",
    r#"{"a":{"b":[{"c":null}]}}"#,
    r#""42[\"message\",1]""#,
];

/// "JSON-stringified payload."
async fn any_json_comes_and_goes(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for json in JSON {
        socket.say(&format!("42[\"message\",{json}]")).await;
        socket.hears(&format!("42[\"message-back\",{json}]")).await;
    }
}

/// The same by polling.
async fn any_text_is_the_same_on_both_transports(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    for json in JSON {
        client.say(&format!("42[\"message\",{json}]")).await;
        client.hears(&format!("42[\"message-back\",{json}]")).await;
    }
}

/// The same, of the name.
async fn a_name_may_be_any_text(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"42["say \"hello\"",1]"#).await;
    socket.talks().await;
}

/// "The client and the server can begin exchanging data": neither waits for the other.
async fn the_server_speaks_first(server: &Target) {
    let (mut socket, _) = Socket::open(server).await;
    socket.enter_with("/", r#"{"say":"this"}"#).await;
    socket.hears(r#"42["auth",{"say":"this"}]"#).await;
}

/// The same, of a server that speaks to several.
async fn one_speaks_to_all_others(server: &Target) {
    let mut speaker = Socket::join(server, "/").await;
    let mut socket = Socket::join(server, "/").await;
    let mut polling = Polling::join(server, "/").await;
    let mut elsewhere = Socket::join(server, "/custom").await;
    for number in 0..10 {
        speaker.say(&format!("42[\"shout\",{number},\"grüße\"]")).await;
    }
    for number in 0..10 {
        let shouted = format!("42[\"shouted\",{number},\"grüße\"]");
        socket.hears(&shouted).await;
        polling.hears(&shouted).await;
    }
    speaker.talks().await;
    elsewhere.talks().await;
}
