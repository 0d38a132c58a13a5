//! Assembles the packet of a message, once for all its clients.

use std::any::Any;
use std::time::SystemTime;

use streamfence_core::{Body, MessageId, TopicEntry};

use crate::payload::Payload;

/// Puts a payload into the packet an adapter sends.
///
/// Called once per publish, under the lock that gives the topic its order: it must be quick and must not block.
pub trait Encoder: Any + Send + Sync {
    /// Assembles the complete packet.
    fn encode(&self, topic: &TopicEntry, payload: &Payload, id: MessageId, published: SystemTime) -> Body;
}

/// The packet is the payload: for adapters without an envelope, and until an adapter brings its own encoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainEncoder;

impl Encoder for PlainEncoder {
    fn encode(&self, _: &TopicEntry, payload: &Payload, _: MessageId, _: SystemTime) -> Body {
        payload.to_body(payload.json(), 0)
    }
}
