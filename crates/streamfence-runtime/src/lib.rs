//! Drives the StreamFence core on tokio.
//!
//! A [`Fence`] is what an application holds: it publishes, listens and shuts down. Behind it, one task per core owns
//! one [`Hub`](streamfence_core::Hub). An adapter opens a [`Link`] per connection, feeds it what the client says, and
//! gives it an [`Outlet`] for what the client is to hear.
//!
//! Read the modules in this order.

mod acks;
mod budget;
mod builder;
mod dead_letters;
mod fence;
mod nesting;
mod payload;
mod report;
mod to;

mod directory;
mod log;

mod clients;
mod command;
mod seat;
mod shard;
mod spill_pump;
mod tickets;
mod totals;

mod encoder;
mod inbox;
mod link;
mod outlet;

mod events;
mod handler;
mod hooks;
mod listener;
mod refusals;
mod together;
mod tracer;
mod watch;

#[cfg(any(test, feature = "test-util"))]
pub mod memory;

pub use acks::{AckWait, Acked};
pub use builder::{BuildError, FenceBuilder};
pub use clients::{Client, ClientState, Counts, TopicState};
pub use dead_letters::{DeadLetter, Replayed};
pub use directory::FindError;
pub use encoder::{Encoder, PlainEncoder};
pub use events::{Events, Next, Told};
pub use fence::look::ClientFilter;
pub use fence::{EncoderInUse, Fence};
pub use handler::{ClientMessage, HandlerError};
pub use hooks::{Asking, Hooks, Veto, Vetoed};
pub use inbox::{InboxFull, Input, SessionWish};
pub use link::Link;
pub use listener::Listener;
pub use nesting::{MAX_DEPTH, nests_deeper_than};
pub use outlet::Outlet;
pub use payload::{Payload, PayloadError};
pub use report::{PublishError, PublishReport};
pub use spill_pump::Charge;
pub use streamfence_core as core;
pub use streamfence_core::{
    AckStyle, AtLeastOnce, Catalog, ClientId, ClientPublish, CloseReason, CoalesceKey, Event, Eviction, Exhaustion,
    GiveUpReason, HandshakeFailure, InboundAck, MessageId, Metadata, Namespace, Observer, OnSubscribe, Overflow,
    RefusalReason, Room, SlowClient, Topic, TraceContext, TracedDelivery, UnsubscribeReason, Wire,
};
pub use tickets::parse_session_id;
pub use to::To;
pub use together::Together;
pub use tracer::{TracedPublish, Tracer};
