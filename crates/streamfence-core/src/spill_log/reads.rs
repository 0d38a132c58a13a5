//! Which part of a log is to be read next: in the order of the cursors, and around again.
//!
//! Lanes wait, not reads: what is read serves every lane whose cursor lies in it.

use std::collections::BTreeMap;

use crate::message::SessionKey;
use crate::spill::LogPosition;

/// How many reads of a log are under way at most.
const READS_AT_ONCE: usize = 4;
/// How many bytes a read asks for at least, and at most.
const READ_BYTES: std::ops::RangeInclusive<u64> = 4 << 10..=256 << 10;

/// Before all lanes that wait at a position.
const NOBODY: SessionKey = SessionKey { generation: 0, index: 0 };

/// What a lane that waits has room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    /// Its place in its session.
    pub(crate) place: u32,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// The lanes that wait, by their cursors.
    waiting: BTreeMap<(LogPosition, SessionKey), Want>,
    /// What was asked for, and about how far it will reach.
    under_way: Vec<(LogPosition, LogPosition)>,
    /// Where the next is looked for.
    sweep: LogPosition,
}

impl Reads {
    pub(crate) fn wait(&mut self, at: LogPosition, lane: SessionKey, want: Want) {
        self.waiting.insert((at, lane), want);
    }

    pub(crate) fn forget(&mut self, at: LogPosition, lane: SessionKey) {
        self.waiting.remove(&(at, lane));
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn is_waiting(&self, at: LogPosition, lane: SessionKey) -> bool {
        self.waiting.contains_key(&(at, lane))
    }

    /// Takes the next read: from where on, and how many bytes.
    pub(super) fn take_next(&mut self, mean_bytes: u64) -> Option<(LogPosition, u32)> {
        let (from, want) = self.next()?;
        let reach = |bytes: u64| LogPosition(from.0 + bytes.div_ceil(mean_bytes).max(1));
        let mut bytes =
            want.bytes.min(want.messages.saturating_mul(mean_bytes)).clamp(*READ_BYTES.start(), *READ_BYTES.end());
        if self.waiting.range((LogPosition(from.0 + 1), NOBODY)..(reach(bytes), NOBODY)).next().is_some() {
            // What one lane asks for would be the next one's beginning: what is read is to serve many.
            bytes = *READ_BYTES.end();
        }
        let reach = reach(bytes);
        self.under_way.push((from, reach));
        self.sweep = reach;
        Some((from, bytes as u32))
    }

    /// Where the next read begins, if there is one to be made.
    pub(super) fn next(&self) -> Option<(LogPosition, Want)> {
        if self.waiting.is_empty() || self.under_way.len() >= READS_AT_ONCE {
            return None;
        }
        self.next_from(self.sweep).or_else(|| self.next_from(LogPosition(0)))
    }

    fn next_from(&self, mut from: LogPosition) -> Option<(LogPosition, Want)> {
        // Each step either finds one or passes a read that is under way, but perhaps comes to the same twice.
        for _ in 0..=2 * READS_AT_ONCE {
            let ((at, _), want) = self.waiting.range((from, NOBODY)..).next()?;
            let Some((_, reach)) = self.under_way.iter().find(|(start, reach)| (*start..*reach).contains(at)) else {
                return Some((*at, *want));
            };
            from = *reach;
        }
        None
    }

    /// What was asked for is there, up to a position: takes the lanes that it may serve.
    pub(crate) fn answer(&mut self, from: LogPosition, next: LogPosition) -> Vec<(LogPosition, SessionKey, u32)> {
        if let Some(place) = self.under_way.iter().position(|(start, _)| *start == from) {
            self.under_way.swap_remove(place);
        }
        // Whoever waits just there is served even if there was nothing: it must not wait for ever.
        let end = next.max(LogPosition(from.0 + 1));
        let served: Vec<_> = self.waiting.range((from, NOBODY)..(end, NOBODY)).map(|(at, want)| (*at, *want)).collect();
        for (at, _) in &served {
            self.waiting.remove(at);
        }
        served.into_iter().map(|((at, lane), want)| (at, lane, want.place)).collect()
    }
}
