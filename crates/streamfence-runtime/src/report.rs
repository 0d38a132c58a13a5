//! What became of a published message, gathered from all shards.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use serde::Serialize;
use streamfence_core::{Fanout, MessageId, SpillRefusal};
use tokio::sync::Notify;

use crate::acks::Acks;
use crate::hooks::Veto;

/// What became of a published message: `matched = admitted + rejected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PublishReport {
    /// The message's identity, the same on every retry.
    #[serde(serialize_with = "as_text")]
    pub id: MessageId,
    /// Clients subscribed to the topic.
    pub matched: u32,
    /// Clients whose lane queued it.
    pub admitted: u32,
    /// Of those, clients where it replaced an older value.
    pub coalesced: u32,
    /// Older messages that gave way to it.
    pub displaced: u32,
    /// Clients whose lane refused it.
    pub rejected: u32,
    /// Of the admitted, clients whose lane has it on disk, or on its way there.
    pub spilled: u32,
    /// Why lanes that spill refused it, where any did and there was no place on disk: one of the reasons, if there were
    /// several. In JSON it is `spillRefused`, and only there where any did.
    #[serde(rename = "spillRefused", serialize_with = "as_word", skip_serializing_if = "Option::is_none")]
    pub spill_refused: Option<SpillRefusal>,
}

fn as_text<S: serde::Serializer>(id: &MessageId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn as_word<S: serde::Serializer>(refusal: &Option<SpillRefusal>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(refusal.map_or("", SpillRefusal::as_str))
}

/// Why a message was not published. Nothing was lost: no client has seen any of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The catalog has no such namespace.
    #[error("unknown namespace `{namespace}`")]
    UnknownNamespace {
        /// The path asked for.
        namespace: String,
    },
    /// The namespace has no such topic.
    #[error("unknown topic `{topic}` in namespace `{namespace}`")]
    UnknownTopic {
        /// The path of the namespace.
        namespace: String,
        /// The name asked for.
        topic: String,
    },
    /// The topic would be one more than may be made from its pattern.
    #[error("{most} topics of `{pattern}` are the most there may be at once")]
    TooManyTopics {
        /// The pattern.
        pattern: std::sync::Arc<str>,
        /// How many there may be.
        most: u32,
    },
    /// The shards are behind, and the caller did not want to wait.
    #[error("overloaded: {queued} publishes wait for a shard already; publish with `publish` to wait for a place")]
    Overloaded {
        /// How many wait.
        queued: usize,
    },
    /// The topic's messages are not acked, and the caller wants to wait for acks.
    #[error("topic `{topic}` in namespace `{namespace}` is not at-least-once, so its messages are not acked")]
    NotAcked {
        /// The path of the namespace.
        namespace: String,
        /// The name asked for.
        topic: String,
    },
    /// As many publishers wait for acks as may.
    #[error("{most} publishers wait for acks already, which is as many as may")]
    TooManyWaits {
        /// How many may.
        most: usize,
    },
    /// A hook of the application did not want it.
    #[error("vetoed: {why}")]
    Vetoed {
        /// What it said.
        why: Veto,
    },
    /// The fence drains.
    #[error("shutting down: the fence takes no further messages")]
    ShuttingDown,
}

/// Where the shards write what became of one message, for the publisher that waits.
#[derive(Debug)]
pub(crate) struct Ballot {
    outstanding: AtomicU32,
    matched: AtomicU32,
    admitted: AtomicU32,
    coalesced: AtomicU32,
    displaced: AtomicU32,
    rejected: AtomicU32,
    spilled: AtomicU32,
    /// 0 is none; a reason is one more than its place among all of them.
    spill_refused: AtomicU8,
    complete: Notify,
    /// Who has acked the message, where its publisher waits for that.
    acks: Option<Acks>,
}

impl Ballot {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            outstanding: AtomicU32::new(shards as u32),
            matched: AtomicU32::new(0),
            admitted: AtomicU32::new(0),
            coalesced: AtomicU32::new(0),
            displaced: AtomicU32::new(0),
            rejected: AtomicU32::new(0),
            spilled: AtomicU32::new(0),
            spill_refused: AtomicU8::new(0),
            complete: Notify::new(),
            acks: None,
        }
    }

    /// The same for a publisher that waits for acks.
    pub(crate) fn with_acks(shards: usize) -> Self {
        Self { acks: Some(Acks::default()), ..Self::new(shards) }
    }

    pub(crate) fn acks(&self) -> Option<&Acks> {
        self.acks.as_ref()
    }

    /// One shard is done.
    pub(crate) fn cast(&self, fanout: Fanout) {
        self.matched.fetch_add(fanout.matched, Ordering::Relaxed);
        self.admitted.fetch_add(fanout.admitted, Ordering::Relaxed);
        self.coalesced.fetch_add(fanout.coalesced, Ordering::Relaxed);
        self.displaced.fetch_add(fanout.displaced, Ordering::Relaxed);
        self.rejected.fetch_add(fanout.rejected, Ordering::Relaxed);
        self.spilled.fetch_add(fanout.spilled, Ordering::Relaxed);
        if let Some(refusal) = fanout.spill_refusal {
            self.spill_refused.fetch_max(refusal as u8 + 1, Ordering::Relaxed);
        }
        // The last shard's release makes every sum visible to the publisher's acquire.
        if self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.complete.notify_one();
        }
    }

    pub(crate) async fn report(&self, id: MessageId) -> PublishReport {
        while self.outstanding.load(Ordering::Acquire) > 0 {
            self.complete.notified().await;
        }
        let sum = |of: &AtomicU32| of.load(Ordering::Relaxed);
        let refusal = self.spill_refused.load(Ordering::Relaxed);
        PublishReport {
            id,
            matched: sum(&self.matched),
            admitted: sum(&self.admitted),
            coalesced: sum(&self.coalesced),
            displaced: sum(&self.displaced),
            rejected: sum(&self.rejected),
            spilled: sum(&self.spilled),
            spill_refused: refusal.checked_sub(1).map(|place| SpillRefusal::ALL[usize::from(place)]),
        }
    }
}

/// A shard's promise to vote: a message dropped unhandled, because its shard ended, still completes the ballot.
#[derive(Debug)]
pub(crate) struct Vote(pub(crate) Option<std::sync::Arc<Ballot>>);

impl Vote {
    /// Where to tell of acks, if the publisher waits for them.
    pub(crate) fn awaits_acks(&self) -> Option<&std::sync::Arc<Ballot>> {
        self.0.as_ref().filter(|ballot| ballot.acks.is_some())
    }

    pub(crate) fn cast(mut self, fanout: Fanout) {
        if let Some(ballot) = self.0.take() {
            ballot.cast(fanout);
        }
    }
}

impl Drop for Vote {
    fn drop(&mut self) {
        if let Some(ballot) = self.0.take() {
            ballot.cast(Fanout::default());
        }
    }
}
