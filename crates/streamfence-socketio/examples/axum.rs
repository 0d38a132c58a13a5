//! A fence inside an axum application: beside its own routes and its own Socket.IO handlers.
//!
//! ```sh
//! cargo run -p streamfence-socketio --example axum
//! curl -s 127.0.0.1:3000/price -H 'content-type: application/json' -d '{"symbol":"EURUSD","bid":1.0842}'
//! ```
//!
//! Clients subscribe to `price` in `/feed`; whoever cannot keep up is left with the newest price of each symbol. `/chat`
//! is the application's alone: the fence has no part in it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use socketioxide::extract::{Data, SocketRef};
use streamfence_runtime::{BuildError, Fence, Namespace, Overflow, Payload, PublishReport};
use streamfence_socketio::{AdapterError, SocketIoAdapter};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let app = application(fence()?)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}

/// What is delivered, and what gives way where a client cannot keep up.
pub(crate) fn fence() -> Result<Fence, BuildError> {
    let feed = Namespace::new("/feed").topic("price").best_effort(Overflow::Coalesce).max_queued_messages(64);
    Fence::builder().namespace(feed).build()
}

/// The whole application, as a router.
pub(crate) fn application(fence: Fence) -> Result<Router, AdapterError> {
    let (layer, io) = SocketIoAdapter::builder(fence.clone())
        // The application may say something of its own to clients of the fence.
        .on_connect("/feed", async |socket: SocketRef| drop(socket.emit("welcome", "prices in EUR")))
        .build()?;
    io.ns("/chat", async |socket: SocketRef| {
        socket.on("say", async |socket: SocketRef, Data(text): Data<String>| {
            let _ = socket.broadcast().emit("said", &text).await;
        });
    });
    Ok(Router::new()
        .route("/", get(async || "subscribe to `price` in /feed"))
        .route("/price", post(publish))
        .with_state(fence)
        // Under everything else: the layer takes the path of Socket.IO and leaves the rest to the routes.
        .layer(layer))
}

#[derive(Deserialize, Serialize)]
struct Price {
    symbol: String,
    bid: f64,
}

/// Publishes, and answers what became of the price.
async fn publish(State(fence): State<Fence>, Json(price): Json<Price>) -> Result<Json<PublishReport>, StatusCode> {
    let payload = Payload::serialize(&price).map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    let report = fence.publish("/feed", "price", payload.with_key(price.symbol.as_str())).await;
    // The topic is there, so all that can be is that the fence shuts down.
    report.map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
