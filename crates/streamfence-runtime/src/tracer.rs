//! Who records the ways of messages. Never a queue: a tracer must not hold up a shard.

use std::sync::Arc;
use std::time::Instant;

use streamfence_core::{MessageId, TopicEntry, TraceContext, TracedDelivery};

use crate::report::PublishReport;

/// Records publishes and what becomes of them. A fence has one at most: [`FenceBuilder::tracer`](crate::FenceBuilder::tracer).
///
/// It is called where messages are published and on the shards: it must be quick and must not block.
pub trait Tracer: Send + Sync + 'static {
    /// Whether a publish is recorded, whose publisher may have said where it stands. If so: the context of its span, which
    /// its clients are told and which its deliveries are children of.
    fn begin(&self, parent: Option<&TraceContext>) -> Option<TraceContext>;

    /// A recorded publish is over.
    fn published(&self, publish: TracedPublish);

    /// A recorded message has left the lane of a client: told once for each client it was for.
    ///
    /// Of what a lane has read back from disk nothing is told, and of what is refused for want of a place on disk only how
    /// many those are, by the report of the publish.
    fn delivered(&self, delivery: TracedDelivery);
}

/// A publish that was recorded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TracedPublish {
    /// What the publisher said, if anything.
    pub parent: Option<Arc<TraceContext>>,
    /// The context of its own span.
    pub trace: Arc<TraceContext>,
    /// The topic.
    pub topic: Arc<TopicEntry>,
    /// The message.
    pub id: MessageId,
    /// The bytes of the payload, as it was given.
    pub size_bytes: u64,
    /// When it began.
    pub began: Instant,
    /// When all shards had it.
    pub ended: Instant,
    /// What became of it in the lanes; `None` where nobody has waited for that.
    pub report: Option<PublishReport>,
}
