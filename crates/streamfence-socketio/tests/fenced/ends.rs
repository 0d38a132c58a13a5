use std::time::Duration;

use serde_json::json;
use streamfence_core::Event;
use streamfence_runtime::{ClientId, CloseReason, Fence, FenceBuilder, Namespace, Overflow, Payload};
use streamfence_socketio::ServerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use crate::app::{self, App, start, start_with};
use crate::common::client::{Http, Message, POLLING, WebSocket, frame};
use crate::common::patience::in_time;
use crate::talk::{Client, Kind, Packet};

fn feed() -> FenceBuilder {
    Fence::builder()
        .namespace(Namespace::new("/").topic("tick"))
        .namespace(Namespace::new("/feed").topic("tick").best_effort(Overflow::DropOldest).max_queued_messages(4))
}

/// A client that has subscribed and reads no more; what it was sent is more than its pipe and its lane hold.
async fn stalled(app: &mut App) -> (Client<DuplexStream>, ClientId) {
    let stream = app.connector.connect(2048).await.expect("the server listens");
    let mut client = Client::join(stream, "/feed").await;
    client.subscribe("tick").await;
    for _ in 0..64 {
        let payload = Payload::serialize(&"x".repeat(1000)).expect("text is JSON");
        app.fence.publish("/feed", "tick", payload).await.expect("the topic exists");
    }
    let behind = app.news.find("it falls behind", |event| match event {
        Event::OverflowBegan { client, .. } => Some(*client),
        _ => None,
    });
    (client, behind.await)
}

async fn find_itself_cut(client: &mut Client<DuplexStream>) {
    in_time("the client finds itself cut", async {
        while client.socket.stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
    })
    .await;
}

#[tokio::test]
async fn a_stalled_client_is_disconnected_within_a_second() {
    let mut app = start(feed());
    let (mut client, name) = stalled(&mut app).await;
    let began = Instant::now();
    assert!(app.fence.disconnect(name).await);
    assert_eq!(app.news.left().await, CloseReason::Server);
    find_itself_cut(&mut client).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_for_good_is_gone_after_the_stall_timeout() {
    let options = ServerOptions { stall_timeout: Duration::from_secs(5), ..app::options() };
    let mut app = start_with(feed(), &options, |server| server);
    let (mut client, _) = stalled(&mut app).await;
    assert_eq!(app.news.left().await, CloseReason::Stalled);
    find_itself_cut(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_gone_for_that_reason() {
    let (ping_interval, ping_timeout) = (Duration::from_secs(3), Duration::from_secs(2));
    let options = ServerOptions { ping_interval, ping_timeout, ..app::options() };
    let mut app = start_with(feed(), &options, |server| server);
    let client = app.subscriber("/feed", "tick").await;
    let began = Instant::now();
    assert_eq!(app.news.left().await, CloseReason::Heartbeat);
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
    drop(client);
}

#[tokio::test]
async fn the_reason_of_an_end_is_the_right_one() {
    let mut app = start(feed());
    // It hangs up.
    drop(app.subscriber("/feed", "tick").await);
    assert!(matches!(app.news.left().await, CloseReason::Client | CloseReason::Transport));
    // It says that it closes.
    let mut client = app.client("/feed").await;
    client.say("1").await;
    assert_eq!(app.news.left().await, CloseReason::Client);
    client.ended().await;
    // It closes the websocket.
    let mut client = app.client("/feed").await;
    client.socket.stream.write_all(&frame(8, &[3, 232])).await.expect("the connection is open");
    assert_eq!(app.news.left().await, CloseReason::Client);
    client.ended().await;
}

#[tokio::test]
async fn what_is_no_socket_io_ends_the_connection() {
    let mut app = start(feed());
    let broken = [
        "42/feed,{",
        "42/feed,[",
        "42/feed,[]",
        "42/feed,[7]",
        "42/feed,{\"a\":1}",
        "42/feed",
        "42/feed,nonsense",
        "47/feed,",
        "4",
        "45-/feed,[\"publish\",1]",
        "4\u{1f600}",
        "x",
        "",
    ];
    for text in broken {
        let mut client = app.client("/feed").await;
        client.say(text).await;
        client.ended().await;
        assert_eq!(app.news.left().await, CloseReason::Protocol, "{text:?}");
    }
    // An attachment that nobody announced.
    let mut client = app.client("/feed").await;
    client.say_binary(b"bytes").await;
    client.ended().await;
    assert_eq!(app.news.left().await, CloseReason::Protocol);
    // And the next one is welcome.
    app.subscriber("/feed", "tick").await;
}

#[tokio::test]
async fn the_main_namespace_is_one_like_any_other() {
    let app = start(feed());
    let mut socket = WebSocket::join(app.dial().await).await;
    socket.send(r#"42["subscribe",{"topic":"tick"}]"#).await;
    assert!(
        matches!(socket.receive().await, Ok(Message::Text(text)) if text.starts_with(r#"42["subscribed",{"topic":"tick","#))
    );
    app.publish("/", "tick", "1").await;
    assert_eq!(socket.receive().await.expect("open"), Message::Text(r#"42["tick",1]"#.into()));
}

#[tokio::test]
async fn a_stop_says_so_and_takes_nobody_in() {
    let mut app = start(feed());
    let mut client = app.subscriber("/feed", "tick").await;
    let mut late = Client::open(app.dial().await, "/feed").await;
    app.publish("/feed", "tick", "1").await;
    app.fence.shutdown(Duration::from_secs(2)).await;
    assert_eq!(client.event().await.0, "tick", "the lanes are flushed");
    let farewell = client.expect("error").await;
    assert_eq!(farewell["code"], "SHUTTING_DOWN");
    assert!((500..=5_000).contains(&farewell["reconnectAfterMs"].as_u64().expect("a time")), "{farewell}");
    assert_eq!(client.hear().await, Packet { namespace: "/feed".into(), kind: Kind::Disconnect });
    assert_eq!(app.news.left().await, CloseReason::ShuttingDown);
    late.say("40/feed,").await;
    let refused = Kind::ConnectError(json!({"message": "SHUTTING_DOWN"}));
    assert_eq!(late.hear().await, Packet { namespace: "/feed".into(), kind: refused });
    let publish = app.fence.publish("/feed", "tick", Payload::serialize(&1).expect("a number is JSON")).await;
    assert!(publish.is_err());
    in_time("the server stops", app.server.stop()).await;
    client.ended().await;
    late.ended().await;
    let stopped = |event: &Event| matches!(event, Event::ServerStopped { .. }).then_some(());
    app.news.find("the server stopped", stopped).await;
}

#[tokio::test]
async fn whoever_comes_while_a_server_stops_is_told_when_to_come_again() {
    let app = start(feed());
    app.server.refuse_clients();
    let answer = Http::new(app.dial().await).get(POLLING).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.head.contains("retry-after: 5\r\n"), "{answer:?}");
}

#[tokio::test]
async fn a_stop_tells_a_client_with_a_session_that_it_ends() {
    let app = start(feed());
    let mut client = Client::open(app.dial().await, "/feed").await;
    client.say(r#"40/feed,{"session":true}"#).await;
    assert_eq!(client.hear().await.kind, Kind::Connect);
    client.expect("session").await;
    app.fence.shutdown(Duration::from_secs(2)).await;
    let farewell = client.expect("error").await;
    assert_eq!(farewell["code"], "SHUTTING_DOWN");
    assert!(farewell["message"].as_str().expect("a text").contains("your session ends with it"), "{farewell}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_acks_until_its_deadline() {
    let sure = Namespace::new("/x")
        .topic("sure")
        .at_least_once(streamfence_runtime::AtLeastOnce::default().ack_timeout(Duration::from_secs(60)));
    let app = start(Fence::builder().namespace(sure));
    let mut client = app.subscriber("/x", "sure").await;
    app.publish("/x", "sure", "1").await;
    let (_, arguments) = client.event().await;
    let fence = app.fence.clone();
    let began = Instant::now();
    let stopping = tokio::spawn(async move { fence.shutdown(Duration::from_secs(10)).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    client.emit("ack", json!({"topic": "sure", "messageId": arguments[1]["messageId"]})).await;
    assert_eq!(client.refusal().await, "SHUTTING_DOWN");
    in_time("the fence stops", stopping).await.expect("no panic");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_stalled_client() {
    let mut app = start(feed());
    let (mut client, _) = stalled(&mut app).await;
    app.fence.shutdown(Duration::from_millis(50)).await;
    assert_eq!(app.news.left().await, CloseReason::ShuttingDown);
    in_time("the server stops", app.server.stop()).await;
    find_itself_cut(&mut client).await;
}

#[tokio::test]
async fn connections_over_the_limit_are_turned_away() {
    let options = ServerOptions { max_connections: 2, ..app::options() };
    let app = start_with(feed(), &options, |server| server);
    let first = app.client("/feed").await;
    let _second = app.client("/feed").await;
    let mut http = Http::new(app.dial().await);
    assert_eq!(http.answer().await.expect("it is told so").status, 503);
    drop(first);
    in_time("a place is free", async {
        while Http::new(app.dial().await).request("GET", "/healthz", "", "").await.map_or(503, |it| it.status) != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
