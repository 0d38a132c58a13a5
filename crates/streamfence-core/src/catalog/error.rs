//! Why a catalog cannot be kept: the place, the value found and the value wanted. Never a check.

use crate::policy::PolicyError;
use crate::slow_client::SlowClientError;

/// Why a catalog cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The path is not one of a namespace.
    #[error(
        "namespace `{namespace}`: wanted a path that starts with `/`, of at most 128 letters, digits and `/ . _ ~ -`"
    )]
    BadPath {
        /// The path found.
        namespace: String,
    },
    /// Two namespaces have one path.
    #[error("namespace `{namespace}` is there twice; wanted each path once")]
    DuplicateNamespace {
        /// The path.
        namespace: String,
    },
    /// A namespace has nothing to subscribe to.
    #[error("namespace `{namespace}` has no topics; wanted at least one")]
    NoTopics {
        /// The path.
        namespace: String,
    },
    /// The name is not one of a topic.
    #[error("namespace `{namespace}`: topic {topic:?}: wanted a name of 1 to 128 bytes without control characters")]
    BadTopicName {
        /// The namespace it is in.
        namespace: String,
        /// The name found.
        topic: String,
    },
    /// A pattern is more than a beginning.
    #[error("namespace `{namespace}`: topic {topic:?}: wanted `*` at the end of a pattern and nowhere else")]
    BadPattern {
        /// The namespace it is in.
        namespace: String,
        /// The name found.
        topic: String,
    },
    /// The name is an event of Socket.IO's or of ours.
    #[error("namespace `{namespace}`: topic `{topic}` is the name of a control event; wanted another name")]
    ReservedTopic {
        /// The namespace it is in.
        namespace: String,
        /// The name found.
        topic: String,
    },
    /// Two topics of a namespace have one name.
    #[error("namespace `{namespace}`: topic `{topic}` is there twice; wanted each name once")]
    DuplicateTopic {
        /// The namespace they are in.
        namespace: String,
        /// The name.
        topic: String,
    },
    /// A number that must be above zero is zero.
    #[error("topic `{topic}`: {key} is 0; wanted at least 1")]
    Zero {
        /// Namespace and topic.
        topic: String,
        /// The setting.
        key: &'static str,
    },
    /// A coalescing key that is no JSON pointer.
    #[error("topic `{topic}`: coalesce key {pointer:?} is no JSON pointer; wanted one such as `/symbol`")]
    BadPointer {
        /// Namespace and topic.
        topic: String,
        /// What was found.
        pointer: String,
    },
    /// An at-least-once topic would lose messages by design.
    #[error("topic `{topic}`: coalesce with at-least-once would lose messages; wanted one of the two")]
    CoalescedAtLeastOnce {
        /// Namespace and topic.
        topic: String,
    },
    /// What lies on disk is not replaced: a lane that spills keeps every value, and in order.
    #[error(
        "topic `{topic}`: coalesce or max_frequency with spilling to disk: what lies on disk is not replaced; wanted one of the two"
    )]
    CoalescedSpill {
        /// Namespace and topic.
        topic: String,
    },
    /// The limits of the slow-client ladder do not fit together.
    #[error("namespace `{namespace}`: slow client: {why}")]
    SlowClient {
        /// The path.
        namespace: String,
        /// What does not fit.
        why: SlowClientError,
    },
    /// An at-least-once topic would leave out values by design.
    #[error("topic `{topic}`: max_frequency with at-least-once would lose messages; wanted one of the two")]
    PacedAtLeastOnce {
        /// Namespace and topic.
        topic: String,
    },
    /// A topic made from a pattern would be kept for ever by what it remembers.
    #[error(
        "topic `{topic}`: on_subscribe is Last; wanted Nothing, since a topic made from a pattern ends when unused"
    )]
    RememberedPattern {
        /// Namespace and topic.
        topic: String,
    },
    /// The parts of the policy do not fit together.
    #[error("topic `{topic}`: {why}")]
    Policy {
        /// Namespace and topic.
        topic: String,
        /// What does not fit.
        why: PolicyError,
    },
}
