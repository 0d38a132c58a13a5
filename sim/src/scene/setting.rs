//! What is said of one topic in the catalog, and what a reload may make of it.

use std::num::NonZeroU64;
use std::time::Duration;

use streamfence_core::{AtLeastOnce, Exhaustion, LosslessOverflow, OnSubscribe, Overflow, SpillRules, Topic};

use super::Patience;
use crate::dice::Dice;

/// Everything that may be said of a topic.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// The number of its namespace.
    pub(super) namespace: u64,
    /// One that ends in `*` is a pattern.
    name: String,
    pub(super) is_removed: bool,
    pub(super) patience: Patience,
    messages: u32,
    bytes: u64,
    gap_notices: bool,
    on_subscribe: OnSubscribe,
    is_at_least_once: bool,
    window: u16,
    retries: u32,
    most_topics: u32,
    exhaustion: Exhaustion,
    overflow: Overflow,
    coalesce: bool,
    /// How many may be unconfirmed where nothing is sent again; 0 is any number.
    receipts: u16,
    /// 0 is as often as there is a value.
    hertz: f64,
    /// Whether it goes on on disk where it is full, and how many bytes it may have there; 0 is any number.
    pub(super) spills: bool,
    most_on_disk: u64,
}

impl Setting {
    pub(super) fn new(namespace: u64, number: usize, dice: &mut Dice) -> Self {
        let mut setting = Self {
            namespace,
            name: if dice.chance(25) { format!("t{number}.*") } else { format!("t{number}") },
            is_removed: false,
            patience: Patience::new(dice),
            messages: 1,
            bytes: 1,
            gap_notices: false,
            on_subscribe: OnSubscribe::Nothing,
            is_at_least_once: false,
            window: 1,
            retries: 1,
            most_topics: 1,
            exhaustion: Exhaustion::DeadLetter,
            overflow: Overflow::RejectNew,
            coalesce: false,
            receipts: 0,
            hertz: 0.0,
            spills: false,
            most_on_disk: 0,
        };
        setting.change(dice);
        setting
    }

    /// Becomes another topic, with other promises.
    pub(super) fn change(&mut self, dice: &mut Dice) {
        self.resize(dice);
        self.gap_notices = dice.chance(50);
        self.is_at_least_once = dice.chance(40);
        let overflow = [Overflow::RejectNew, Overflow::DropOldest, Overflow::Coalesce, Overflow::SnapshotOnly];
        self.overflow = dice.pick(&overflow);
        self.coalesce = dice.chance(25);
        self.spills = dice.chance(40);
    }

    /// Gets more room or less, and more patience or less.
    pub(super) fn resize(&mut self, dice: &mut Dice) {
        self.patience = Patience::new(dice);
        self.hertz = dice.pick(&[0.0, 0.0, 0.0, 0.2, 2.0, 20.0]);
        self.messages = dice.pick(&[1, 2, 4, 8, 16, 64]);
        self.bytes = dice.pick(&[300, 1_000, 5_000, 500_000]);
        self.window = dice.between(1, u64::from(self.messages.min(8))) as u16;
        self.most_topics = dice.pick(&[1, 3, 100]);
        self.exhaustion = dice.pick(&[Exhaustion::DeadLetter, Exhaustion::DeadLetter, Exhaustion::Disconnect]);
        self.on_subscribe = dice.pick(&[OnSubscribe::Nothing, OnSubscribe::Last]);
        self.receipts = dice.pick(&[0, 0, 1, 2, 5, 20]);
        self.retries = dice.between(1, 4) as u32;
        self.most_on_disk = dice.pick(&[0, 0, 2_000, 20_000]);
    }

    pub(super) fn topic(&self) -> Topic {
        let is_pattern = self.name.ends_with('*');
        let topic = Topic::new(&self.name)
            .max_topics(self.most_topics)
            .max_queued_messages(self.messages)
            .max_queued_bytes(self.bytes)
            .gap_notices(self.gap_notices)
            .on_subscribe(if is_pattern { OnSubscribe::Nothing } else { self.on_subscribe })
            .spill(SpillRules { max_bytes_per_topic: NonZeroU64::new(self.most_on_disk), ..SpillRules::default() });
        if self.spills && !self.is_at_least_once {
            return topic.best_effort(Overflow::Spill).receipt_window(self.receipts);
        }
        if !self.is_at_least_once {
            let topic = topic.best_effort(self.overflow).receipt_window(self.receipts);
            return topic.coalesce(self.coalesce).max_frequency(self.hertz);
        }
        let Patience { ack_timeout_ms, multiplier, longest_ms, jitter } = self.patience;
        let promise = AtLeastOnce::default()
            .window(self.window)
            .ack_timeout(Duration::from_millis(ack_timeout_ms))
            .max_retries(self.retries)
            .on_exhausted(self.exhaustion)
            .backoff(multiplier, Duration::from_millis(longest_ms))
            .jitter(jitter)
            .overflow(if self.spills { LosslessOverflow::Spill } else { LosslessOverflow::RejectNew });
        topic.at_least_once(promise)
    }
}
