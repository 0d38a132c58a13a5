use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use socketioxide::extract::{Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use streamfence_core::Event;
use streamfence_runtime::{Fence, FenceBuilder, Namespace, Overflow, Payload};
use streamfence_socketio::link::LinkState;
use streamfence_socketio::server::{Server, memory};
use streamfence_socketio::{AdapterError, FenceLayer, ServerOptions, SocketIoAdapter};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{self, WIDE, start, start_with};
use crate::common::client::{Http, POLLING};
use crate::common::patience::eventually;
use crate::talk::{Client, Kind, Packet};

fn feed() -> FenceBuilder {
    Fence::builder()
        .namespace(Namespace::new("/feed").topic("tick").best_effort(Overflow::DropOldest).max_queued_messages(1000))
        .namespace(Namespace::new("/alerts").topic("alert"))
}

/// A middleware of the application: only who knows the word comes in.
async fn only_friends(socket: SocketRef, Data(auth): Data<Value>) -> Result<(), &'static str> {
    drop(socket);
    if auth["word"] == "friend" { Ok(()) } else { Err("who are you?") }
}

#[tokio::test]
async fn a_middleware_of_the_application_decides_who_comes_in() {
    let door = async |socket: SocketRef| drop(socket.emit("welcome", "hello"));
    let mut app = start_with(feed(), &app::options(), |server| server.on_connect("/feed", door.with(only_friends)));
    let mut client = Client::open(app.dial().await, "/feed").await;
    client.say(r#"40/feed,{"word":"enemy"}"#).await;
    let refused = Kind::ConnectError(json!({"message": "who are you?"}));
    assert_eq!(client.hear().await, Packet { namespace: "/feed".into(), kind: refused });
    client.say(r#"40/feed,{"word":"friend"}"#).await;
    assert_eq!(client.hear().await.kind, Kind::Connect);
    assert_eq!(client.event().await, ("welcome".into(), vec![json!("hello")]));
    client.subscribe("tick").await;
    app.publish("/feed", "tick", "1").await;
    assert_eq!(client.event().await.0, "tick");
    // Whoever was refused was never here.
    let connected = |event: &Event| match event {
        Event::Connected { .. } => Some(1),
        Event::Subscribed { .. } => Some(2),
        _ => None,
    };
    assert_eq!(app.news.find("the first", connected).await, 1);
    assert_eq!(app.news.find("the second", connected).await, 2);
}

#[tokio::test]
async fn the_application_talks_beside_the_fence_and_the_room_stays_exact() {
    talk_beside_the_fence(&app::options(), 64).await;
    talk_beside_the_fence(&ServerOptions { splice: false, ..app::options() }, 32).await;
}

async fn talk_beside_the_fence(options: &ServerOptions, frames: u32) {
    let (tell, mut sockets) = tokio::sync::mpsc::unbounded_channel();
    let door = async move |socket: SocketRef| {
        socket.on("shout", async |socket: SocketRef, Data(text): Data<String>| drop(socket.emit("echo", &text)));
        drop(tell.send(socket));
    };
    let app = start_with(feed(), options, |server| server.on_connect("/feed", door));
    let mut client = app.subscriber("/feed", "tick").await;
    let socket = sockets.recv().await.expect("it has entered");
    let link = socket.req_parts().extensions.get::<Arc<LinkState>>().expect("the layer put it there").clone();
    for n in 0..200 {
        // The application's emit looks like the fence's own.
        socket.emit("tick", &json!(n)).expect("there is room");
        app.publish("/feed", "tick", &n.to_string()).await;
        for _ in 0..2 {
            assert_eq!(client.event().await, ("tick".into(), vec![json!(n)]));
        }
        client.emit("shout", json!("a")).await;
        assert_eq!(client.event().await.0, "echo");
        eventually("all room is back", || link.room().is_empty).await;
    }
    assert_eq!(link.room().frames, frames);
}

#[tokio::test]
async fn a_layer_lives_under_plain_axum_beside_a_catch_all_route() {
    let (fence, _news) = app::fence(feed());
    let (layer, io) = SocketIoAdapter::builder(fence.clone()).build().expect("the adapter can be built");
    io.ns("/chat", async |socket: SocketRef| {
        socket.on("say", async |socket: SocketRef, Data(text): Data<String>| drop(socket.emit("said", &text)));
    });
    let router = axum::Router::new().route("/{*any}", axum::routing::any(async || "the application")).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut http = Http::new(TcpStream::connect(address).await.expect("listening"));
    assert_eq!(http.get("/anything").await.body, "the application");
    let sid = http.handshake().await;
    assert_eq!(http.post(&format!("{POLLING}&sid={sid}"), "40/feed,").await.body, "ok");

    let mut client = Client::join(TcpStream::connect(address).await.expect("listening"), "/feed").await;
    client.subscribe("tick").await;
    client.enter("/chat").await;
    client.say(r#"42/chat,["say","hello"]"#).await;
    assert_eq!(client.hear().await.namespace, "/chat");
    fence.publish("/feed", "tick", Payload::serialize(&1).expect("a number is JSON")).await.expect("the topic exists");
    assert_eq!(client.event().await, ("tick".into(), vec![json!(1)]));
}

#[tokio::test]
async fn an_adapter_serves_what_the_fence_has_and_says_so_otherwise() {
    let (fence, _news) = app::fence(feed());
    let unknown = |namespace: &str| AdapterError::UnknownNamespace { namespace: namespace.into() };
    let nowhere = SocketIoAdapter::builder(fence.clone()).namespaces(["/nowhere"]).build();
    assert_eq!(nowhere.err(), Some(unknown("/nowhere")));
    let nobody = SocketIoAdapter::builder(fence.clone()).on_connect("/nobody", async || ()).build();
    assert_eq!(nobody.err(), Some(unknown("/nobody")));
    // Two adapters of a fence share its namespaces between them.
    let (connector, listener) = memory();
    let _server = Server::builder(fence.clone()).namespaces(["/feed"]).start_on(listener).expect("it can be built");
    let (_, other) = memory();
    let _other = Server::builder(fence).namespaces(["/alerts"]).start_on(other).expect("it can be built");
    let mut client = Client::join(connector.connect(WIDE).await.expect("listening"), "/feed").await;
    client.say("40/alerts,").await;
    assert!(matches!(client.hear().await.kind, Kind::ConnectError(_)), "it is served elsewhere");
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_fence_that_is_put_out_is_reported_and_one_that_ends_is_not() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let text = || String::from_utf8(log.0.lock().expect("no panic").clone()).expect("logs are text");
    let adapter = || SocketIoAdapter::builder(app::fence(feed()).0).build().expect("the adapter can be built");

    drop(adapter());
    assert!(!text().contains("fence_replaced"), "{}", text());
    let (_layer, io) = adapter();
    io.ns("/chat", async || ());
    assert!(!text().contains("fence_replaced"), "{}", text());
    io.ns("/feed", async || ());
    assert!(text().contains("fence_replaced") && text().contains("/feed"), "{}", text());
    assert!(!text().contains("/alerts"), "{}", text());
}

type Links = Arc<Mutex<Vec<Weak<LinkState>>>>;

/// A layer that remembers its connections, but does not hold them.
fn watched(fence: &Fence) -> (FenceLayer, Links) {
    let links = Links::default();
    let seen = links.clone();
    let door = async move |socket: SocketRef| {
        let link = socket.req_parts().extensions.get::<Arc<LinkState>>().expect("the layer put it there");
        seen.lock().expect("no panic").push(Arc::downgrade(link));
    };
    // Whoever is disconnected between two polls, and never polls again, is gone with the next heartbeat.
    let (ping_interval, ping_timeout) = (Duration::from_secs(1), Duration::from_secs(1));
    let options = ServerOptions { ping_interval, ping_timeout, ..app::options() };
    let adapter = SocketIoAdapter::builder(fence.clone()).options(options).on_connect("/feed", door);
    (adapter.build().expect("the adapter can be built").0, links)
}

#[tokio::test]
async fn nothing_is_left_of_clients_that_are_gone() {
    let (fence, mut news) = app::fence(feed());
    let (layer, links) = watched(&fence);
    let (connector, listener) = memory();
    let _server = Server::start(listener, &layer, &app::options()).expect("no TLS is asked for");
    let dial = || async { connector.connect(WIDE).await.expect("listening") };
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for round in 0..60 {
        let mut client = Client::join(dial().await, "/feed").await;
        client.enter("/alerts").await;
        client.subscribe("tick").await;
        let connected = news.find("it is there", |event| match event {
            Event::Subscribed { client, .. } => Some(*client),
            _ => None,
        });
        let connected = connected.await;
        let publish = fence.publish("/feed", "tick", Payload::serialize(&round).expect("a number is JSON"));
        publish.await.expect("the topic exists");
        match round % 6 {
            0 => drop(client),
            1 => client.say("1").await,
            2 => client.say("4nonsense").await,
            3 => {
                client.say("41/feed,").await;
                client.say("41/alerts,").await;
            }
            4 => assert!(fence.disconnect(connected).await),
            _ => {
                // A handler that still runs when its client goes.
                fence
                    .on_message("/feed", "tick", async |_| {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        Ok::<(), String>(())
                    })
                    .expect("the topic exists");
                client.emit("publish", json!({"topic": "tick", "payload": 1})).await;
            }
        }
    }
    // Some that poll: one says goodbye, one is disconnected between two polls, one aborts its upgrade.
    for round in 0..30 {
        let mut http = Http::new(dial().await);
        let sid = http.handshake().await;
        let target = format!("{POLLING}&sid={sid}");
        http.post(&target, "40/feed,").await;
        let connected = news.find("it is there", |event| match event {
            Event::Connected { client, .. } => Some(*client),
            _ => None,
        });
        let connected = connected.await;
        match round % 3 {
            0 => drop(http.post(&target, "1").await),
            1 => assert!(fence.disconnect(connected).await),
            _ => {
                let Ok(mut socket) = Http::new(dial().await).upgrade(Some(&sid)).await else { panic!("granted") };
                socket.send("2probe").await;
            }
        }
    }
    eventually("every connection is forgotten", || layer.registry().is_empty()).await;
    let living = || links.lock().expect("no panic").iter().filter(|link| link.strong_count() > 0).count();
    assert_eq!(links.lock().expect("no panic").len(), 90);
    eventually("no connection is held by what it held", || living() == 0).await;
    eventually("no task is left", || alive() <= before).await;
}

#[tokio::test]
async fn a_fence_ends_with_its_last_handle() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    {
        let app = start(feed());
        let _client = app.subscriber("/feed", "tick").await;
        app.fence.shutdown(Duration::from_secs(1)).await;
        app.server.stop().await;
    }
    eventually("no task is left", || tokio::runtime::Handle::current().metrics().num_alive_tasks() <= before).await;
}
