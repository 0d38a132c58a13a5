//! How far the clients of a namespace may stay behind.

use std::time::Duration;

use streamfence_core::{Eviction, SlowClient};

use crate::dice::Dice;
use crate::ledger::Load;

/// The slow-client ladder of a namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rungs {
    soft: Rung,
    hard: Rung,
    pub(crate) eviction: Eviction,
    pub(crate) patience: Duration,
}

/// A limit in messages, in bytes, in both or in neither.
#[derive(Clone, Copy, Debug)]
struct Rung {
    messages: Option<u64>,
    bytes: Option<u64>,
}

impl Rung {
    fn is_below(self, load: Load) -> bool {
        self.messages.is_some_and(|most| load.messages > most) || self.bytes.is_some_and(|most| load.bytes > most)
    }
}

impl Rungs {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let messages = dice.pick(&[None, Some(1), Some(4), Some(12)]);
        let bytes = dice.pick(&[None, Some(200), Some(2_000)]);
        let soft = Rung { messages: messages.or(bytes.is_none().then_some(3)), bytes };
        let more = dice.between(1, 4);
        // A limit that is soft may be hard too, and the other way round.
        let hard = match dice.below(4) {
            0 => Rung { messages: None, bytes: None },
            1 => Rung { messages: soft.messages.map(|most| most * more), bytes: None },
            2 => Rung { messages: None, bytes: Some(soft.bytes.unwrap_or(100) * more) },
            _ => Rung { messages: soft.messages.map(|most| most * more), bytes: soft.bytes.map(|most| most * more) },
        };
        Self {
            soft,
            hard,
            eviction: dice.pick(&[Eviction::Unsubscribe, Eviction::Disconnect]),
            patience: Duration::from_millis(dice.pick(&[10, 500, 5_000, 60_000])),
        }
    }

    pub(super) fn ladder(&self) -> SlowClient {
        let mut ladder = SlowClient::default().hard(self.eviction).patience(self.patience);
        if let Some(messages) = self.soft.messages {
            ladder = ladder.soft_messages(messages);
        }
        if let Some(bytes) = self.soft.bytes {
            ladder = ladder.soft_bytes(bytes);
        }
        if let Some(messages) = self.hard.messages {
            ladder = ladder.hard_messages(messages);
        }
        if let Some(bytes) = self.hard.bytes {
            ladder = ladder.hard_bytes(bytes);
        }
        ladder
    }

    /// Whether a client that holds so much is behind.
    pub(crate) fn is_behind(&self, load: Load) -> bool {
        self.soft.is_below(load)
    }

    /// Whether it is so far behind that it may not stay.
    pub(crate) fn is_pressing(&self, load: Load) -> bool {
        self.hard.is_below(load)
    }
}
