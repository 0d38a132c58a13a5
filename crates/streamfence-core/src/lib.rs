//! Delivery control as pure state machines.
//!
//! A [`Hub`] holds every client of one shard: a link per connection, a [`Session`]
//! per client and namespace, a [`Lane`] per subscribed topic. It knows no tokio, no clock, no file and no socket:
//! time is an argument, what is to be done comes out of [`Hub::poll_output`], and a year of traffic runs in a second.
//!
//! Read the modules in this order.

pub mod catalog;
pub mod message;
pub mod namespace;
pub mod policy;
pub mod slow_client;
pub mod spill;
pub mod topic;
pub mod trace;

mod awaited;
pub mod conflation;
pub mod gap;
pub mod hub;
pub mod in_flight;
pub mod lane;
pub mod link;
pub mod receipts;
pub mod session;
mod spill_log;
mod turns;

pub mod books;
pub mod delays;
pub mod event;
pub mod output;
pub mod stats;

#[cfg(feature = "test-util")]
pub mod testing;

pub use awaited::AckNews;
pub use books::Books;
pub use catalog::{Catalog, CatalogBuilder, CatalogError, Class, Found, NamespaceEntry};
pub use delays::{DELAY_BUCKETS_S, Delays};
pub use event::{
    CloseReason, Event, GiveUpReason, HandshakeFailure, RefusalReason, Tier, Transport, UnsubscribeReason,
};
pub use gap::{Gap, LossReason};
pub use hub::census::{Census, ClientDetail, ClientFigures, ClientOrder, ClientQuery, ClientSummary, LaneDetail};
pub use hub::slow::SlowCounts;
pub use hub::{Fanout, Hub, Pressure, PressureCost, Relief, Reload};
pub use in_flight::InFlight;
pub use lane::{AckedUpTo, Admission, ENTRY_BYTES, Lane, LaneTotals, MESSAGE_BYTES, Rejection, Sending, Wishes};
pub use link::Room;
pub use message::{
    Body, ClassId, ClientId, Epoch, Key, LinkKey, Message, MessageId, NamespaceId, Offset, Position, RequestId,
    SessionKey, TopicId,
};
pub use namespace::{
    AckStyle, AtLeastOnce, ClientPublish, CoalesceKey, InboundAck, Metadata, Namespace, OnSubscribe, Topic, Wire,
};
pub use output::{Batch, ErrorCode, GivenUp, Output, Secret, Ticket, Transmit};
pub use policy::{
    Backoff, Delivery, Exhaustion, Frequency, Limits, LosslessOverflow, Overflow, Policy, PolicyError, Retry,
    SpillFull, SpillRules,
};
pub use receipts::Receipts;
pub use session::{Session, SlowReason, Slowness, Verdict};
pub use slow_client::{Eviction, SlowClient, SlowClientError};
pub use spill::{
    Audience, IO_BUCKETS_S, LogId, LogPosition, LostRecords, Record, SpillBackend, SpillCommand, SpillCompletion,
    SpillHealth, SpillRefusal, SpillStats, StoreId,
};
pub use spill_log::SpillLimits;
pub use stats::{AckOutcome, LaneSurvey, MemoryUse, Observer, TopicStats};
pub use topic::TopicEntry;
pub use trace::{DeliveryOutcome, ParseTraceError, TRACE_STATE_BYTES, TraceContext, TracedDelivery};

#[cfg(doctest)]
mod book;
