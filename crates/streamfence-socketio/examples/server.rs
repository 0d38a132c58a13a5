//! A server of its own, with a handler for what clients publish.
//!
//! ```sh
//! cargo run -p streamfence-socketio --example server
//! ```
//!
//! A client publishes `{topic: "order", payload: {item, count}}` in `/shop`. The acknowledgement of its publish comes
//! after the handler: `{ok: true}`, or why the order was refused. A confirmation follows to this client alone, until
//! the client acks it.

use serde::{Deserialize, Serialize};
use streamfence_runtime::{
    AtLeastOnce, BuildError, ClientMessage, Fence, InboundAck, Namespace, Payload, PublishError, Topic,
};
use streamfence_socketio::{Address, Server, ServerOptions};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let fence = shop()?;
    take_orders(&fence)?;
    let address = Address::Tcp { host: "127.0.0.1".into(), port: 3000 };
    let options = ServerOptions { address, ..ServerOptions::default() };
    let drain = options.shutdown_drain;
    let server = Server::builder(fence.clone()).options(options).start().await?;

    tokio::signal::ctrl_c().await?;
    // New clients are refused and those that are here get what is theirs, confirmations acked included.
    server.refuse_clients();
    fence.shutdown(drain).await;
    server.stop().await;
    Ok(())
}

/// What is delivered, and how.
pub(crate) fn shop() -> Result<Fence, BuildError> {
    let confirmed = AtLeastOnce::default().window(8).max_retries(5);
    let shop = Namespace::new("/shop")
        .topic_with(Topic::new("order").inbound_ack(InboundAck::AfterHandlerSuccess))
        .topic_with(Topic::new("confirmation").at_least_once(confirmed));
    Fence::builder().namespace(shop).build()
}

#[derive(Debug, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[derive(Serialize)]
struct Confirmation<'a> {
    item: &'a str,
    price: u32,
}

/// Handles the orders of each client one after the other.
pub(crate) fn take_orders(fence: &Fence) -> Result<(), PublishError> {
    let confirming = fence.clone();
    fence.on_message("/shop", "order", move |message: ClientMessage| {
        let fence = confirming.clone();
        async move {
            let order: Order = message.payload.parse().map_err(|why| why.to_string())?;
            if order.count == 0 {
                return Err(format!("an order of no {} at all", order.item));
            }
            let confirmation = Confirmation { item: &order.item, price: 3 * order.count };
            let payload = Payload::serialize(&confirmation).map_err(|why| why.to_string())?;
            // Only this client hears of it, if it has subscribed to confirmations.
            let report = fence.publish_to("/shop", message.client, "confirmation", payload).await;
            report.map(drop).map_err(|why| why.to_string())
        }
    })
}
