//! Reads that wait for a reader, in the order of the disk.

use std::collections::BTreeMap;

use streamfence_core::{LogId, LogPosition};

/// A place in the order: the last number keeps two reads of one place apart.
type Place = (LogId, LogPosition, u64);

/// The waiting reads. They are served like the floors of a lift: by growing place, then from the beginning, so that lanes
/// that stand near to each other share blocks while those are in memory, and none waits for ever.
#[derive(Debug, Default)]
pub(super) struct Reads {
    waiting: BTreeMap<Place, u32>,
    /// Where the lift is.
    at: Option<Place>,
    count: u64,
}

/// Somebody wants records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadRequest {
    pub(super) log: LogId,
    pub(super) from: LogPosition,
    pub(super) most_bytes: u32,
}

impl Reads {
    pub(super) fn push(&mut self, request: ReadRequest) {
        self.count += 1;
        self.waiting.insert((request.log, request.from, self.count), request.most_bytes);
    }

    pub(super) fn pop(&mut self) -> Option<ReadRequest> {
        let ahead = self.at.and_then(|at| self.waiting.range(at..).next());
        let (&place, &most_bytes) = ahead.or_else(|| self.waiting.first_key_value())?;
        self.waiting.remove(&place);
        self.at = Some(place);
        let (log, from, _) = place;
        Some(ReadRequest { log, from, most_bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use streamfence_core::StoreId;

    use super::*;

    #[test]
    fn reads_are_served_in_the_order_of_the_disk_and_none_is_overtaken_for_ever() {
        let mut reads = Reads::default();
        let request = |log, from| ReadRequest {
            log: LogId { store: StoreId(0), number: log },
            from: LogPosition(from),
            most_bytes: 1,
        };
        for (log, from) in [(1, 50), (0, 10), (1, 20), (1, 20)] {
            reads.push(request(log, from));
        }
        let mut served = Vec::new();
        while let Some(ReadRequest { log, from, .. }) = reads.pop() {
            served.push((log.number, from.0));
            if served.len() == 2 {
                // Behind the lift: it waits for the next round, and what lies ahead does not wait for it.
                reads.push(request(0, 5));
                reads.push(request(1, 30));
            }
        }
        assert_eq!(served, [(0, 10), (1, 20), (1, 20), (1, 30), (1, 50), (0, 5)]);
        assert_eq!(reads.len(), 0);
    }
}
