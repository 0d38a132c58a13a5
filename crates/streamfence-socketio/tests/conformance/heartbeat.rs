//! Engine.IO, "Heartbeat": how each side knows that the other lives.

use std::time::{Duration, Instant};

use crate::client::{Heard, Polling, Socket};
use crate::target::{Target, Tempo};
use crate::upgrade::upgrade;

behaviours! {
    a_polling_session_is_pinged;
    a_websocket_is_pinged;
    an_upgraded_session_is_pinged;
    pongs_too_many_do_no_harm;
    a_polling_session_that_does_not_answer_is_closed;
    a_polling_session_that_does_not_poll_is_closed;
    a_websocket_that_does_not_answer_is_closed;
    an_upgraded_session_that_does_not_answer_is_closed;
}

const PINGS: u32 = 4;

/// "At a given interval (the pingInterval value sent in the handshake) the server sends a ping packet and the client
/// has a few seconds (the pingTimeout value) to send a pong packet back."
async fn a_polling_session_is_pinged(server: &Target) {
    let begin = Instant::now();
    let mut client = Polling::open(server).await;
    for _ in 0..PINGS {
        let answer = client.get().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "2"));
        client.say("3").await;
    }
    are_not_early(server, begin);
}

/// The same.
async fn a_websocket_is_pinged(server: &Target) {
    let begin = Instant::now();
    let (mut socket, _) = Socket::open(server).await;
    is_pinged(&mut socket).await;
    are_not_early(server, begin);
}

/// The same, since the session is the same.
async fn an_upgraded_session_is_pinged(server: &Target) {
    let begin = Instant::now();
    let mut socket = upgrade(server, &Polling::open(server).await).await;
    is_pinged(&mut socket).await;
    // One may have come before the upgrade.
    is_pinged(&mut socket).await;
    are_not_early(server, begin);
}

async fn is_pinged(socket: &mut Socket) {
    for _ in 0..PINGS {
        assert_eq!(socket.hear_any().await, Heard::Text("2".into()));
        socket.say("3").await;
    }
}

/// One ping may come at once, the others take their time.
fn are_not_early(server: &Target, begin: Instant) {
    let least = server.tempo.ping_interval * (PINGS - 1);
    assert!(begin.elapsed() >= least, "{PINGS} pings within {:?}, wanted {least:?}", begin.elapsed());
}

/// "Send a pong packet back": what is one too many answers nothing.
async fn pongs_too_many_do_no_harm(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for _ in 0..2 {
        assert_eq!(socket.hear_any().await, Heard::Text("2".into()));
        for _ in 0..5 {
            socket.say("3").await;
        }
    }
    socket.talks().await;
}

/// Impatient with clients that do not answer.
async fn impatient(server: &Target) -> Target {
    server.at(Tempo { ping_timeout: Duration::from_millis(100), ..Tempo::default() }).await
}

/// "If the server does not receive a pong packet back, then it SHOULD consider that the connection is closed."
async fn a_polling_session_that_does_not_answer_is_closed(server: &Target) {
    let server = impatient(server).await;
    let mut client = Polling::open(&server).await;
    client.closes().await;
}

/// The same, whether it asks for its pings or not.
async fn a_polling_session_that_does_not_poll_is_closed(server: &Target) {
    let server = impatient(server).await;
    let mut client = Polling::open(&server).await;
    // Whoever came later and was as silent has been closed.
    let (mut later, _) = Socket::open(&server).await;
    falls_silent(&mut later).await;
    client.closes().await;
}

/// The same.
async fn a_websocket_that_does_not_answer_is_closed(server: &Target) {
    let server = impatient(server).await;
    let (mut socket, _) = Socket::open(&server).await;
    falls_silent(&mut socket).await;
}

/// The same.
async fn an_upgraded_session_that_does_not_answer_is_closed(server: &Target) {
    let server = server.at(Tempo { ping_timeout: Duration::from_secs(1), ..Tempo::default() }).await;
    let mut socket = upgrade(&server, &Polling::open(&server).await).await;
    falls_silent(&mut socket).await;
}

async fn falls_silent(socket: &mut Socket) {
    loop {
        match socket.hear_any().await {
            Heard::Closed => return,
            // A goodbye may come first.
            Heard::Text(packet) if packet == "2" || packet == "1" => {}
            heard => panic!("the connection goes on: {heard:?}"),
        }
    }
}
