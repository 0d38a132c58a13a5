//! What is written below the websocket, among what the library writes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use streamfence_core::Tier;
use streamfence_runtime::{AtLeastOnce, Fence, FenceBuilder, Namespace, Overflow, Payload, Topic};
use streamfence_socketio::ServerOptions;
use streamfence_socketio::link::LinkState;
use streamfence_socketio::options::Address;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use crate::app::{self, App, fence, start_with};
use crate::common::client::{Http, Message, POLLING};
use crate::common::patience::{eventually, in_time};
use crate::talk::{Client, Kind};

const MESSAGES: u64 = 1000;

/// Topics whose lanes lose nothing here, one of them with the library's own callbacks.
fn feed() -> FenceBuilder {
    let wide = |topic: &str| {
        let topic = Topic::new(topic);
        topic.best_effort(Overflow::RejectNew).max_queued_messages(100_000).max_queued_bytes(1 << 26)
    };
    Fence::builder().namespace(Namespace::new("/feed").topic_with(wide("text")).topic_with(wide("bytes")))
}

/// Bytes that tell where they belong, and where in their place.
fn filler(seed: u64, size: usize) -> Vec<u8> {
    (0..size as u64).map(|at| (seed.wrapping_mul(31).wrapping_add(at.wrapping_mul(7)) % 251) as u8).collect()
}

fn text(n: u64) -> Value {
    let letters: String = filler(n, (n * 37 % 1900) as usize).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    json!({"n": n, "letters": letters})
}

fn attachments(n: u64) -> Vec<Vec<u8>> {
    (0..1 + n % 3).map(|at| filler(n + at, ((n + at) * 53 % 2500) as usize)).collect()
}

fn with_attachments(n: u64) -> Payload {
    let attachments: Vec<_> = attachments(n).into_iter().map(Bytes::from).collect();
    let holders: Vec<_> = (0..attachments.len()).map(|num| json!({"_placeholder": true, "num": num})).collect();
    Payload::with_attachments(json!({"n": n, "bytes": holders}).to_string(), attachments).expect("this is JSON")
}

/// The application emits a text and an event with attachments each time it is asked.
async fn application(socket: SocketRef) {
    let asked = Arc::new(Mutex::new(0));
    socket.on("more", move |socket: SocketRef| {
        // Handlers are tasks of their own, and these have an order.
        let mut asked = asked.lock().expect("no panic");
        let n = *asked;
        *asked += 1;
        socket.emit("app-text", &text(n)).expect("there is room");
        let attachments: Vec<_> = attachments(n).into_iter().map(Bytes::from).collect();
        socket.emit("app-bytes", &(n, attachments)).expect("there is room");
        std::future::ready(())
    });
}

/// Reads everything, and finds each hand's packets whole, in order and complete.
async fn read_all<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) {
    let mut next = [0; 4];
    for _ in 0..8 {
        client.emit("more", json!(null)).await;
    }
    while next[0] < MESSAGES || next[1] < MESSAGES || next[2] < MESSAGES / 4 || next[3] < MESSAGES / 4 {
        let Kind::Event { name, arguments, attachments: bytes } = client.hear().await.kind else {
            panic!("nothing but events is said");
        };
        let hand = ["text", "bytes", "app-text", "app-bytes"].iter().position(|hand| *hand == name);
        let hand = hand.unwrap_or_else(|| panic!("nobody says {name}"));
        let n = next[hand];
        next[hand] += 1;
        match hand {
            0 | 2 => assert_eq!(arguments, [text(n)], "{name} {n}"),
            1 => assert_eq!((&arguments[0]["n"], &bytes), (&json!(n), &attachments(n)), "{name} {n}"),
            _ => {
                assert_eq!((&arguments[0], &bytes), (&json!(n), &attachments(n)), "{name} {n}");
                client.emit("more", json!(null)).await;
            }
        }
    }
}

/// Publishes on both topics as fast as it is let.
async fn publish_all(fence: &Fence) {
    for n in 0..MESSAGES {
        fence.publish("/feed", "text", Payload::serialize(&text(n)).expect("JSON")).await.expect("the topic exists");
        fence.publish("/feed", "bytes", with_attachments(n)).await.expect("the topic exists");
    }
}

/// Pings often, so that they come among everything else.
fn options(splice: bool) -> ServerOptions {
    ServerOptions { splice, ping_interval: Duration::from_millis(15), ..app::options() }
}

async fn link_of(app: &mut tokio::sync::mpsc::UnboundedReceiver<SocketRef>) -> Arc<LinkState> {
    let socket = in_time("the client has entered", app.recv()).await.expect("somebody enters");
    socket.req_parts().extensions.get::<Arc<LinkState>>().expect("the layer put it there").clone()
}

#[tokio::test]
async fn the_packets_of_all_hands_stay_whole_in_a_narrow_pipe() {
    for splice in [true, false] {
        let app = start_with(feed(), &options(splice), |server| server.on_connect("/feed", application));
        let stream = app.connector.connect(700).await.expect("the server listens");
        let mut client = Client::join(stream, "/feed").await;
        client.subscribe("text").await;
        client.subscribe("bytes").await;
        in_time("all is read", async { tokio::join!(publish_all(&app.fence), read_all(&mut client)) }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_packets_of_all_hands_stay_whole_on_a_congested_socket() {
    let (fence, _news) = fence(feed());
    let address = Address::Tcp { host: "127.0.0.1".into(), port: 0 };
    let options = ServerOptions { address, not_sent_lowat_bytes: 1, ..options(true) };
    let server = streamfence_socketio::Server::builder(fence.clone()).options(options);
    let server = server.on_connect("/feed", application).start().await.expect("loopback can be bound");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("it may be small");
    let stream: TcpStream = socket.connect(server.local_addr().expect("it is TCP")).await.expect("the server listens");
    let mut client = Client::join(stream, "/feed").await;
    client.subscribe("text").await;
    client.subscribe("bytes").await;
    in_time("all is read", async { tokio::join!(publish_all(&fence), read_all(&mut client)) }).await;
    server.stop().await;
}

#[tokio::test]
async fn the_tier_follows_the_transport() {
    let (tell, mut sockets) = tokio::sync::mpsc::unbounded_channel();
    let door = async move |socket: SocketRef| drop(tell.send(socket));
    let app: App = start_with(feed(), &app::options(), |server| server.on_connect("/feed", door));
    let mut http = Http::new(app.dial().await);
    let sid = http.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    assert_eq!(http.post(&target, "40/feed,").await.body, "ok");
    assert_eq!(http.post(&target, r#"42/feed,["subscribe",{"topic":"text"}]"#).await.body, "ok");
    let link = link_of(&mut sockets).await;
    assert_eq!(link.tier(), Tier::Emit);
    let mut heard = String::new();
    while !heard.contains("subscribed") {
        heard += &http.get(&target).await.body;
    }

    // What was published while it polled comes first, over whatever carries it by then.
    app.publish("/feed", "text", "1").await;
    let Ok(mut socket) = Http::new(app.dial().await).upgrade(Some(&sid)).await else { panic!("it is granted") };
    socket.send("2probe").await;
    assert_eq!(socket.receive().await.expect("open"), Message::Text("3probe".into()));
    let last_poll = http.get(&target).await.body;
    socket.send("5").await;
    eventually("it is a websocket", || link.tier() == Tier::Splice).await;
    app.publish("/feed", "text", "2").await;
    let mut over_both = last_poll;
    while !over_both.contains(r#"["text",2]"#) {
        let Message::Text(text) = socket.receive().await.expect("open") else { panic!("only texts are said") };
        over_both += &text;
    }
    assert_eq!(over_both.matches(r#"["text",1]"#).count(), 1, "{over_both}");
    assert!(over_both.find(r#"["text",1]"#) < over_both.find(r#"["text",2]"#), "{over_both}");
}

#[tokio::test]
async fn a_callback_and_what_follows_it_keep_their_order() {
    let sure = AtLeastOnce::default().window(1000);
    let builder = Fence::builder().namespace(
        Namespace::new("/feed")
            .ack(streamfence_runtime::AckStyle::Native)
            .topic("text")
            .topic_with(Topic::new("alert").at_least_once(sure).max_queued_messages(1000)),
    );
    let app = start_with(builder, &app::options(), |server| server);
    let mut client = app.subscriber("/feed", "text").await;
    client.subscribe("alert").await;
    for n in 0..200 {
        app.publish("/feed", "alert", &n.to_string()).await;
        app.publish("/feed", "text", &n.to_string()).await;
    }
    let mut next = [0, 0];
    while next != [200, 200] {
        let (name, arguments) = client.event().await;
        let lane = usize::from(name == "text");
        assert_eq!(arguments[0], json!(next[lane]), "{name}");
        next[lane] += 1;
    }
}
