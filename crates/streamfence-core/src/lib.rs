//! Delivery control as pure state machines.
//!
//! Read the modules in this order.

pub mod catalog;
pub mod message;
pub mod namespace;
pub mod policy;

pub mod link;

pub mod event;
pub mod output;
pub mod stats;

pub use catalog::{Catalog, CatalogBuilder, CatalogError, Class, NamespaceEntry};
pub use event::{CloseReason, Event, Transport, UnsubscribeReason};
pub use link::Room;
pub use message::{
    Body, ClassId, ClientId, Epoch, Key, LinkKey, Message, MessageId, NamespaceId, Offset, Position, RequestId,
    SessionKey, TopicId,
};
pub use namespace::{AtLeastOnce, ClientPublish, InboundAck, Metadata, Namespace, Topic, Wire};
pub use output::{Batch, ErrorCode, Output, Transmit};
pub use policy::{Delivery, Limits, LosslessOverflow, Overflow, Policy, PolicyError, Retry};
pub use stats::{AckOutcome, LaneSurvey, Observer, TopicStats};
