//! A client of StreamFence: what its command line talks with.
//!
//! A [`Connector`] knows where a server is, whom to trust, and who we are. Over it a [`Socket`] enters a namespace by Socket.IO, on a
//! websocket, reads as fast or as slowly as it is told to, and [`Message`] finds in what comes what a topic brought. An
//! [`Api`] talks to the HTTP API of a server, and [`Events`] are what it tells as they happen.
//!
//! It is no general client of Socket.IO: it never polls, and it does not connect again by itself.

mod connector;
mod target;

mod api;
mod events;
mod sse;

mod message;
mod packet;
mod socket;

mod error;
mod pace;

pub use api::{Answer, Api};
pub use connector::{Connector, Identity, Trust};
pub use error::ClientError;
pub use events::Events;
pub use message::Message;
pub use pace::Pace;
pub use packet::Event;
pub use socket::{Incoming, Session, Socket, SocketOptions};
pub use sse::Told;
pub use target::{Target, TargetError};

/// A word as it may stand in the path or the query of a URL.
pub use target::encoded;
