//! A session that goes on under other settings, with all its lanes.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use super::ladder::Ladder;
use crate::books::Books;
use crate::lane::earlier;
use crate::slow_client::SlowClient;
use crate::topic::TopicEntry;

impl Session {
    /// Goes on under the settings its topics have now, as `current` tells them; hands out the topics that are gone.
    pub fn reload(
        &mut self,
        current: impl Fn(&TopicEntry) -> Option<Arc<TopicEntry>>,
        books: &mut Books,
    ) -> Vec<Arc<TopicEntry>> {
        let salt = self.salt();
        let mut gone = Vec::new();
        for (place, seated) in &mut self.lanes {
            match current(seated.lane.entry()) {
                Some(topic) => {
                    seated.lane.reload(topic, salt);
                    self.alarm = earlier(self.alarm, seated.lane.poll_alarm());
                    // A wider window may let it send at once, or was all it waited for.
                    seated.end_overflow(self.client, books);
                    seated.queue_up(place as u32, &mut self.turns);
                }
                None => gone.push(seated.lane.entry().clone()),
            }
        }
        gone
    }

    /// Goes on under the ladder its namespace has now. Where a client stands stays as it is, and since when: only what
    /// that means is another thing from now on.
    pub fn follow_ladder(&mut self, rules: Option<SlowClient>, now: Instant, books: &mut Books) {
        match (&mut self.ladder, rules) {
            (None, None) => {}
            (Some(ladder), Some(rules)) => ladder.follow(rules),
            (Some(_), None) => {
                self.get_off(now, books);
                self.ladder = None;
            }
            (None, Some(rules)) => {
                let mut ladder = Box::new(Ladder::new(rules));
                for (place, seated) in &self.lanes {
                    ladder.make_place(place as u32);
                    ladder.weigh(place as u32, &seated.lane);
                }
                self.ladder = Some(ladder);
            }
        }
    }
}
