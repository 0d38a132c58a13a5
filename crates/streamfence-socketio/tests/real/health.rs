use std::time::Duration;

use streamfence_socketio::ServerOptions;
use streamfence_socketio::link::{Peer, Stream};
use streamfence_socketio::server::{Listener, MemoryListener, Server, memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::app;
use crate::common::client::{Http, Message, WebSocket};
use crate::common::patience::eventually;

const PIPE: usize = 64 * 1024;

#[tokio::test]
async fn health_is_answered_and_everything_else_is_not_found() {
    let app = app::start(&app::options());
    let mut http = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let answer = http.get("/healthz").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    assert_eq!(http.get("/readyz").await.status, 200);
    for path in ["/", "/socket.io-admin", "/metrics"] {
        assert_eq!(http.get(path).await.status, 404, "{path}");
    }
    app.server.refuse_clients();
    assert_eq!(http.get("/readyz").await.status, 503);
    assert_eq!(http.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn slow_and_large_headers_and_idlers_are_closed() {
    let options = ServerOptions { header_timeout: Duration::from_millis(100), ..app::options() };
    let app = app::start(&options);
    for begun in ["", "GET /healthz HTTP/1.1\r\nhost: t"] {
        let mut stream = app.connector.connect(PIPE).await.expect("listening");
        stream.write_all(begun.as_bytes()).await.expect("open");
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
        assert!(closed.await.is_ok(), "still open after {begun:?}");
    }
    let mut idle = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    assert_eq!(idle.get("/healthz").await.status, 200);
    assert!(tokio::time::timeout(Duration::from_secs(5), idle.answer()).await.expect("closed").is_err());

    let mut large = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    let header = format!("x-large: {}\r\n", "x".repeat(20_000));
    assert_eq!(large.request("GET", "/healthz", &header, "").await.expect("an answer").status, 431);
    let mut many = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    assert_eq!(many.request("GET", "/healthz", &"x: y\r\n".repeat(100), "").await.expect("an answer").status, 431);
}

#[tokio::test]
async fn a_connection_without_a_place_is_told_so_and_closed() {
    let options = ServerOptions { max_connections: 1, ..app::options() };
    let app = app::start(&options);
    let mut client = WebSocket::join(app.connector.connect(PIPE).await.expect("listening")).await;
    let mut second = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    assert_eq!(second.answer().await.expect("an answer").status, 503);
    client.send("42[\"echo\",\"a\"]").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"echo\",\"a\"]".into()));
    // The place is the stream's, not the request's: it is free again when the websocket is gone.
    drop(client);
    eventually("the link is gone", || app.layer.registry().is_empty()).await;
    let mut third = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    assert_eq!(third.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_server_that_refuses_clients_serves_those_it_has_on() {
    let app = app::start(&app::options());
    let mut client = WebSocket::join(app.connector.connect(PIPE).await.expect("listening")).await;
    app.server.refuse_clients();
    let mut late = Http::new(app.connector.connect(PIPE).await.expect("listening"));
    assert_eq!(late.get("/socket.io/?EIO=4&transport=polling").await.status, 503);
    assert_eq!(late.get("/readyz").await.status, 503);
    assert_eq!(late.get("/healthz").await.status, 200);
    client.send("42[\"echo\",\"a\"]").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"echo\",\"a\"]".into()));
    app.server.stop().await;
    assert!(app.layer.registry().is_empty(), "it was cut");
}

/// A listener whose process runs out of file descriptors for a while.
struct Exhausted {
    failures: u32,
    inner: MemoryListener,
}

impl Listener for Exhausted {
    async fn accept(&mut self) -> std::io::Result<(Stream, Peer)> {
        if self.failures > 0 {
            self.failures -= 1;
            return Err(std::io::Error::from_raw_os_error(24));
        }
        self.inner.accept().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_out_of_descriptors_waits_and_goes_on() {
    let options = app::options();
    let (layer, _io, _news) = app::layer(&options);
    let (connector, inner) = memory();
    let began = tokio::time::Instant::now();
    let _server = Server::start(Exhausted { failures: 10, inner }, &layer, &options).expect("no TLS is asked for");
    let mut http = Http::new(connector.connect(PIPE).await.expect("listening"));
    assert_eq!(http.get("/healthz").await.status, 200);
    // 10 ms, doubled seven times, then 1.28 s each.
    assert_eq!(began.elapsed().as_millis() / 100, (2550 + 2 * 1280) / 100);
}

#[tokio::test]
async fn a_unix_socket_is_served_like_any_other() {
    let directory = std::env::temp_dir().join(format!("streamfence-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a place for the socket");
    let path = directory.join("socket");
    let _absent = std::fs::remove_file(&path);
    let options = app::options();
    let (layer, _io, _news) = app::layer(&options);
    let _server =
        Server::start(UnixListener::bind(&path).expect("bindable"), &layer, &options).expect("no TLS is asked for");
    let mut client = WebSocket::join(UnixStream::connect(&path).await.expect("listening")).await;
    client.send("42[\"echo\",\"a\"]").await;
    assert_eq!(client.receive().await.expect("open"), Message::Text("42[\"echo\",\"a\"]".into()));
    std::fs::remove_dir_all(&directory).expect("removable");
}
