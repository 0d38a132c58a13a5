use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use streamfence_core::{Event, HandshakeFailure};
use streamfence_runtime::{CloseReason, Fence, FenceBuilder, Namespace, Overflow};
use streamfence_socketio::server::TlsError;
use streamfence_socketio::{Server, ServerOptions, StartError, TlsOptions, TlsVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::version::TLS13;

use crate::app::{App, News, start_with};
use crate::common::client::{Http, Message, POLLING, frame};
use crate::common::patience::in_time;
use crate::secure::{Files, shake_hands};
use crate::talk::Client;

fn feed() -> FenceBuilder {
    let namespace = Namespace::new("/feed").topic("tick").best_effort(Overflow::DropOldest).max_queued_messages(64);
    Fence::builder().namespace(namespace)
}

fn start(options: &ServerOptions) -> App {
    start_with(feed(), options, |server| server)
}

/// Why the next handshake to fail has failed.
async fn failure(news: &mut News) -> HandshakeFailure {
    news.find("a handshake fails", |event| match event {
        Event::HandshakeFailed { reason, .. } => Some(*reason),
        _ => None,
    })
    .await
}

/// Waits until the other side has closed.
async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    in_time("the connection is closed", async { while stream.read(&mut [0; 1024]).await.is_ok_and(|len| len > 0) {} })
        .await;
}

#[tokio::test]
async fn a_client_subscribes_and_hears_over_tls() {
    let files = Files::new();
    let mut app = start(&files.options());
    app.news.find("the certificate is told of", |event| matches!(event, Event::TlsLoaded { .. }).then_some(())).await;
    let stream = files.connect(app.dial().await).await;
    let mut client = Client::join(stream, "/feed").await;
    client.subscribe("tick").await;
    app.publish("/feed", "tick", "1").await;
    assert_eq!(client.expect("tick").await, json!(1));
    // Larger than a record of TLS.
    let long = "x".repeat(100_000);
    app.publish("/feed", "tick", &json!(long).to_string()).await;
    assert_eq!(client.expect("tick").await, json!(long));
}

#[tokio::test]
async fn a_polling_client_is_upgraded_over_tls() {
    let files = Files::new();
    let app = start(&files.options());
    let sid = Http::new(files.connect(app.dial().await).await).handshake().await;
    let http = Http::new(files.connect(app.dial().await).await);
    let Ok(mut socket) = http.upgrade(Some(&sid)).await else { panic!("the upgrade is granted") };
    socket.send("2probe").await;
    assert_eq!(socket.receive().await.expect("an answer"), Message::Text("3probe".into()));
    socket.send("5").await;
    socket.send("40/feed,").await;
    assert!(matches!(socket.receive().await, Ok(Message::Text(joined)) if joined.starts_with("40/feed,")));
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_and_one_that_goes_without_a_goodbye_is_gone() {
    let files = Files::new();
    let mut app = start(&ServerOptions { stall_timeout: Duration::from_millis(300), ..files.options() });
    let stream = files.connect(app.connector.connect(4096).await.expect("listening")).await;
    let mut client = Client::join(stream, "/feed").await;
    client.subscribe("tick").await;
    let payload = json!("x".repeat(4096)).to_string();
    for _ in 0..20 {
        app.publish("/feed", "tick", &payload).await;
    }
    assert_eq!(app.news.left().await, CloseReason::Stalled);
    closed(&mut client.socket.stream).await;

    let client = Client::join(files.connect(app.dial().await).await, "/feed").await;
    drop(client);
    assert_eq!(app.news.left().await, CloseReason::Transport);
}

#[tokio::test]
async fn each_handshake_that_fails_says_why() {
    let files = Files::new();
    let tls = TlsOptions { handshake_timeout: Duration::from_millis(200), ..files.tls() };
    let mut app = start(&ServerOptions { tls: Some(tls), ..files.options() });

    let mut plain = app.dial().await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").await.expect("the server takes it");
    closed(&mut plain).await;
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::NotTls);

    let mut silent = app.dial().await;
    closed(&mut silent).await;
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::Timeout);

    // The head of a record and no more, and then the end.
    let mut gone = app.dial().await;
    gone.write_all(&[22, 3, 1, 0, 100, 1]).await.expect("the server takes it");
    drop(gone);
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::Closed);

    let mut wrong = app.dial().await;
    wrong.write_all(&[22, 3, 1, 0, 4, 77, 0, 0, 0]).await.expect("the server takes it");
    closed(&mut wrong).await;
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::Protocol);

    assert!(files.connect_tls12(app.dial().await).await.is_err());
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::Incompatible);

    let mut other_protocols = files.client(&TLS13);
    other_protocols.alpn_protocols = vec![b"h2".to_vec()];
    assert!(shake_hands(other_protocols, app.dial().await).await.is_err());
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::Incompatible);

    assert!(shake_hands(Files::new().client(&TLS13), app.dial().await).await.is_err());
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::Alert);

    assert_eq!(Http::new(files.connect(app.dial().await).await).get("/healthz").await.status, 200);
}

#[tokio::test]
async fn tls_1_2_is_spoken_where_it_is_allowed_and_http_1_1_agreed_on() {
    let files = Files::new();
    let tls = TlsOptions { oldest_version: TlsVersion::Tls12, ..files.tls() };
    let app = start(&ServerOptions { tls: Some(tls), ..files.options() });
    let old = files.connect_tls12(app.dial().await).await.expect("it is allowed");
    assert_eq!(Http::new(old).get("/healthz").await.status, 200);
    let mut config = files.client(&TLS13);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let new = shake_hands(config, app.dial().await).await.expect("they have one in common");
    assert_eq!(new.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(Http::new(new).get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_its_tls_session() {
    let files = Files::new();
    let app = start(&files.options());
    let config = Arc::new(files.client(&TLS13));
    for wanted in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let stream = shake_hands(Arc::clone(&config), app.dial().await).await.expect("the server is trusted");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(wanted));
        // Its ticket comes with the answer.
        assert_eq!(Http::new(stream).get("/healthz").await.status, 200);
    }
}

#[tokio::test]
async fn handshakes_take_no_place_and_a_full_server_holds_none() {
    let files = Files::new();
    let mut app = start(&ServerOptions { max_connections: 1, ..files.options() });
    let _unfinished = [app.dial().await, app.dial().await];
    let client = Client::join(files.connect(app.dial().await).await, "/feed").await;
    assert!(shake_hands(files.client(&TLS13), app.dial().await).await.is_err());
    assert_eq!(failure(&mut app.news).await, HandshakeFailure::Full);
    drop(client);
    in_time("a place is free", async {
        while shake_hands(files.client(&TLS13), app.dial().await).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_finds_the_last_place_taken_after_its_handshake_is_told_so() {
    let files = Files::new();
    let app = start(&ServerOptions { max_connections: 1, ..files.options() });
    // Both handshakes begin while there is a place.
    let late = app.dial().await;
    let other = app.dial().await;
    in_time("both are accepted", async {
        while app.connector.waiting() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let _first = Client::join(files.connect(other).await, "/feed").await;
    let answer = Http::new(files.connect(late).await).answer().await.expect("it is told so");
    assert_eq!(answer.status, 503, "{answer:?}");
}

#[tokio::test]
async fn the_oldest_handshake_gives_way_to_those_who_wait() {
    let files = Files::new();
    let tls = TlsOptions { max_handshakes: 4, ..files.tls() };
    let mut app = start(&ServerOptions { tls: Some(tls), ..files.options() });
    let mut unfinished = Vec::new();
    for _ in 0..6 {
        unfinished.push(app.dial().await);
    }
    let stream = in_time("a handshake among those that are never finished", files.connect(app.dial().await)).await;
    assert_eq!(Http::new(stream).get("/healthz").await.status, 200);
    for _ in 0..3 {
        assert_eq!(failure(&mut app.news).await, HandshakeFailure::Displaced);
    }
    closed(&mut unfinished[0]).await;
}

#[tokio::test]
async fn a_stop_ends_clients_and_does_not_wait_for_handshakes() {
    let files = Files::new();
    let app = start(&files.options());
    let mut unfinished = app.dial().await;
    let mut polling = Http::new(files.connect(app.dial().await).await);
    assert_eq!(polling.get(POLLING).await.status, 200);
    let mut client = Client::join(files.connect(app.dial().await).await, "/feed").await;
    in_time("the server stops", app.server.stop()).await;
    client.ended().await;
    closed(&mut unfinished).await;
    closed(&mut polling.stream).await;
}

#[tokio::test]
async fn a_server_without_its_files_does_not_start() {
    let files = Files::new();
    let options =
        ServerOptions { tls: Some(TlsOptions::new("/nowhere/chain.pem", "/nowhere/key.pem")), ..files.options() };
    let fence = feed().build().expect("the catalog is valid");
    let refused = Server::builder(fence).options(options).start().await.expect_err("there are no files");
    assert!(matches!(refused, StartError::Tls(TlsError::Unreadable { .. })), "{refused}");
    assert_eq!(
        refused.to_string(),
        "cannot speak TLS: /nowhere/chain.pem: cannot be read: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn a_flood_of_pings_from_a_client_that_never_reads_is_bounded_over_tls() {
    let files = Files::new();
    // Fewer pings than there may be at all.
    let blocked_read_budget_bytes = 32_768;
    let stall_timeout = Duration::from_millis(400);
    let mut app = start(&ServerOptions { stall_timeout, blocked_read_budget_bytes, ..files.options() });
    let stream = files.connect(app.connector.connect(4096).await.expect("listening")).await;
    let mut client = Client::join(stream, "/feed").await;
    let ping = frame(9, &[7; 100]);
    let mut taken = 0;
    in_time("the flood is cut", async {
        while client.socket.stream.write_all(&ping).await.is_ok() {
            taken += ping.len();
            assert!(taken < 1_000_000, "the flood is not bounded");
        }
    })
    .await;
    // The budget, and what lies encrypted or decrypted on both sides.
    assert!(taken < 32_768 + 131_072, "{taken}");
    assert_eq!(app.news.left().await, CloseReason::Stalled);
}
