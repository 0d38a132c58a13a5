//! A server of a fence in memory, and what its listeners hear.

use std::time::Duration;

use streamfence_core::Event;
use streamfence_runtime::{CloseReason, Fence, FenceBuilder, Listener, Payload};
use streamfence_socketio::server::{MemoryConnector, Server, memory};
use streamfence_socketio::{ServerBuilder, ServerOptions};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::common::patience::in_time;
use crate::talk::Client;

/// A pipe that holds more than any test says without being read.
pub(crate) const WIDE: usize = 1 << 20;

pub(crate) struct App {
    pub(crate) connector: MemoryConnector,
    pub(crate) fence: Fence,
    pub(crate) server: Server,
    pub(crate) news: News,
}

/// The events of a fence, in order.
pub(crate) struct News(mpsc::UnboundedReceiver<Event>);

struct Reporter(mpsc::UnboundedSender<Event>);

impl Listener for Reporter {
    fn on_event(&self, event: &Event) {
        let _nobody_listens = self.0.send(event.clone());
    }
}

pub(crate) fn options() -> ServerOptions {
    ServerOptions { shutdown_drain: Duration::from_secs(2), ..ServerOptions::default() }
}

/// A fence whose events are heard.
pub(crate) fn fence(builder: FenceBuilder) -> (Fence, News) {
    let (events, news) = mpsc::unbounded_channel();
    let fence = builder.shards(2).listener(Reporter(events)).build().expect("the catalog is valid");
    (fence, News(news))
}

pub(crate) fn start(builder: FenceBuilder) -> App {
    start_with(builder, &options(), |server| server)
}

pub(crate) fn start_with(
    builder: FenceBuilder,
    options: &ServerOptions,
    more: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> App {
    let (fence, news) = fence(builder);
    let (connector, listener) = memory();
    let server = more(Server::builder(fence.clone()).options(options.clone()));
    let server = server.start_on(listener).expect("the adapter can be built");
    App { connector, fence, server, news }
}

impl App {
    pub(crate) async fn dial(&self) -> DuplexStream {
        self.connector.connect(WIDE).await.expect("the server listens")
    }

    /// A client in a namespace, over websocket.
    pub(crate) async fn client(&self, namespace: &'static str) -> Client<DuplexStream> {
        Client::join(self.dial().await, namespace).await
    }

    /// A client in a namespace that is subscribed to a topic.
    pub(crate) async fn subscriber(&self, namespace: &'static str, topic: &str) -> Client<DuplexStream> {
        let mut client = self.client(namespace).await;
        client.subscribe(topic).await;
        client
    }

    pub(crate) async fn publish(&self, namespace: &str, topic: &str, json: &str) {
        let payload = Payload::raw_json(json.to_owned()).expect("a test publishes JSON");
        self.fence.publish(namespace, topic, payload).await.expect("the topic exists");
    }
}

impl News {
    /// The next event that fits; those before it are passed over.
    pub(crate) async fn find<T>(&mut self, what: &str, fits: impl Fn(&Event) -> Option<T>) -> T {
        in_time(what, async {
            loop {
                let event = self.0.recv().await.expect("the fence lives");
                if let Some(found) = fits(&event) {
                    return found;
                }
            }
        })
        .await
    }

    /// Why the next client to leave has left.
    pub(crate) async fn left(&mut self) -> CloseReason {
        self.find("a client leaves", |event| match event {
            Event::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        })
        .await
    }
}
