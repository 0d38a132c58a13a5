//! What one client has of one topic, and what it may not have.

use std::collections::{BTreeMap, BTreeSet};

/// The offsets a subscription has brought.
#[derive(Debug, Default)]
pub(crate) struct Track {
    /// Everything after this is promised; `None` until the server has said from where.
    since: Option<u64>,
    seen: BTreeSet<u64>,
    /// What the server has said is lost: from, to.
    gaps: Vec<(u64, u64)>,
    highest: u64,
}

impl Track {
    /// The subscription holds from here.
    pub(crate) fn begin(&mut self, offset: u64) {
        self.since.get_or_insert(offset);
    }

    /// Notes a message. `false` when it is there already.
    ///
    /// # Errors
    /// It comes after one that was published later.
    pub(crate) fn receive(&mut self, offset: u64) -> Result<bool, String> {
        // The answer to the subscription was lost with a connection, but the subscription was not.
        self.begin(offset.saturating_sub(1));
        if self.seen.contains(&offset) {
            return Ok(false);
        }
        if offset <= self.highest {
            return Err(format!("offset {offset} came for the first time after {}", self.highest));
        }
        self.seen.insert(offset);
        self.highest = offset;
        Ok(true)
    }

    /// Notes a loss the server has told of.
    ///
    /// # Errors
    /// It tells of one that has come.
    pub(crate) fn lose(&mut self, from: u64, to: u64, count: u64) -> Result<(), String> {
        if let Some(had) = self.seen.range(from..=to).next().filter(|_| count > to - from) {
            return Err(format!("a gap from {from} to {to} of {count}, and {had} has come"));
        }
        self.gaps.push((from, to));
        Ok(())
    }

    /// The newest offset that has come.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// The first offset of those published that neither came nor was said to be lost, up to one.
    pub(crate) fn missing(
        &self,
        published: &BTreeMap<u64, u64>,
        up_to: u64,
        is_given_up: impl Fn(u64) -> bool,
    ) -> Option<u64> {
        let since = self.since?;
        let told = |offset: u64| self.gaps.iter().any(|(from, to)| (*from..=*to).contains(&offset));
        let promised = published.range(since + 1..).map(|(offset, _)| *offset).take_while(|offset| *offset <= up_to);
        promised.filter(|offset| !self.seen.contains(offset)).find(|offset| !told(*offset) && !is_given_up(*offset))
    }
}
