//! Socket.IO, "Disconnection from a namespace", and Engine.IO's close packet.

use crate::client::{Heard, Http, Polling, SEPARATOR, Socket};
use crate::target::Target;

behaviours! {
    a_client_leaves_the_main_namespace;
    a_client_leaves_a_namespace_and_stays_in_another;
    a_client_leaves_by_polling;
    whoever_has_left_hears_nothing_of_it;
    whoever_has_left_may_not_talk_there;
    whoever_has_left_may_come_again;
    the_server_ends_a_namespace;
    the_server_ends_a_namespace_by_polling;
    a_session_over_websocket_is_closed_by_its_client;
    a_session_that_polls_is_closed_by_its_client;
    a_poll_that_waits_is_ended_by_a_close;
    an_upgraded_session_is_closed_by_its_client;
}

/// "At any time, one side can end the connection to a namespace by sending a DISCONNECT packet. No response is expected
/// from the other side. The low-level connection MAY be kept alive."
async fn a_client_leaves_the_main_namespace(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say("41").await;
    socket.talks().await;
}

/// The same: `1/admin,`, with its comma and without.
async fn a_client_leaves_a_namespace_and_stays_in_another(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for goodbye in ["41/custom,", "41/custom"] {
        socket.enter("/custom").await;
        socket.say(goodbye).await;
        socket.say(r#"42["message","message to main namespace",1,2]"#).await;
        socket.hears(r#"42["message-back","message to main namespace",1,2]"#).await;
    }
}

/// The same, over the other transport.
async fn a_client_leaves_by_polling(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.enter("/custom").await;
    client.say("41/custom,").await;
    client.talks().await;
}

/// The same: the connection to the namespace has ended.
async fn whoever_has_left_hears_nothing_of_it(server: &Target) {
    let mut other = Socket::join(server, "/custom").await;
    let mut socket = Socket::join(server, "/").await;
    socket.enter("/custom").await;
    socket.say("41/custom,").await;
    socket.talks().await;
    other.say(r#"42/custom,["shout",1]"#).await;
    other.talks().await;
    socket.talks().await;
}

/// "If the server does not receive a CONNECT packet first, then it MUST close the connection immediately."
async fn whoever_has_left_may_not_talk_there(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.enter("/custom").await;
    socket.say("41/custom,").await;
    socket.is_closed_by(r#"42/custom,["message",1]"#).await;
}

/// "At any time": and a CONNECT packet begins another connection.
async fn whoever_has_left_may_come_again(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for round in 0..3 {
        socket.say("41").await;
        socket.enter("/").await;
        socket.say(&format!("42[\"message\",{round}]")).await;
        socket.hears(&format!("42[\"message-back\",{round}]")).await;
    }
}

/// "One side can end the connection": the server is one too.
async fn the_server_ends_a_namespace(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.enter("/custom").await;
    socket.say(r#"42/custom,["throw-me-out"]"#).await;
    socket.hears("41/custom,").await;
    socket.say(r#"42["message",1]"#).await;
    socket.hears(r#"42["message-back",1]"#).await;
    socket.say(r#"42["throw-me-out"]"#).await;
    socket.hears("41").await;
}

/// The same, over the other transport.
async fn the_server_ends_a_namespace_by_polling(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.enter("/custom").await;
    client.say(r#"42/custom,["throw-me-out"]"#).await;
    client.hears("41/custom,").await;
    client.talks().await;
}

/// Engine.IO: "close: used to indicate that a transport can be closed."
async fn a_session_over_websocket_is_closed_by_its_client(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.is_closed_by("1").await;
    let (mut socket, _) = Socket::open(server).await;
    socket.is_closed_by("1").await;
}

/// The same, over the other transport.
async fn a_session_that_polls_is_closed_by_its_client(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.say("1").await;
    client.is_closed().await;
    // What was said before it is heard.
    let mut other = Socket::join(server, "/").await;
    let mut client = Polling::join(server, "/").await;
    client.say(&format!("42[\"shout\",\"goodbye\"]{SEPARATOR}1")).await;
    other.hears(r#"42["shouted","goodbye"]"#).await;
    client.is_closed().await;
}

/// The same: a transport that can be closed has no request left open.
async fn a_poll_that_waits_is_ended_by_a_close(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    let target = client.target.clone();
    let mut http = Http::dial(server.address).await;
    // Whichever comes first: the GET is answered, with a noop or whatever was left, or finds no session any more.
    let (answer, ()) = futures_util::future::join(http.get(&target), client.say("1")).await;
    let packets = answer.body.split(SEPARATOR);
    assert!(
        answer.status == 400 || packets.clone().all(|packet| matches!(packet, "" | "2" | "6")),
        "wanted an end, heard {answer:?}"
    );
    client.is_closed().await;
}

/// The same, over a transport that was another.
async fn an_upgraded_session_is_closed_by_its_client(server: &Target) {
    let polling = Polling::join(server, "/").await;
    let mut socket = crate::upgrade::upgrade(server, &polling).await;
    socket.say(r#"42["message",1]"#).await;
    assert_eq!(socket.hear().await, Heard::Text(r#"42["message-back",1]"#.into()));
    socket.is_closed_by("1").await;
}
