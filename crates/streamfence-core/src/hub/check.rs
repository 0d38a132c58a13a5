//! What must hold of a hub between any two calls. A walk over everything: for tests.

use std::collections::BTreeMap;

use super::Hub;
use crate::message::SessionKey;

impl Hub {
    /// Checks that what each lane counts of its own is, over all lanes that are there and that were, what the books count.
    ///
    /// # Panics
    /// When it is not. To be asked only of a hub whose numbers nobody has taken.
    pub fn check_lane_totals(&self) {
        for topic in self.catalog().topics() {
            let mut totals = self.books.closed(topic.index);
            let lanes = self.sessions.iter().flat_map(|(_, entry)| entry.value.session.lanes());
            lanes.filter(|lane| lane.topic().index == topic.index).for_each(|lane| totals += lane.totals());
            let stats = self.books.stats(topic);
            let of_lanes = (totals.delivered, totals.coalesced, totals.displaced, totals.retries, totals.exhausted);
            let of_books = (stats.delivered, stats.coalesced, stats.displaced, stats.retries, stats.exhausted);
            assert_eq!(of_lanes, of_books, "delivered, coalesced, displaced, retries, exhausted of {topic:?}");
            // A lane that has spilled hears of a refusal when it gets there.
            if stats.spilled == 0 {
                let rejected = stats.rejected + stats.too_large + stats.over_budget;
                assert_eq!(
                    (totals.rejected, totals.expired),
                    (rejected, stats.expired),
                    "rejected, expired of {topic:?}"
                );
            }
        }
    }

    /// Checks the bookkeeping of what has spilled: nothing is counted twice, forgotten, or in two places.
    ///
    /// # Panics
    /// When something does not hold.
    pub fn check(&self) {
        self.spills.check();
        let (mut backlog, mut spilled) = (0, BTreeMap::<SessionKey, u32>::new());
        let mut last = None;
        while let Some(topic) = self.topics.after(last) {
            last = Some(topic);
            let Some(seats) = self.topics.get(topic) else { continue };
            for (seat, &(key, place)) in seats.lanes.iter().enumerate() {
                let session = &self.sessions[key.index as usize].value.session;
                assert_eq!(session.seat_of(place) as usize, seat, "a lane knows its seat");
                assert!(!session.lane(place).has_spilled(), "who has spilled stands in the log and nowhere else");
            }
            let Some(log) = seats.log.map(|place| self.spills.log(place)) else { continue };
            let mut shut = 0;
            for (seat, &(key, place)) in log.lanes.iter().enumerate() {
                let session = &self.sessions[key.index as usize].value.session;
                assert_eq!(session.seat_of(place) as usize, seat, "a lane knows its seat in the log");
                let lane = session.lane(place).spilled().expect("who stands in a log has spilled");
                assert!(lane.cursor.position >= log.first(), "no lane stands before the first");
                assert!(lane.backlog(log).messages > 0, "who has caught up is hot");
                assert!(lane.quota.is_none_or(|limit| log.quotas.contains_key(&(limit, key))), "a quota is filed");
                assert_eq!(
                    lane.is_waiting,
                    log.reads.is_waiting(lane.cursor.position, key),
                    "who waits is known to wait"
                );
                shut += u32::from(lane.is_shut());
                backlog += lane.backlog(log).messages;
                *spilled.entry(key).or_default() += 1;
            }
            assert_eq!(log.shut, shut, "those that take nothing are counted");
        }
        assert_eq!(self.books.resident() - self.books.in_memory(), backlog, "the books count what has spilled");
        for (index, entry) in &self.sessions {
            let key = entry.session_key(index);
            let session = &entry.value.session;
            let known = spilled.get(&key).copied().unwrap_or_default();
            let lanes = session.lanes().filter(|lane| lane.has_spilled()).count();
            assert_eq!(
                (known, session.has_spilled()),
                (lanes as u32, lanes > 0),
                "a session knows which lanes have spilled"
            );
        }
    }
}
