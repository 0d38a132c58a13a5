//! Other options for a server that runs.

use std::time::Duration;

use streamfence_runtime::{Fence, Namespace};
use streamfence_socketio::server::TlsError;
use streamfence_socketio::{Effect, EngineTransport, ServerOptions, SocketIoAdapter, TlsOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::version::TLS13;

use crate::app::{self, App, options, start_with};
use crate::common::client::{Http, POLLING};
use crate::common::patience::in_time;
use crate::secure::{Files, Pair, shake_hands, trusting};
use crate::talk::Client;

fn start(options: &ServerOptions) -> App {
    start_with(Fence::builder().namespace(Namespace::new("/feed").topic("tick")), options, |server| server)
}

/// What a client that wants to poll from this page is answered.
async fn asked_by(app: &App, origin: &str) -> u16 {
    let request = format!("GET {POLLING} HTTP/1.1\r\nhost: test\r\norigin: {origin}\r\n\r\n");
    let mut http = Http::new(app.dial().await);
    tokio::io::AsyncWriteExt::write_all(&mut http.stream, request.as_bytes()).await.expect("the server takes it");
    http.answer().await.expect("an answer").status
}

#[tokio::test]
async fn fewer_connections_end_nobody_and_more_are_taken_at_once() {
    let app = start(&ServerOptions { max_connections: 2, ..options() });
    let mut clients = vec![app.client("/feed").await, app.client("/feed").await];
    let polls = async || Http::new(app.dial().await).get(POLLING).await.status;
    assert_eq!(polls().await, 503);
    app.server.set_options(&ServerOptions { max_connections: 3, ..options() }).await.expect("it can be had");
    clients.push(app.client("/feed").await);
    app.server.set_options(&ServerOptions { max_connections: 1, ..options() }).await.expect("it can be had");
    for client in &mut clients {
        client.subscribe("tick").await;
    }
    for left in [2, 1] {
        drop(clients.pop());
        in_time("one has gone", async {
            while app.server.connections() > left {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(polls().await, 503, "{left} of 1");
    }
    drop(clients);
    in_time("there is a place", async { while polls().await != 200 {} }).await;
}

#[tokio::test]
async fn origins_and_transports_are_looked_up_for_each_request() {
    let app = start(&options());
    let page = |origin: &str| ServerOptions { allowed_origins: vec![origin.to_owned()], ..options() };
    assert_eq!(asked_by(&app, "https://one.example").await, 200);
    app.server.set_options(&page("https://two.example")).await.expect("it can be had");
    assert_eq!(asked_by(&app, "https://one.example").await, 403);
    assert_eq!(asked_by(&app, "https://two.example").await, 200);
    let only = EngineTransport::WebSocketOnly;
    for (engine_transport, wanted) in [(only, 400), (EngineTransport::WebSocketOrPolling, 200), (only, 400)] {
        app.server.set_options(&ServerOptions { engine_transport, ..options() }).await.expect("it can be had");
        assert_eq!(Http::new(app.dial().await).get(POLLING).await.status, wanted);
        app.client("/feed").await;
    }
}

#[tokio::test]
async fn a_layer_in_an_application_takes_other_options_too() {
    let (fence, _news) = app::fence(Fence::builder().namespace(Namespace::new("/feed").topic("tick")));
    let (layer, _io) = SocketIoAdapter::builder(fence).options(options()).build().expect("the adapter can be built");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("bound");
    let router = axum::Router::new().layer(layer.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let polls = async || Http::new(TcpStream::connect(address).await.expect("listening")).get(POLLING).await.status;
    assert_eq!(polls().await, 200);
    let changes = layer.set_options(&ServerOptions { max_connections: 1, path: "/elsewhere".into(), ..options() });
    let told: Vec<_> = changes.iter().map(|change| (change.key, change.effect)).collect();
    assert_eq!(told, [("path", Effect::NeedsRestart), ("maxConnections", Effect::Live)]);
    assert_eq!(polls().await, 503);
}

#[tokio::test]
async fn what_needs_a_restart_is_told_and_stays() {
    let app = start(&options());
    let new = ServerOptions {
        path: "/elsewhere".into(),
        ping_interval: Duration::from_secs(1),
        max_subscriptions_per_client: 0,
        ..options()
    };
    for times in 0..2 {
        let changes = app.server.set_options(&new).await.expect("it can be had");
        let told: Vec<_> = changes.iter().map(|change| (change.key, change.effect)).collect();
        let mut wanted = vec![("path", Effect::NeedsRestart), ("pingIntervalMs", Effect::NeedsRestart)];
        if times == 0 {
            wanted.push(("maxSubscriptionsPerClient", Effect::Live));
        }
        assert_eq!(told, wanted);
    }
    let mut client = app.client("/feed").await;
    let refused = client.ask("subscribe", serde_json::json!({"topic": "tick"})).await;
    assert_eq!(refused["code"], "LIMIT_EXCEEDED", "{refused}");
    assert_eq!(app.server.options().path, "/socket.io");
}

#[tokio::test]
async fn options_whose_files_cannot_be_used_change_nothing_and_a_plan_does_nothing_by_itself() {
    let files = Files::new();
    let app = start(&files.options());
    let other = Pair::new();
    files.write("other.pem", &other.chain);
    files.write("other-key.pem", &other.key);
    let tls = |key: &str| Some(TlsOptions::new(files.directory.join("other.pem"), files.directory.join(key)));
    let with = |key| ServerOptions { max_connections: 1, tls: tls(key), ..files.options() };
    let before = app.server.options();

    let refused = app.server.set_options(&with("key.pem")).await.expect_err("it is another's key");
    assert!(matches!(refused, TlsError::Mismatch { .. }), "{refused}");
    assert_eq!(app.server.options(), before);
    let plan = app.server.plan(&with("other-key.pem")).await.expect("it is good");
    assert_eq!(plan.changes().len(), 3, "{:?}", plan.changes());
    assert_eq!(app.server.options(), before);
    let _kept = Client::join(files.connect(app.dial().await).await, "/feed").await;
    plan.carry_out();
    assert_eq!(app.server.options().max_connections, 1);
    let client = trusting([&other.certificate], &TLS13).with_no_client_auth();
    assert!(shake_hands(client.clone(), app.dial().await).await.is_err(), "the one place is taken");
    app.server.set_options(&ServerOptions { max_connections: 2, ..with("other-key.pem") }).await.expect("it is good");
    shake_hands(client, app.dial().await).await.expect("the new certificate is shown");
}
