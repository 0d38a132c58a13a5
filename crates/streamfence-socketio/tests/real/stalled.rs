use std::time::Duration;

use streamfence_core::CloseReason;
use streamfence_socketio::ServerOptions;
use streamfence_socketio::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::app;
use crate::common::client::{WebSocket, frame};
use crate::common::patience::{eventually, in_time};

fn impatient() -> ServerOptions {
    // Of less than as many pings as there may be at all.
    ServerOptions {
        stall_timeout: Duration::from_millis(400),
        blocked_read_budget_bytes: BUDGET_BYTES as u64,
        ..app::options()
    }
}

const BUDGET_BYTES: usize = 32_768;

#[tokio::test]
async fn a_client_that_floods_pings_and_never_reads_is_bounded_and_cut() {
    let mut app = app::start(&impatient());
    let mut client = WebSocket::join(app.connector.connect(4096).await.expect("listening")).await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    drop(socket);
    let ping = frame(9, &[7; 100]);
    let mut taken = 0;
    in_time("the flood is cut", async {
        while client.stream.write_all(&ping).await.is_ok() {
            taken += ping.len();
            assert!(taken < 1_000_000, "the flood is not bounded");
        }
    })
    .await;
    // The budget, both pipes, and what the library had read before the first write was blocked.
    assert!(taken < BUDGET_BYTES + 16_384, "{taken}");
    assert_eq!(link.killed(), Some(CloseReason::Stalled));
    assert!(app.news.left.recv().await.is_some());
    eventually("the link ends", || link.ended() == Some(CloseReason::Stalled)).await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_and_its_end_is_seen() {
    let options = impatient();
    let (layer, io, mut news) = app::layer(&options);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let server = Server::start(listener, &layer, &options).expect("no TLS is asked for");
    let stream = TcpStream::connect(server.local_addr().expect("bound")).await.expect("listening");
    let mut client = WebSocket::join(stream).await;
    let (socket, link) = news.joined.recv().await.expect("it joined");
    let payload = "x".repeat(16 * 1024);
    eventually("the client is cut", || {
        // A full channel is the blocked client; it is filled until it is cut.
        let _full = socket.emit("snapshot", &payload);
        link.killed().is_some()
    })
    .await;
    assert_eq!(link.killed(), Some(CloseReason::Stalled));
    assert!(news.left.recv().await.is_some());
    eventually("the link ends", || link.ended() == Some(CloseReason::Stalled)).await;
    drop(socket);
    eventually("the session is gone", || io.sockets().is_empty() && layer.registry().is_empty()).await;
    in_time("the client finds itself cut", async {
        while client.stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
    })
    .await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_client_that_does_not_read() {
    let options = ServerOptions { stall_timeout: Duration::from_secs(60), ..app::options() };
    let mut app = app::start(&options);
    let _client = WebSocket::join(app.connector.connect(4096).await.expect("listening")).await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    let payload = "x".repeat(4096);
    while !link.is_blocked() {
        socket.emit("snapshot", &payload).expect("the channel has room");
        tokio::task::yield_now().await;
    }
    drop(socket);
    let stopped = tokio::time::timeout(Duration::from_secs(1), app.server.stop());
    assert!(stopped.await.is_ok());
    assert_eq!(link.ended(), Some(CloseReason::ShuttingDown));
    assert!(app.layer.registry().is_empty());
}
