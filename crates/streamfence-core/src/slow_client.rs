//! When a client stays too far behind, and what is done about it: the slow-client ladder of a namespace.
//!
//! Never a lane's own limit, which says what gives way in the lane; this is over all lanes of one client.

use std::time::Duration;

/// How far one client may stay behind in a namespace, as an application asks for it.
///
/// Sizes are over all its lanes there, queued and in flight together. What lies on disk for it does not count, and what it
/// gets from there is progress as anything else is: [`SpillRules`](crate::SpillRules) bound that. What is not said has no
/// limit.
///
/// ```
/// use std::time::Duration;
/// use streamfence_core::{Catalog, Eviction, Namespace, SlowClient};
///
/// let ladder = SlowClient::default()
///     .soft_messages(48)
///     .hard(Eviction::Disconnect)
///     .hard_messages(60)
///     .patience(Duration::from_secs(5));
/// Catalog::builder().namespace(Namespace::new("/feed").topic("tick").slow_client(ladder)).build()?;
/// # Ok::<(), streamfence_core::CatalogError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowClient {
    pub(crate) soft: Step,
    pub(crate) hard: Step,
    pub(crate) eviction: Eviction,
    pub(crate) patience: Duration,
}

impl Default for SlowClient {
    /// No limits, a patience of 10 s, and [`Eviction::Unsubscribe`] where a hard limit is given.
    fn default() -> Self {
        Self { soft: Step::NONE, hard: Step::NONE, eviction: Eviction::Unsubscribe, patience: Duration::from_secs(10) }
    }
}

impl SlowClient {
    /// A client with more messages than this for the whole patience is told of as slow; at least 1. Default: no limit.
    #[must_use]
    pub fn soft_messages(mut self, messages: u64) -> Self {
        self.soft.messages = Some(messages);
        self
    }

    /// The same in bytes of encoded packets.
    #[must_use]
    pub fn soft_bytes(mut self, bytes: u64) -> Self {
        self.soft.bytes = Some(bytes);
        self
    }

    /// A client with more messages than this that makes no progress for the whole patience is evicted; at least 1, and
    /// at least the soft limit. Default: no limit.
    #[must_use]
    pub fn hard_messages(mut self, messages: u64) -> Self {
        self.hard.messages = Some(messages);
        self
    }

    /// The same in bytes of encoded packets.
    #[must_use]
    pub fn hard_bytes(mut self, bytes: u64) -> Self {
        self.hard.bytes = Some(bytes);
        self
    }

    /// What happens to a client above a hard limit. Default: [`Eviction::Unsubscribe`].
    #[must_use]
    pub fn hard(mut self, eviction: Eviction) -> Self {
        self.eviction = eviction;
        self
    }

    /// How long a client may stay above a limit, above zero. Default: 10 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Checks that the limits fit together.
    pub(crate) fn check(&self) -> Result<(), SlowClientError> {
        let given = [
            ("soft_messages", self.soft.messages),
            ("soft_bytes", self.soft.bytes),
            ("hard_messages", self.hard.messages),
            ("hard_bytes", self.hard.bytes),
        ];
        if given.iter().all(|(_, limit)| limit.is_none()) {
            return Err(SlowClientError::NoLimit);
        }
        if let Some((key, _)) = given.iter().find(|(_, limit)| *limit == Some(0)) {
            return Err(SlowClientError::Zero { key });
        }
        if self.patience.is_zero() {
            return Err(SlowClientError::Zero { key: "patience" });
        }
        let pairs = [("messages", self.soft.messages, self.hard.messages), ("bytes", self.soft.bytes, self.hard.bytes)];
        for (unit, soft, hard) in pairs {
            if let (Some(soft), Some(hard)) = (soft, hard)
                && soft > hard
            {
                return Err(SlowClientError::SoftExceedsHard { unit, soft, hard });
            }
        }
        Ok(())
    }
}

/// One step of the ladder: a limit in messages, in bytes, in both or in neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) messages: Option<u64>,
    pub(crate) bytes: Option<u64>,
}

impl Step {
    const NONE: Self = Self { messages: None, bytes: None };

    /// Whether so much is more than either limit.
    pub(crate) fn is_below(&self, held: Load) -> bool {
        self.messages.is_some_and(|limit| held.messages > limit) || self.bytes.is_some_and(|limit| held.bytes > limit)
    }
}

/// What a lane, or all lanes of a client, hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// What happens to a client above a hard limit that makes no progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// Its fullest lane ends.
    #[default]
    Unsubscribe,
    /// It is disconnected, and not waited for.
    Disconnect,
}

/// Why a ladder cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlowClientError {
    /// It would never do anything.
    #[error("no limit is given; wanted at least one of soft_messages, soft_bytes, hard_messages and hard_bytes")]
    NoLimit,
    /// A number that must be above zero is zero.
    #[error("{key} is 0; wanted at least 1")]
    Zero {
        /// The setting.
        key: &'static str,
    },
    /// A client would be evicted before anybody is told that it is slow.
    #[error("soft_{unit} {soft} exceeds hard_{unit} {hard}")]
    SoftExceedsHard {
        /// What is counted: messages or bytes.
        unit: &'static str,
        /// The soft limit.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
}
