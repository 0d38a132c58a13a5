//! The Socket.IO library alone: its own tower layer under axum, and a room broadcast.

use std::ops::Range;

use axum::serve::ListenerExt;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use tokio::net::TcpListener;

use crate::message::{NAMESPACE, Quote, TOPIC};
use crate::server::Publisher;

pub(crate) struct Stock {
    io: SocketIo,
}

impl Stock {
    pub(crate) fn start(listener: TcpListener) -> Self {
        let (layer, io) = SocketIo::new_layer();
        io.ns(NAMESPACE, async |socket: SocketRef| {
            socket.on("subscribe", async |socket: SocketRef| {
                socket.join(TOPIC);
                socket.emit("subscribed", &serde_json::json!({ "topic": TOPIC })).expect("there is room for an answer");
            });
        });
        let app = axum::Router::new().layer(layer);
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).expect("the option is known");
        });
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { io }
    }
}

impl Publisher for Stock {
    async fn publish(&mut self, numbers: Range<u64>) -> anyhow::Result<()> {
        for number in numbers {
            let namespace = self.io.of(NAMESPACE).expect("it was registered");
            let sent = namespace.to(TOPIC).emit(TOPIC, &Quote::new(number)).await;
            sent.map_err(|error| anyhow::anyhow!("{error}"))?;
        }
        Ok(())
    }
}
