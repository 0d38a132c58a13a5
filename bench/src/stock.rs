//! The Socket.IO library alone: its own tower layer under axum, and a room broadcast.

use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use tokio::net::TcpListener;

use crate::message::{NAMESPACE, Quote, TOPIC};
use crate::server::Publisher;

pub(crate) struct Stock {
    io: SocketIo,
    may_pass_over: bool,
}

#[derive(Debug, Deserialize, Serialize)]
struct Wish {
    topic: String,
}

impl Stock {
    /// Some of the clients may not read: then those who have no room are passed over.
    pub(crate) fn start(listener: TcpListener, may_pass_over: bool) -> Self {
        let (layer, io) = SocketIo::new_layer();
        io.ns(NAMESPACE, async |socket: SocketRef| {
            socket.on("subscribe", async |socket: SocketRef, Data(wish): Data<Wish>| {
                // One that has left again already hears nothing.
                let _gone = socket.emit("subscribed", &wish);
                socket.join(wish.topic);
            });
        });
        let app = axum::Router::new().layer(layer);
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).expect("the option is known");
        });
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { io, may_pass_over }
    }
}

impl Publisher for Stock {
    async fn publish(&mut self, quotes: Vec<Quote>) -> anyhow::Result<()> {
        for quote in quotes {
            let namespace = self.io.of(NAMESPACE).expect("it was registered");
            let sent = namespace.to(TOPIC).emit(TOPIC, &quote).await;
            if !self.may_pass_over {
                sent.map_err(|error| anyhow::anyhow!("{error}"))?;
            }
        }
        Ok(())
    }
}
