//! Plain numbers, handed over in bulk.
//!
//! Never an atomic and never a label: a shard counts alone, and the totals since the last time travel once per tick.

use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Catalog;
use crate::delays::Delays;
use crate::event::{Event, Tier};
use crate::hub::slow::SlowCounts;
use crate::message::TopicId;
use crate::spill::{SpillRefusal, SpillStats, StoreId};

/// What happened to the messages of one topic.
///
/// The books balance: `offered = delivered + displaced + coalesced + rejected + too_large + over_budget + expired +
/// exhausted + abandoned + lost_on_disk + resident`, where a message is offered once per lane and delivered once per first send (best effort) or ack
/// (at least once).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicStats {
    /// Messages published, counted once whatever the number of clients.
    pub published: u64,
    /// Their bytes, encoded.
    pub published_bytes: u64,
    /// Messages taken from clients.
    pub received: u64,
    /// Their bytes, as they came.
    pub received_bytes: u64,
    /// Messages offered to lanes.
    pub offered: u64,
    /// Messages that left their lane as promised: taken by the transport, or acked where an ack is wanted.
    pub delivered: u64,
    /// Messages handed to transports, retries among them.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Queued messages that gave way to newer ones because the lane was full, or to others because memory was.
    pub displaced: u64,
    /// New messages refused because the lane was full, and where it spills, because there was no place on disk either.
    pub rejected: u64,
    /// Of those, messages refused for want of a place on disk, by [`SpillRefusal`].
    pub spill_refusals: [u64; SpillRefusal::ALL.len()],
    /// Messages that lanes took in by way of the disk, each counted once per lane: they are resident until they leave, and
    /// were written only if their lanes did not catch up at once.
    pub spilled: u64,
    /// Messages that lay on disk and could not be read, each counted once per lane.
    pub lost_on_disk: u64,
    /// New messages refused because no lane of this topic could ever hold them.
    pub too_large: u64,
    /// New messages refused because the process had no memory left for them.
    pub over_budget: u64,
    /// Messages whose time was over before they could be sent, or acked.
    pub expired: u64,
    /// Queued messages replaced by a newer value.
    pub coalesced: u64,
    /// Messages sent again.
    pub retries: u64,
    /// Messages given up after the last retry.
    pub exhausted: u64,
    /// Of those that were kept, messages that gave way to newer ones.
    pub dead_letters_evicted: u64,
    /// Messages still queued or unacked when their client left.
    pub abandoned: u64,
    /// Acknowledgements, by [`AckOutcome`].
    pub acks: [u64; AckOutcome::ALL.len()],
    /// How long after they were published messages were sent for the first time, each counted once per lane. What a
    /// newcomer is told of the time before it came is not among them.
    pub sent_after: Delays,
    /// How long after that those that are released by an ack were.
    pub acked_after: Delays,
}

impl TopicStats {
    /// Messages lost to a client, each counted once.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.displaced
            + self.rejected
            + self.too_large
            + self.over_budget
            + self.expired
            + self.exhausted
            + self.lost_on_disk
    }
}

impl TopicStats {
    /// Messages that lanes hold still: queued, in flight and spilled, as far as the numbers are from the beginning.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let gone = self.delivered + self.coalesced + self.dropped() + self.abandoned;
        self.offered.saturating_sub(gone)
    }
}

impl<'a> Sum<&'a Self> for TopicStats {
    fn sum<I: Iterator<Item = &'a Self>>(stats: I) -> Self {
        stats.fold(Self::default(), |mut sum, more| {
            sum += more;
            sum
        })
    }
}

impl AddAssign<&Self> for TopicStats {
    fn add_assign(&mut self, more: &Self) {
        // Taken apart, so that a number that is added is added here too.
        let Self {
            published,
            published_bytes,
            received,
            received_bytes,
            offered,
            delivered,
            sent,
            sent_bytes,
            displaced,
            rejected,
            spill_refusals,
            spilled,
            lost_on_disk,
            too_large,
            over_budget,
            expired,
            coalesced,
            retries,
            exhausted,
            dead_letters_evicted,
            abandoned,
            acks,
            sent_after,
            acked_after,
        } = more;
        self.published += published;
        self.published_bytes += published_bytes;
        self.received += received;
        self.received_bytes += received_bytes;
        self.offered += offered;
        self.delivered += delivered;
        self.sent += sent;
        self.sent_bytes += sent_bytes;
        self.displaced += displaced;
        self.rejected += rejected;
        self.spilled += spilled;
        self.lost_on_disk += lost_on_disk;
        self.too_large += too_large;
        self.over_budget += over_budget;
        self.expired += expired;
        self.coalesced += coalesced;
        self.retries += retries;
        self.exhausted += exhausted;
        self.dead_letters_evicted += dead_letters_evicted;
        self.abandoned += abandoned;
        self.sent_after.add(sent_after);
        self.acked_after.add(acked_after);
        self.spill_refusals.iter_mut().zip(spill_refusals).for_each(|(sum, more)| *sum += more);
        self.acks.iter_mut().zip(acks).for_each(|(sum, more)| *sum += more);
    }
}

/// What an acknowledgement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckOutcome {
    /// It released a message.
    Released,
    /// It made space in the receipt window of a best-effort lane.
    Confirmed,
    /// Its message was released or given up before: a duplicate, or too late.
    Late,
    /// Nothing of that id was ever sent to this client.
    Unknown,
    /// The client is not subscribed to that topic.
    Foreign,
    /// The client could not handle the message and wants it again.
    Nacked,
}

impl AckOutcome {
    /// All of them, in the order of [`TopicStats::acks`].
    pub const ALL: [Self; 6] =
        [Self::Released, Self::Confirmed, Self::Late, Self::Unknown, Self::Foreign, Self::Nacked];

    /// What one acknowledgement did that was heard in two places: what it did anywhere, or else what is known of its
    /// message anywhere.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Late, Self::Unknown) | (Self::Released, _) => self,
            (Self::Late | Self::Unknown, _) => other,
            _ => self,
        }
    }

    /// The name used in labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Confirmed => "confirmed",
            Self::Late => "late",
            Self::Unknown => "unknown",
            Self::Foreign => "foreign",
            Self::Nacked => "nacked",
        }
    }
}

/// How the lanes of one topic stand right now, on one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneSurvey {
    /// How many there are.
    pub lanes: u64,
    /// The most messages one of them holds: queued, in flight and spilled.
    pub depth_max: u64,
    /// The most bytes one of them holds.
    pub bytes_max: u64,
    /// How long ago the oldest message still held was published; zero when all lanes are empty.
    pub oldest: Duration,
    /// How many of the lanes have spilled and not caught up.
    pub spilled_lanes: u64,
    /// How many messages those have to get from the disk, or from what is about to be written, each counted once per lane.
    pub spilled_messages: u64,
    /// Their bytes, each counted once per lane.
    pub spilled_bytes: u64,
    /// How many messages that were given up are kept for the topic. One shard counts them for all.
    pub dead_letters: u64,
}

impl LaneSurvey {
    /// Takes in how the lanes of another shard stand.
    pub fn merge(&mut self, other: &Self) {
        self.lanes += other.lanes;
        self.depth_max = self.depth_max.max(other.depth_max);
        self.bytes_max = self.bytes_max.max(other.bytes_max);
        self.oldest = self.oldest.max(other.oldest);
        self.spilled_lanes += other.spilled_lanes;
        self.spilled_messages += other.spilled_messages;
        self.spilled_bytes += other.spilled_bytes;
        self.dead_letters += other.dead_letters;
    }
}

/// What messages take of the memory they may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// How many bytes they may take.
    pub budget_bytes: u64,
    /// How many bytes they take: each message once, whatever the number of lanes that hold it, and each entry of a lane.
    pub used_bytes: u64,
}

/// Whoever wants to know. Called on the shards, so it must be quick and must not block.
pub trait Observer: Send + Sync {
    /// From now on the numbers are of the topics of this catalog, which follows the last one.
    fn on_reload(&self, catalog: &Catalog) {
        let _ = catalog;
    }

    /// What happened to a topic since the last call from this shard.
    fn on_stats(&self, topic: TopicId, since_last: &TopicStats) {
        let _ = (topic, since_last);
    }

    /// How a topic's lanes stand on one shard.
    fn on_survey(&self, shard: usize, topic: TopicId, survey: &LaneSurvey) {
        let _ = (shard, topic, survey);
    }

    /// How many clients of a namespace, by its path, are slow on one shard, in the order of
    /// [`SlowReason::ALL`](crate::SlowReason::ALL).
    fn on_slow(&self, shard: usize, namespace: &Arc<str>, slow: &SlowCounts) {
        let _ = (shard, namespace, slow);
    }

    /// What the messages of the whole fence take, where it has a budget for them.
    fn on_memory(&self, memory: &MemoryUse) {
        let _ = memory;
    }

    /// How a store that lanes spill to stands, and what it has done since it was opened.
    fn on_spill(&self, store: StoreId, stats: &SpillStats) {
        let _ = (store, stats);
    }

    /// How many connections one shard serves now, by tier, in the order of [`Tier::ALL`].
    fn on_links(&self, shard: usize, links: [u64; Tier::ALL.len()]) {
        let _ = (shard, links);
    }

    /// An edge.
    fn on_event(&self, event: &Event) {
        let _ = event;
    }
}
