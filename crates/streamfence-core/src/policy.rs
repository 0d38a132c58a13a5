//! What a lane promises, and what gives way when the promise gets tight.
//!
//! Never a file format, never a combination that cannot be kept.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::time::Duration;

use crate::spill::StoreId;

/// How a lane treats its messages: the promise, and how much it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The promise.
    pub delivery: Delivery,
    /// How much one lane may hold, queued and in flight together.
    pub limits: Limits,
    /// Whether the client is told of what it missed.
    pub gap_notices: bool,
    /// How many messages of a best-effort lane may be sent and not yet confirmed by the client; `None` is any number.
    /// At-least-once has a window of its own and never this one.
    pub receipt_window: Option<NonZeroU16>,
}

impl Policy {
    /// A policy whose parts fit together.
    ///
    /// # Errors
    /// [`PolicyError::WindowExceedsQueue`] where the window could never fill, because the lane holds less.
    pub fn new(delivery: Delivery, limits: Limits) -> Result<Self, PolicyError> {
        if let Delivery::AtLeastOnce { window, .. } = delivery
            && u32::from(window.get()) > limits.messages.get()
        {
            return Err(PolicyError::WindowExceedsQueue { window: window.get(), limit: limits.messages.get() });
        }
        Ok(Self { delivery, limits, gap_notices: false, receipt_window: None })
    }

    /// The same policy, with or without notices of what a client missed.
    #[must_use]
    pub fn with_gap_notices(self, gap_notices: bool) -> Self {
        Self { gap_notices, ..self }
    }

    /// The same policy, with a bound on what the client has not confirmed.
    ///
    /// # Errors
    /// [`PolicyError::ReceiptsAtLeastOnce`] where the delivery has such a bound by nature.
    pub fn with_receipt_window(self, receipt_window: Option<NonZeroU16>) -> Result<Self, PolicyError> {
        match receipt_window {
            Some(_) if self.is_at_least_once() => Err(PolicyError::ReceiptsAtLeastOnce),
            _ => Ok(Self { receipt_window, ..self }),
        }
    }

    /// Whether the client is asked to say of each message that it has it.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.is_at_least_once() || self.receipt_window.is_some()
    }

    /// Whether messages wait for the client's acknowledgement.
    #[must_use]
    pub fn is_at_least_once(&self) -> bool {
        matches!(self.delivery, Delivery::AtLeastOnce { .. })
    }

    /// Whether a queued message may give way to others: best effort, unless the lane rather refuses what is new, or
    /// spills.
    #[must_use]
    pub fn gives_way(&self) -> bool {
        matches!(self.delivery, Delivery::BestEffort { overflow, .. }
            if !matches!(overflow, Overflow::RejectNew | Overflow::Spill))
    }

    /// Whether a full lane goes on on disk.
    #[must_use]
    pub fn spills(&self) -> bool {
        match self.delivery {
            Delivery::BestEffort { overflow, .. } => overflow == Overflow::Spill,
            Delivery::AtLeastOnce { overflow, .. } => overflow == LosslessOverflow::Spill,
        }
    }

    /// Whether a newer value takes the place of the older one of its key, so that there is one value a key and not one a
    /// topic, or every message.
    #[must_use]
    pub fn coalesces_by_key(&self) -> bool {
        match self.delivery {
            // It holds one value, whatever the key.
            Delivery::BestEffort { overflow: Overflow::SnapshotOnly, .. } | Delivery::AtLeastOnce { .. } => false,
            Delivery::BestEffort { overflow, coalesce, max_frequency } => {
                coalesce || overflow == Overflow::Coalesce || max_frequency.is_some()
            }
        }
    }

    /// How often a client gets a value of one key at most; `None` is as often as there is one.
    #[must_use]
    pub fn max_frequency(&self) -> Option<Frequency> {
        match self.delivery {
            Delivery::BestEffort { max_frequency, .. } => max_frequency,
            Delivery::AtLeastOnce { .. } => None,
        }
    }

    /// The same policy for a client that asked for no more values than this: the lower of the two counts. An
    /// at-least-once policy stays as it is, and so does one that spills, since they may leave out nothing.
    #[must_use]
    pub fn at_most(mut self, wanted: Option<Frequency>) -> Self {
        if let Delivery::BestEffort { max_frequency, overflow, .. } = &mut self.delivery
            && *overflow != Overflow::Spill
        {
            *max_frequency = max_frequency.map_or(wanted, |own| Some(wanted.map_or(own, |wanted| own.lower(wanted))));
        }
        self
    }
}

/// How often a client gets a value of one key at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    interval: Duration,
}

/// The longest a value waits for the one before it: a day, so that no deadline leaves the clock.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

impl Frequency {
    /// So many times a second, but once a day at least.
    ///
    /// # Errors
    /// [`PolicyError::Frequency`] unless it is a finite number above zero.
    pub fn hertz(hertz: f64) -> Result<Self, PolicyError> {
        if !hertz.is_finite() || hertz <= 0.0 {
            return Err(PolicyError::Frequency);
        }
        let interval = Duration::try_from_secs_f64(hertz.recip()).unwrap_or(LONGEST_INTERVAL);
        Ok(Self { interval: interval.min(LONGEST_INTERVAL) })
    }

    /// The least time between two values of one key.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.interval
    }

    /// The lower of two.
    #[must_use]
    pub fn lower(self, other: Self) -> Self {
        Self { interval: self.interval.max(other.interval) }
    }
}

/// How a lane keeps its promise.
///
/// Best effort costs a client that loses its connection what was sent and not received. At least once costs the memory
/// of every unacked message, and a client may get a message twice: its [`MessageId`](crate::MessageId) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// At most once: a message leaves the lane when the transport takes it.
    BestEffort {
        /// What gives way when the lane is full.
        overflow: Overflow,
        /// Whether an offer first replaces the queued message of the same key, in its place.
        coalesce: bool,
        /// How often a client gets a value of one key at most; `None` is as often as there is one. A lane with this
        /// coalesces by nature.
        max_frequency: Option<Frequency>,
    },
    /// At least once: a message leaves the lane when the client acks it.
    AtLeastOnce {
        /// How many messages may be sent and not yet acked.
        window: NonZeroU16,
        /// When to send again, and how often.
        retry: Retry,
        /// What gives way when the lane is full; never a message already admitted.
        overflow: LosslessOverflow,
    },
}

/// What gives way when a best-effort lane is full. Every loss is counted by its reason, and told to the client where
/// [`Policy::gap_notices`] are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The new message: the publisher is told, the queue stays as it is.
    ///
    /// A client that falls behind keeps what it was promised first and misses what comes later: for jobs, where the
    /// publisher can do something about a refusal. The default.
    RejectNew,
    /// The oldest queued messages, until the new one fits.
    ///
    /// A client that falls behind misses the past and is never further behind than its lane is long: for news and chat.
    DropOldest,
    /// The queued message of the same key, in its place; without one a full lane rejects.
    ///
    /// A client that falls behind gets fewer steps of each value, and each value's newest in the end: for prices and
    /// positions. Costs one look at a key for each message and lane.
    Coalesce,
    /// The whole queue, always: the client gets the newest value and nothing else.
    ///
    /// However slow a client is, what it gets next is current: for a state that each message carries in full.
    SnapshotOnly,
    /// Nothing, while there is room on disk: the new message goes there, and so does every later one until the client has
    /// caught up. Without room it is refused.
    ///
    /// A client that falls behind gets everything, late: for what must be whole and may be old. Costs the disk one copy
    /// of a message, whatever the number of clients that are behind.
    Spill,
}

/// What gives way when an at-least-once lane is full: never a message that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LosslessOverflow {
    /// The new message: the publisher is told.
    RejectNew,
    /// Nothing, while there is room on disk, as with [`Overflow::Spill`].
    Spill,
}

/// How much of a topic may lie on disk, where its lanes [spill](Overflow::Spill).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpillRules {
    /// Where it lies.
    pub store: StoreId,
    /// How many bytes of encoded packets one client may have there; `None` is as much as the store has.
    pub max_bytes_per_client: Option<NonZeroU64>,
    /// How many bytes of encoded packets the topic may have there; `None` likewise. Each shard has an equal part of it.
    pub max_bytes_per_topic: Option<NonZeroU64>,
    /// What becomes of a client for which there is no more room.
    pub on_full: SpillFull,
}

/// What becomes of a lane that has spilled and for which there is no room on disk for one message more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpillFull {
    /// The message is refused, and the publisher is told why.
    #[default]
    Reject,
    /// The client is disconnected, if it has used up its own part: whoever is that far behind is not there.
    Disconnect,
}

/// How much one lane may hold, queued and in flight together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In messages.
    pub messages: NonZeroU32,
    /// In bytes of encoded packets. A message larger than this is never admitted.
    pub bytes: NonZeroU64,
}

impl Default for Limits {
    /// 64 messages, 512 KiB.
    fn default() -> Self {
        Self {
            messages: NonZeroU32::new(64).expect("64 is not zero"),
            bytes: NonZeroU64::new(512 * 1024).expect("512 KiB is not zero"),
        }
    }
}

/// When an unacked message is sent again, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long the client may take to ack, while its connection has room.
    pub ack_timeout: Duration,
    /// How often a message is sent again: it is sent `1 + max_retries` times in all.
    pub max_retries: NonZeroU32,
    /// How the ack timeout grows from attempt to attempt.
    pub backoff: Backoff,
}

impl Retry {
    /// How long the client may take to ack an attempt, counted from 1.
    ///
    /// `luck` spreads what would otherwise be due at once: ten thousand equal deadlines are a storm. It is computed by
    /// the caller from what identifies the attempt, because a stored generator would be state.
    #[must_use]
    pub fn timeout(&self, attempt: u32, luck: u64) -> Duration {
        let Backoff { multiplier_permille, max, jitter_permille } = self.backoff;
        if multiplier_permille == 1000 && jitter_permille == 0 {
            return self.ack_timeout;
        }
        let grown = (f64::from(multiplier_permille) / 1000.0).powf(f64::from(attempt - 1));
        let most = max.max(self.ack_timeout).as_secs_f64();
        let full = (self.ack_timeout.as_secs_f64() * grown).min(most);
        let shortened = f64::from(jitter_permille) / 1000.0 * (luck as f64 / u64::MAX as f64);
        // What is too long for a duration is for ever, as an ack timeout of that length is.
        Duration::try_from_secs_f64(full * (1.0 - shortened)).unwrap_or(Duration::MAX)
    }
}

/// How the ack timeout grows from attempt to attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    multiplier_permille: u32,
    max: Duration,
    jitter_permille: u32,
}

impl Default for Backoff {
    /// Not at all: every attempt has the same time.
    fn default() -> Self {
        Self { multiplier_permille: 1000, max: Duration::ZERO, jitter_permille: 0 }
    }
}

impl Backoff {
    /// Each attempt has `multiplier` times as long as the one before it, but no longer than `max`, or than the ack
    /// timeout itself where that is longer. Each timeout is shortened by a share between 0 and `jitter`.
    ///
    /// # Errors
    /// [`PolicyError::Backoff`] unless `multiplier` is between 1 and 100 and `jitter` between 0 and 1.
    pub fn new(multiplier: f64, max: Duration, jitter: f64) -> Result<Self, PolicyError> {
        if !(1.0..=100.0).contains(&multiplier) || !(0.0..=1.0).contains(&jitter) {
            return Err(PolicyError::Backoff);
        }
        let permille = |value: f64| (value * 1000.0).round() as u32;
        Ok(Self { multiplier_permille: permille(multiplier), max, jitter_permille: permille(jitter) })
    }
}

/// What a message costs its client when the last retry was not acked. The message itself is given up either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exhaustion {
    /// Nothing: the next message is sent.
    #[default]
    DeadLetter,
    /// Its connection: whoever does not ack is not there.
    Disconnect,
}

/// Why a policy cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A window larger than the lane could never fill.
    #[error("max_in_flight {window} exceeds max_queued_messages {limit}")]
    WindowExceedsQueue {
        /// The window wanted.
        window: u16,
        /// The messages a lane may hold.
        limit: u32,
    },
    /// A frequency that is none.
    #[error("max_frequency: wanted a finite number above 0")]
    Frequency,
    /// At-least-once has a window of what is not acked already.
    #[error("receipt_window is for best effort; at-least-once has its window by nature: max_in_flight")]
    ReceiptsAtLeastOnce,
    /// A backoff that would shrink, explode or jitter beyond all bounds.
    #[error("backoff: wanted a multiplier between 1 and 100 and a jitter between 0 and 1")]
    Backoff,
}
