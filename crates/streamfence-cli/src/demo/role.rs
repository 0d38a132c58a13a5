//! What a client of the demo's own does: each takes part in its own way.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::json;
use streamfence_client::{ClientError, Connector, Incoming, Message, Pace, Socket, SocketOptions};

const FEED: &[&str] = &["ticker", "prices", "board", "offers", "trades"];
const ALERTS: &[&str] = &["alert"];

/// How much a slow client reads a second: a good deal less than it is sent, and enough that it hears the server's pings
/// before it is taken for gone.
const SLOW: Pace = Pace(NonZeroU32::new(2_048).expect("it is not zero"));

/// How a client takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads the feed as it comes.
    Reader,
    /// Reads the alerts and acks them.
    Acker,
    /// One that somebody wants to watch.
    Watched(Watched),
}

/// Clients that one can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Watched {
    /// Reads the feed much more slowly than it comes.
    Slow,
    /// Reads the alerts and acks none.
    Silent,
}

impl Role {
    /// Takes part until the server, or whoever drops this, ends it. `entered` hears by what name the server knows it.
    pub(super) async fn play(self, connector: &Connector, entered: impl Fn(&str)) -> Result<(), ClientError> {
        let (namespace, topics, pace) = match self {
            Self::Reader => ("/feed", FEED, None),
            Self::Watched(Watched::Slow) => ("/feed", FEED, Some(SLOW)),
            Self::Acker | Self::Watched(Watched::Silent) => ("/alerts", ALERTS, None),
        };
        let options = SocketOptions { pace, ..SocketOptions::new(namespace) };
        let mut socket = Socket::connect(connector, &options).await?;
        socket.emit("subscribe", &json!({ "topics": topics })).await?;
        loop {
            let Incoming::Event(event) = socket.next().await? else { return Ok(()) };
            if event.name == "subscribed" {
                entered(event.first()["clientId"].as_str().unwrap_or_default());
                continue;
            }
            let Some(message) = Message::from_event(event) else { continue };
            if self == Self::Acker && message.wants_ack() {
                let ack = json!({ "topic": message.topic, "messageId": message.id() });
                socket.emit("ack", &ack).await?;
            }
        }
    }
}
