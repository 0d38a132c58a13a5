//! A small application behind the layer.

use std::sync::Arc;
use std::time::Duration;

use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::socket::DisconnectReason;
use streamfence_socketio::link::LinkState;
use streamfence_socketio::server::{MemoryConnector, Server, memory};
use streamfence_socketio::{FenceLayer, ServerOptions, engine};
use tokio::sync::mpsc;

/// A server in memory whose root namespace tells of every client.
pub(crate) struct App {
    pub(crate) connector: MemoryConnector,
    pub(crate) layer: FenceLayer,
    pub(crate) io: SocketIo,
    pub(crate) server: Server,
    pub(crate) news: News,
}

/// What the application sees of its clients.
pub(crate) struct News {
    pub(crate) joined: mpsc::UnboundedReceiver<(SocketRef, Arc<LinkState>)>,
    pub(crate) left: mpsc::UnboundedReceiver<DisconnectReason>,
}

/// The application emits by hand, so it is the library that sends.
pub(crate) fn options() -> ServerOptions {
    ServerOptions { shutdown_drain: Duration::from_secs(2), splice: false, ..ServerOptions::default() }
}

pub(crate) fn start(options: &ServerOptions) -> App {
    let (connector, listener) = memory();
    let (layer, io, news) = layer(options);
    let server = Server::start(listener, &layer, options).expect("no TLS is asked for");
    App { connector, layer, io, server, news }
}

pub(crate) fn layer(options: &ServerOptions) -> (FenceLayer, SocketIo, News) {
    let (service, io) = engine::build(options);
    let (join, joined) = mpsc::unbounded_channel();
    let (leave, left) = mpsc::unbounded_channel();
    io.ns("/", async move |socket: SocketRef| {
        socket.on("echo", async |socket: SocketRef, socketioxide::extract::Data::<String>(text)| {
            socket.emit("echo", &text).expect("there is room for an answer");
        });
        socket.on_disconnect(async move |reason: DisconnectReason| {
            let _nobody_listens = leave.send(reason);
        });
        let link = socket.req_parts().extensions.get::<Arc<LinkState>>().expect("the layer put it there");
        let link = Arc::clone(link);
        let _nobody_listens = join.send((socket, link));
    });
    (FenceLayer::new(service, options.clone()), io, News { joined, left })
}
