//! The ladder of a namespace: what happens to a client that stays behind.

use std::time::Duration;

use streamfence_core::{Eviction, SlowClient};

use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;

/// What one client's lanes in a namespace hold at most, all together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Most {
    messages: u64,
    bytes: u64,
}

impl Most {
    /// Takes in so many lanes of so much each: one of a topic, and of a pattern as many as it makes topics.
    pub(crate) fn add(&mut self, lanes: u64, messages: u64, bytes: u64) {
        self.messages = self.messages.saturating_add(lanes.saturating_mul(messages));
        self.bytes = self.bytes.saturating_add(lanes.saturating_mul(bytes));
    }
}

/// The ladder a namespace asks for; `None` where it asks for none, or for one that cannot be kept.
pub(crate) fn resolve(namespace: &Block, most: Most, part: &str, report: &mut Report<'_>) -> Option<SlowClient> {
    let at = namespace.place_of("slowClient")?;
    let block = namespace.block("slowClient", &[Section::SlowClient], part, report);
    if !block.is_sound {
        return None;
    }
    let part = &format!("{part}.slowClient");
    let errors_before = report.errors.len();
    let [soft_messages, soft_bytes] = ["softMessages", "softBytes"].map(|key| block.optional_number(key));
    let [hard_messages, hard_bytes] = ["hardMessages", "hardBytes"].map(|key| block.optional_number(key));
    let mut missing = |key: &str, wanted: &str| {
        report.error(part, at, Problem::Missing { key: key.to_owned(), wanted: wanted.to_owned() });
    };
    let has_hard = hard_messages.is_some() || hard_bytes.is_some();
    match block.word("hard") {
        Some(_) if !has_hard => missing("hardMessages", "hardMessages or hardBytes where `hard` is given"),
        None if has_hard => missing("hard", "unsubscribe or disconnect where a hard limit is given"),
        None if soft_messages.is_none() && soft_bytes.is_none() => {
            missing("softMessages", "at least one of softMessages, softBytes, hardMessages and hardBytes");
        }
        _ => {}
    }
    let pairs = [
        ("softMessages", soft_messages, "hardMessages", hard_messages),
        ("softBytes", soft_bytes, "hardBytes", hard_bytes),
    ];
    for (soft_key, soft, hard_key, hard) in pairs {
        if let (Some(soft), Some(hard), Some(at)) = (soft, hard, block.place_of(soft_key))
            && soft > hard
        {
            report.error(part, at, Problem::SoftExceedsHard { soft_key, soft, hard_key, hard });
        }
    }
    if report.errors.len() > errors_before {
        return None;
    }
    for (key, most) in [
        ("softMessages", most.messages),
        ("softBytes", most.bytes),
        ("hardMessages", most.messages),
        ("hardBytes", most.bytes),
    ] {
        if let (Some(limit), Some(at)) = (block.optional_number(key), block.place_of(key))
            && limit >= most
        {
            let why = "the topics of the namespace hold no more than that for one client";
            report.warning(part, at, Problem::NoEffect { key, why });
        }
    }
    let patience = Duration::from_millis(block.number("forMs"));
    let mut ladder = SlowClient::default().patience(patience).hard(match block.word("hard") {
        Some("disconnect") => Eviction::Disconnect,
        _ => Eviction::Unsubscribe,
    });
    if let Some(messages) = soft_messages {
        ladder = ladder.soft_messages(messages);
    }
    if let Some(bytes) = soft_bytes {
        ladder = ladder.soft_bytes(bytes);
    }
    if let Some(messages) = hard_messages {
        ladder = ladder.hard_messages(messages);
    }
    if let Some(bytes) = hard_bytes {
        ladder = ladder.hard_bytes(bytes);
    }
    Some(ladder)
}
