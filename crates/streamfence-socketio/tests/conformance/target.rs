//! The servers under test.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use axum::serve::ListenerExt;
use socketioxide::handler::ConnectHandler;
use socketioxide::{ParserConfig, SocketIo};
use streamfence_runtime::{
    AckStyle, AtLeastOnce, ClientPublish, Fence, FenceBuilder, Namespace, Overflow, Payload, Topic,
};
use streamfence_socketio::server::Server;
use streamfence_socketio::{AdapterBuilder, FenceLayer, ServerOptions, SocketIoAdapter};
use tokio::net::TcpListener;

use crate::application::{echo, only_friends};

/// What serves the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The library as it is, under `axum::serve`.
    Stock,
    /// Our layer under `axum::serve`; the application's namespaces lie beside a fenced one.
    Layer,
    /// The same under our own server.
    Server,
    /// The same, and the library emits every message.
    Emitted,
    /// Our own server, and the application's namespaces are fenced themselves.
    Fenced,
}

/// A server that runs until the test ends.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) tempo: Tempo,
    kind: Kind,
    fence: Option<Fence>,
    /// Stops accepting when it is dropped.
    _server: Option<Server>,
}

/// How patient a server is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) connect_timeout: Duration,
}

impl Default for Tempo {
    /// Pings often, and never loses patience within a test.
    fn default() -> Self {
        let patience = Duration::from_secs(60);
        Self { ping_interval: Duration::from_millis(50), ping_timeout: patience, connect_timeout: patience }
    }
}

/// What an open packet says of the largest payload. Ours says it of twice a client's payload and its envelope.
pub(crate) const MAX_PAYLOAD: u32 = 1_000_000;

/// How long the library waits for an upgrade, which takes no time here.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(2);
/// The application's own namespaces.
const OPEN: [&str; 2] = ["/", "/custom"];
const PRIVATE: &str = "/private";

impl Target {
    pub(crate) async fn start(kind: Kind) -> Self {
        Self::start_at(kind, Tempo::default()).await
    }

    /// Another server of the same kind, with another tempo.
    pub(crate) async fn at(&self, tempo: Tempo) -> Self {
        Self::start_at(self.kind, tempo).await
    }

    /// The fence, on a target that has one.
    pub(crate) fn fence(&self) -> &Fence {
        self.fence.as_ref().expect("the library has no fence")
    }

    pub(crate) async fn publish(&self, topic: &str, payload: Payload) {
        self.fence().publish(FEED, topic, payload).await.expect("the topic exists");
    }

    async fn start_at(kind: Kind, tempo: Tempo) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let address = listener.local_addr().expect("it is bound");
        let options = ServerOptions { splice: kind != Kind::Emitted, ..options(tempo) };
        let (fence, server) = match kind {
            Kind::Stock => {
                // Beside no route: the library would have sessions of its own for each method.
                serve(listener, Router::new().layer(stock(tempo)));
                (None, None)
            }
            Kind::Layer => {
                let (fence, layer) = beside_a_fence(options);
                serve(listener, Router::new().route("/{*any}", any(async || "the application")).layer(layer));
                (Some(fence), None)
            }
            Kind::Server | Kind::Emitted => {
                let (fence, layer) = beside_a_fence(options.clone());
                (Some(fence), Some(Server::start(listener, &layer, &options).expect("no TLS is asked for")))
            }
            Kind::Fenced => {
                let builder = OPEN
                    .iter()
                    .chain([&PRIVATE])
                    .fold(feed(), |builder, path| builder.namespace(Namespace::new(*path).topic("any")));
                let fence = builder.build().expect("the catalog is valid");
                let adapter =
                    OPEN.iter().fold(adapter(&fence, options.clone()), |adapter, path| adapter.on_connect(*path, echo));
                let adapter = adapter.on_connect(PRIVATE, echo.with(only_friends));
                let (layer, _io) = adapter.build().expect("the adapter can be built");
                (Some(fence), Some(Server::start(listener, &layer, &options).expect("no TLS is asked for")))
            }
        };
        Self { address, tempo, kind, fence, _server: server }
    }
}

/// The fenced namespace that every target of ours has.
pub(crate) const FEED: &str = "/feed";

/// `/feed` and its topics.
fn feed() -> FenceBuilder {
    let promise = AtLeastOnce::default().window(1).ack_timeout(Duration::from_secs(60)).max_retries(1);
    let topic = |name: &str| Topic::new(name).best_effort(Overflow::DropOldest).max_queued_messages(1000);
    Fence::builder().shards(1).namespace(
        Namespace::new(FEED)
            .topic_with(topic("tick"))
            .topic_with(topic("talk").client_publish(ClientPublish::Relay))
            .topic_with(Topic::new("alert").at_least_once(promise))
            .topic_with(Topic::new("called").at_least_once(promise).ack(AckStyle::Native)),
    )
}

fn adapter(fence: &Fence, options: ServerOptions) -> AdapterBuilder {
    SocketIoAdapter::builder(fence.clone()).options(options).on_connect(FEED, echo.with(only_friends))
}

fn beside_a_fence(options: ServerOptions) -> (Fence, FenceLayer) {
    let fence = feed().build().expect("the catalog is valid");
    let (layer, io) = adapter(&fence, options).build().expect("the adapter can be built");
    register(&io);
    (fence, layer)
}

fn register(io: &SocketIo) {
    for path in OPEN {
        io.ns(path, echo);
    }
    io.ns(PRIVATE, echo.with(only_friends));
}

fn options(tempo: Tempo) -> ServerOptions {
    let options = ServerOptions {
        ping_interval: tempo.ping_interval,
        ping_timeout: tempo.ping_timeout,
        connect_timeout: tempo.connect_timeout,
        max_payload_bytes: (MAX_PAYLOAD - 4096) / 2,
        ..ServerOptions::default()
    };
    assert_eq!(options.max_packet_bytes(), MAX_PAYLOAD as usize);
    options
}

fn stock(tempo: Tempo) -> socketioxide::layer::SocketIoLayer {
    let (layer, io) = SocketIo::builder()
        .ping_interval(tempo.ping_interval)
        .ping_timeout(tempo.ping_timeout)
        .connect_timeout(tempo.connect_timeout)
        .upgrade_timeout(UPGRADE_TIMEOUT)
        .max_payload(MAX_PAYLOAD.into())
        .with_parser(ParserConfig::common())
        .build_layer();
    register(&io);
    layer
}

fn serve(listener: TcpListener, router: Router) {
    // Packets are small, and one that waits for the acknowledgement of the one before it waits long.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("the stream is open"));
    tokio::spawn(async move { axum::serve(listener, router).await });
}
