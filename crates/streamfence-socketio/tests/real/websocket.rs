use std::sync::Arc;

use bytes::Bytes;
use streamfence_core::{CloseReason, Transport};
use streamfence_socketio::link::{Expected, Peer};
use streamfence_socketio::server::Server;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::app;
use crate::common::client::{Http, Message, POLLING, WebSocket};
use crate::common::patience::{eventually, in_time};

const PIPE: usize = 64 * 1024;

#[tokio::test]
async fn a_client_joins_talks_and_leaves() {
    let mut app = app::start(&app::options());
    let mut client = WebSocket::join(app.connector.connect(PIPE).await.expect("listening")).await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    assert_eq!(link.transport(), Transport::WebSocket);
    assert_eq!(link.peer(), Some(&Peer::Memory));
    client.send("42[\"echo\",\"hello\"]").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"echo\",\"hello\"]".into()));
    drop((socket, client));
    assert!(app.news.left.recv().await.is_some());
    eventually("the link ends", || link.ended().is_some()).await;
    assert!(app.layer.registry().is_empty());
}

#[tokio::test]
async fn room_is_what_the_kernel_has_taken() {
    let mut app = app::start(&app::options());
    let mut client = WebSocket::join(app.connector.connect(512).await.expect("listening")).await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    assert!(link.room().is_empty);
    let payload = "x".repeat(300);
    let text = Bytes::from(format!("2[\"snapshot\",\"{payload}\"]"));
    for below in 1..=8 {
        link.expect(Expected::text(&text));
        socket.emit("snapshot", &payload).expect("the channel has room");
        assert_eq!(link.room().frames, 32 - below);
    }
    eventually("the pipe is full", || link.is_blocked()).await;
    let stuck = link.room();
    assert!((24..26).contains(&stuck.frames), "{stuck:?}");
    // The application's own emits are not counted.
    socket.emit("other", "mine").expect("the channel has room");
    for _ in 0..8 {
        assert_eq!(
            client.receive().await.expect("open"),
            Message::Text(format!("4{}", String::from_utf8_lossy(&text)))
        );
    }
    eventually("all room is back", || link.room().is_empty && !link.is_blocked()).await;
    assert_eq!(link.room().frames, 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_emitted_within_the_room_arrives_and_no_room_is_lost() {
    const CLIENTS: usize = 20;
    const MESSAGES: usize = 500;
    let options = app::options();
    let (layer, _io, mut news) = app::layer(&options);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let server = Server::start(listener, &layer, &options).expect("no TLS is asked for");
    let address = server.local_addr().expect("bound");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = WebSocket::join(TcpStream::connect(address).await.expect("listening")).await;
        let (socket, link) = news.joined.recv().await.expect("it joined");
        tasks.spawn(async move {
            for number in 0..MESSAGES {
                let expected = Message::Text(format!("42[\"snapshot\",{number}]"));
                assert_eq!(client.receive().await.expect("open"), expected);
            }
            client.send("42[\"echo\",\"done\"]").await;
            assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"echo\",\"done\"]".into()));
        });
        tasks.spawn(async move {
            let has_room = Arc::new(Notify::new());
            let told = Arc::clone(&has_room);
            link.set_on_room(move || told.notify_one());
            for number in 0..MESSAGES {
                let text = Bytes::from(format!("2[\"snapshot\",{number}]"));
                while !link.await_room().takes(1, text.len() as u64) {
                    has_room.notified().await;
                }
                link.expect(Expected::text(&text));
                socket.emit("snapshot", &number).expect("within the room the channel is never full");
            }
            eventually("all room is back", || link.room().is_empty).await;
        });
    }
    in_time("every message arrives", async {
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic");
        }
    })
    .await;
}

#[tokio::test]
async fn a_kill_ends_a_healthy_client_with_its_reason() {
    let mut app = app::start(&app::options());
    let mut client = WebSocket::join(app.connector.connect(PIPE).await.expect("listening")).await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    link.kill(CloseReason::Server);
    client.receive().await.expect_err("cut");
    assert!(app.news.left.recv().await.is_some());
    eventually("the link ends", || link.ended() == Some(CloseReason::Server)).await;
    drop(socket);
}

#[tokio::test]
async fn an_upgraded_session_keeps_its_link() {
    let mut app = app::start(&app::options());
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let sid = http.join().await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    assert_eq!(link.transport(), Transport::Polling);
    link.expect(Expected::text(&Bytes::from_static(b"2[\"early\",1]")));
    socket.emit("early", &1).expect("the channel has room");

    let stream = app.connector.connect(PIPE).await.expect("listening");
    let Ok(mut client) = Http::new(stream).upgrade(Some(&sid)).await else { panic!("the upgrade is granted") };
    client.send("2probe").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("3probe".into()));
    client.send("5").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"early\",1]".into()));
    assert_eq!(link.transport(), Transport::WebSocket);
    eventually("all room is back", || link.room().is_empty && !link.is_blocked()).await;

    // The session is no longer open to polls, nor to a second websocket.
    assert_eq!(http.get(&format!("{POLLING}&sid={sid}")).await.status, 400);
    let stream = app.connector.connect(PIPE).await.expect("listening");
    assert_eq!(Http::new(stream).upgrade(Some(&sid)).await.err().map(|answer| answer.status), Some(400));
    client.send("42[\"echo\",\"still here\"]").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"echo\",\"still here\"]".into()));

    drop((client, socket));
    eventually("the link ends", || link.ended().is_some()).await;
    assert!(app.layer.registry().is_empty());
}

#[tokio::test]
async fn a_thousand_aborted_upgrades_leave_no_session() {
    let mut app = app::start(&app::options());
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    for round in 0..1000 {
        let sid = http.join().await;
        let stream = app.connector.connect(PIPE).await.expect("listening");
        let Ok(mut client) = Http::new(stream).upgrade(Some(&sid)).await else { panic!("the upgrade is granted") };
        // Some leave before the probe, some after it, some with nonsense.
        match round % 3 {
            0 => {}
            1 => client.send("2probe").await,
            _ => client.send("4nonsense").await,
        }
    }
    // Whatever the application still holds keeps a session in memory: it lets go of them here.
    while app.news.joined.try_recv().is_ok() {}
    eventually("every session is closed", || app.io.sockets().is_empty()).await;
    eventually("every session is forgotten", || app.layer.registry().is_empty()).await;
    let mut left = 0;
    while app.news.left.try_recv().is_ok() {
        left += 1;
    }
    assert_eq!(left, 1000);
}

#[tokio::test]
async fn an_unknown_session_is_refused_before_any_upgrade() {
    let app = app::start(&app::options());
    for sid in ["AAAAAAAAAAAAAAHs", "nonsense", ""] {
        let stream = app.connector.connect(PIPE).await.expect("listening");
        let refused = Http::new(stream).upgrade(Some(sid)).await.err().expect("no such session");
        assert_eq!((refused.status, refused.body.contains("\"code\":1")), (400, true), "{sid}");
        let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
        let target = format!("{POLLING}&sid={sid}");
        assert_eq!(http.get(&target).await.status, 400, "{sid}");
        assert_eq!(http.post(&target, "40").await.status, 400, "{sid}");
    }
}

#[tokio::test]
async fn a_catch_all_route_lives_beside_the_layer_under_plain_axum() {
    let (layer, _io, mut news) = app::layer(&app::options());
    let router =
        axum::Router::new().route("/{*any}", axum::routing::get(async || "the application")).layer(layer.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut http = Http::new(TcpStream::connect(address).await.expect("listening"));
    assert_eq!(http.get("/anything").await.body, "the application");
    let sid = http.join().await;
    assert_eq!(http.post(&format!("{POLLING}&sid={sid}"), "42[\"echo\",\"a\"]").await.body, "ok");
    assert_eq!(http.get(&format!("{POLLING}&sid={sid}")).await.body, "42[\"echo\",\"a\"]");
    let (_, polling) = news.joined.recv().await.expect("it joined");
    assert_eq!(polling.transport(), Transport::Polling);

    let mut client = WebSocket::join(TcpStream::connect(address).await.expect("listening")).await;
    client.send("42[\"echo\",\"b\"]").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"echo\",\"b\"]".into()));
    let (_, websocket) = news.joined.recv().await.expect("it joined");
    assert!(!Arc::ptr_eq(&polling, &websocket));
    assert_eq!(layer.registry().len(), 2);
}

#[tokio::test]
async fn connections_over_the_limit_are_turned_away() {
    let mut options = app::options();
    options.max_connections = 2;
    let (layer, _io, _news) = app::layer(&options);
    let (connector, listener) = streamfence_socketio::server::memory();
    let wide = streamfence_socketio::ServerOptions { max_connections: 10, ..options };
    let _server = Server::start(listener, &layer, &wide).expect("no TLS is asked for");
    let mut http = Http::new(connector.connect(PIPE).await.expect("listening"));
    let first = http.handshake().await;
    http.handshake().await;
    assert_eq!(http.get(POLLING).await.status, 503);
    let stream = connector.connect(PIPE).await.expect("listening");
    assert_eq!(Http::new(stream).upgrade(None).await.err().map(|answer| answer.status), Some(503));
    assert_eq!(http.post(&format!("{POLLING}&sid={first}"), "1").await.status, 200);
    eventually("a place is free", || layer.registry().len() == 1).await;
    http.handshake().await;
}
