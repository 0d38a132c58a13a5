use std::time::Duration;

use bytes::Bytes;
use streamfence_core::CloseReason;
use streamfence_socketio::link::Expected;
use streamfence_socketio::{EngineTransport, ServerOptions};
use tokio::io::AsyncWriteExt;

use crate::app;
use crate::common::client::{Http, POLLING};
use crate::common::patience::eventually;

const PIPE: usize = 64 * 1024;

#[tokio::test]
async fn room_is_what_the_polls_have_taken() {
    let mut app = app::start(&app::options());
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let target = format!("{POLLING}&sid={}", http.join().await);
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    assert!(link.is_blocked());
    for _ in 0..3 {
        link.expect(Expected::text(&Bytes::from_static(b"2[\"snapshot\",1]")));
        socket.emit("snapshot", &1).expect("the channel has room");
    }
    // One poll is answered with 12 at most, though the window is larger.
    assert_eq!(link.room().frames, 12 - 3);
    assert!(!link.is_busy());
    let answer = http.get(&target).await;
    assert_eq!(answer.body, ["42[\"snapshot\",1]"; 3].join("\u{1e}"));
    assert!(link.room().is_empty);

    // A poll that waits is a client that takes.
    let waiting = tokio::spawn(async move { http.get(&target).await });
    eventually("the poll waits", || !link.is_blocked()).await;
    link.expect(Expected::text(&Bytes::from_static(b"2[\"snapshot\",2]")));
    socket.emit("snapshot", &2).expect("the channel has room");
    assert_eq!(waiting.await.expect("no panic").body, "42[\"snapshot\",2]");
    eventually("the poll is over", || link.is_blocked() && link.room().is_empty).await;
}

#[tokio::test]
async fn a_killed_session_is_gone() {
    let mut app = app::start(&app::options());
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let target = format!("{POLLING}&sid={}", http.join().await);
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    link.kill(CloseReason::Server);
    assert_eq!(link.ended(), Some(CloseReason::Server));
    assert_eq!(http.get(&target).await.status, 400);
    assert!(app.news.left.recv().await.is_some());
    drop(socket);
    assert!(app.layer.registry().is_empty());
}

#[tokio::test]
async fn a_session_that_vanishes_is_forgotten() {
    let quick = ServerOptions {
        ping_interval: Duration::from_millis(50),
        ping_timeout: Duration::from_millis(50),
        connect_timeout: Duration::from_millis(50),
        ..app::options()
    };
    let mut app = app::start(&quick);
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    http.handshake().await;
    http.join().await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    drop(socket);
    eventually("both sessions are forgotten", || app.layer.registry().is_empty()).await;
    assert!(link.ended().is_some());
}

#[tokio::test]
async fn bodies_are_bounded_in_size_time_and_kind() {
    let options = ServerOptions { body_timeout: Duration::from_millis(50), ..app::options() };
    let app = app::start(&options);
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let target = format!("{POLLING}&sid={}", http.join().await);
    let gzip = http.request("POST", &target, "content-encoding: gzip\r\n", "42[]").await.expect("an answer");
    assert_eq!(gzip.status, 415);

    let mut http = Http::new(app.connector.connect(1 << 20).await.expect("listening"));
    assert_eq!(http.post(&target, &"4".repeat(options.max_packet_bytes() + 1)).await.status, 413);

    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let head = format!("POST {target} HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n42");
    http.stream.write_all(head.as_bytes()).await.expect("open");
    assert_eq!(http.answer().await.expect("an answer").status, 408);
}

#[tokio::test]
async fn polling_is_refused_where_only_websockets_are_offered() {
    let options = ServerOptions { engine_transport: EngineTransport::WebSocketOnly, ..app::options() };
    let app = app::start(&options);
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    assert_eq!(http.get(POLLING).await.status, 400);
    assert!(http.upgrade(None).await.is_ok());
}

#[tokio::test]
async fn only_listed_origins_may_connect_and_read() {
    let options = ServerOptions { allowed_origins: vec!["https://example.com".into()], ..app::options() };
    let app = app::start(&options);
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let evil = http.request("GET", POLLING, "origin: https://evil.example\r\n", "").await.expect("an answer");
    assert_eq!(evil.status, 403);
    let good = http.request("GET", POLLING, "origin: https://example.com\r\n", "").await.expect("an answer");
    assert_eq!(good.status, 200);
    assert!(good.head.contains("access-control-allow-origin: https://example.com"));
    let preflight = "origin: https://example.com\r\naccess-control-request-headers: content-type\r\n";
    let preflight = http.request("OPTIONS", POLLING, preflight, "").await.expect("an answer");
    assert_eq!(preflight.status, 204);
    assert!(preflight.head.contains("access-control-allow-headers: content-type"));
    assert_eq!(http.get(POLLING).await.status, 200);
}
