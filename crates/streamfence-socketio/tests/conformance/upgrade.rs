//! Engine.IO, "Upgrade": from polling to a websocket, with nothing lost on the way.

use crate::client::Heard;
use crate::client::websocket::WEBSOCKET;
use crate::client::{Http, Polling, SEPARATOR, Socket};
use crate::handshake::is_refused;
use crate::target::Target;

behaviours! {
    a_probe_is_answered_and_the_upgrade_is_done;
    a_poll_that_waits_is_ended;
    polls_during_an_upgrade_are_ended;
    a_client_may_talk_before_it_has_heard_anything;
    what_waited_for_a_poll_comes_over_the_websocket;
    nothing_is_lost_and_nothing_overtakes;
    what_a_client_said_before_it_upgraded_is_heard;
    polling_ends_with_the_upgrade;
    a_second_websocket_is_refused_after_the_upgrade;
    a_second_websocket_is_refused_during_the_upgrade fails on STOCK:
        "connection is open", because "it lets several websockets probe, and the one that is left ends the session";
    an_unknown_session_is_not_upgraded;
}

/// A websocket for a session that polls.
pub(crate) async fn probe(server: &Target, polling: &Polling) -> Socket {
    let mut socket = Socket::dial(server, &upgrade_target(polling)).await.expect("the upgrade is granted");
    socket.say("2probe").await;
    assert_eq!(socket.hear_any().await, Heard::Text("3probe".into()));
    socket
}

/// The same, and the session has moved there.
pub(crate) async fn upgrade(server: &Target, polling: &Polling) -> Socket {
    let mut socket = probe(server, polling).await;
    socket.say("5").await;
    socket
}

fn upgrade_target(polling: &Polling) -> String {
    format!("{WEBSOCKET}&sid={}", polling.sid)
}

/// "The server MUST respond with a pong packet with the string probe in the payload. Finally, the client MUST send a
/// upgrade packet to complete the upgrade."
async fn a_probe_is_answered_and_the_upgrade_is_done(server: &Target) {
    let polling = Polling::join(server, "/").await;
    let mut socket = upgrade(server, &polling).await;
    socket.say(r#"42["message","over websocket"]"#).await;
    socket.hears(r#"42["message-back","over websocket"]"#).await;
    socket.talks().await;
}

/// "The server MUST send a noop packet to any pending GET request (if applicable) to cleanly close HTTP long-polling
/// transport."
async fn a_poll_that_waits_is_ended(server: &Target) {
    let polling = Polling::join(server, "/").await;
    let mut http = Http::dial(polling.address).await;
    // The first GET may bring a ping; the one after it waits, or is ended in its turn.
    let ended = async {
        loop {
            let answer = http.get(&polling.target).await;
            assert_eq!(answer.status, 200);
            if answer.body.split(SEPARATOR).any(|packet| packet == "6") {
                return;
            }
            assert_eq!(answer.body, "2");
            Http::dial(polling.address).await.post(&polling.target, "3").await;
        }
    };
    let (mut socket, ()) = futures_util::future::join(probe(server, &polling), ended).await;
    socket.say("5").await;
    socket.talks().await;
}

/// The same, for each that comes while the client probes.
async fn polls_during_an_upgrade_are_ended(server: &Target) {
    let mut polling = Polling::join(server, "/").await;
    let mut socket = probe(server, &polling).await;
    for _ in 0..5 {
        let answer = polling.get().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "6"));
    }
    socket.say("5").await;
    socket.talks().await;
}

/// Nothing makes a client wait for the answer to its probe before it goes on.
async fn a_client_may_talk_before_it_has_heard_anything(server: &Target) {
    let polling = Polling::join(server, "/").await;
    let mut socket = Socket::dial(server, &upgrade_target(&polling)).await.expect("the upgrade is granted");
    socket.say("2probe").await;
    socket.say("5").await;
    socket.say(r#"42["message","early"]"#).await;
    socket.hears("3probe").await;
    socket.hears(r#"42["message-back","early"]"#).await;
}

/// "To ensure that no packet gets lost": what was emitted for a poll that never came is not.
async fn what_waited_for_a_poll_comes_over_the_websocket(server: &Target) {
    let mut polling = Polling::join(server, "/").await;
    polling.say(r#"42["message","before the upgrade"]"#).await;
    let mut socket = upgrade(server, &polling).await;
    socket.hears(r#"42["message-back","before the upgrade"]"#).await;
    socket.talks().await;
}

/// The same, whatever the moment: another client's words come to one that upgrades, each once and in order.
async fn nothing_is_lost_and_nothing_overtakes(server: &Target) {
    let mut other = Socket::join(server, "/").await;
    let mut polling = Polling::join(server, "/").await;
    let mut shouts = 0;
    let mut shout = async || {
        for _ in 0..3 {
            other.say(&format!("42[\"shout\",{shouts}]")).await;
            shouts += 1;
        }
        // It has been heard when the next thing that was said is answered.
        other.talks().await;
    };
    shout().await;
    let before = [polling.hear().await, polling.hear().await, polling.hear().await];
    shout().await;
    let mut socket = Socket::dial(server, &upgrade_target(&polling)).await.expect("the upgrade is granted");
    shout().await;
    socket.say("2probe").await;
    socket.hears("3probe").await;
    shout().await;
    socket.say("5").await;
    shout().await;
    for (number, heard) in before.into_iter().enumerate() {
        assert_eq!(heard, format!("42[\"shouted\",{number}]"));
    }
    for number in 3..15 {
        socket.hears(&format!("42[\"shouted\",{number}]")).await;
    }
    socket.talks().await;
}

/// The same, in the other direction.
async fn what_a_client_said_before_it_upgraded_is_heard(server: &Target) {
    let mut polling = Polling::join(server, "/").await;
    for number in 0..3 {
        polling.say(&format!("42[\"message\",{number}]")).await;
    }
    let mut socket = upgrade(server, &polling).await;
    for number in 3..6 {
        socket.say(&format!("42[\"message\",{number}]")).await;
    }
    for number in 0..6 {
        socket.hears(&format!("42[\"message-back\",{number}]")).await;
    }
}

/// "Pause the HTTP long-polling transport (no more HTTP request gets sent)": whatever is sent all the same is refused,
/// and the session goes on.
async fn polling_ends_with_the_upgrade(server: &Target) {
    let mut polling = Polling::join(server, "/").await;
    let mut socket = upgrade(server, &polling).await;
    socket.talks().await;
    polling.is_closed().await;
    socket.talks().await;
}

/// "A client MUST NOT open more than one WebSocket connection per session. Should it happen, the server MUST close the
/// WebSocket connection."
async fn a_second_websocket_is_refused_after_the_upgrade(server: &Target) {
    let polling = Polling::join(server, "/").await;
    let mut socket = upgrade(server, &polling).await;
    socket.talks().await;
    is_refused(server, &upgrade_target(&polling)).await;
    socket.talks().await;
}

/// The same: one that probes is open.
async fn a_second_websocket_is_refused_during_the_upgrade(server: &Target) {
    let polling = Polling::join(server, "/").await;
    let mut socket = probe(server, &polling).await;
    let second = Socket::dial(server, &upgrade_target(&polling)).await;
    socket.say("5").await;
    socket.talks().await;
    match second {
        Ok(mut granted) => granted.is_closed().await,
        Err(status) => assert_eq!(status, 400),
    }
    socket.talks().await;
}

/// "The server MUST return an HTTP 400 response if the session ID is not known."
async fn an_unknown_session_is_not_upgraded(server: &Target) {
    for sid in ["AAAAAAAAAAAAAAHs", "nonsense", ""] {
        is_refused(server, &format!("{WEBSOCKET}&sid={sid}")).await;
    }
}
