//! What the trace says of counts: of a publish, of a lane, of the books.

use std::fmt::Write;

use super::Stage;
use crate::{Fanout, SpillRefusal, TopicId, TopicStats};

impl Stage {
    pub(super) fn report(&mut self, name: &str, fanout: Fanout, before: &TopicStats, topic: TopicId) {
        let after = *self.hub.stats(topic);
        let (full, too_large) = (after.rejected - before.rejected, after.too_large - before.too_large);
        let over_budget = after.over_budget - before.over_budget;
        let (displaced, coalesced) = (after.displaced - before.displaced, after.coalesced - before.coalesced);
        assert_eq!(u64::from(fanout.displaced), displaced, "{name}: the fanout tells what the books say");
        assert_eq!(u64::from(fanout.matched), after.offered - before.offered, "{name}: each lane is offered it once");
        assert_eq!(fanout.matched, fanout.admitted + fanout.rejected, "{name}: what is not admitted is rejected");
        assert_eq!(fanout.coalesced > 0, coalesced > 0, "{name}: a lane that coalesced says so");
        if fanout.matched == 0 {
            self.note(&format!("nobody is there for {name}"));
        }
        let expired = u64::from(fanout.rejected) - full - too_large - over_budget;
        let why_full = fanout.spill_refusal.map_or("full", SpillRefusal::as_str);
        if fanout.spilled > 0 {
            match fanout.matched {
                1 => self.note(&format!("spilled {name}")),
                all => self.note(&format!("spilled {name} ({} of {all})", fanout.spilled)),
            }
        }
        assert_eq!(u64::from(fanout.spilled), after.spilled - before.spilled, "{name}: the fanout tells what spilled");
        let reasons = [(full, why_full), (too_large, "too large"), (over_budget, "no memory"), (expired, "expired")];
        for (count, why) in reasons {
            match (count, fanout.matched) {
                (0, _) => {}
                (_, 1) => self.note(&format!("rejected {name}: {why}")),
                (_, all) => self.note(&format!("rejected {name}: {why} ({count} of {all})")),
            }
        }
        for (count, what) in [(displaced, "displaced"), (coalesced, "coalesced")] {
            if count > 0 {
                self.note(&format!("{what} {count}"));
            }
        }
    }

    pub(super) fn holds(&mut self, actor: usize) {
        let Some(session) = self.hub.session(self.actors[actor].session) else {
            return self.say(actor, "is gone");
        };
        let lanes = session
            .lanes()
            .map(|lane| format!("{}: {} messages, {} bytes", lane.entry().name, lane.len(), lane.bytes()));
        let lanes = lanes.collect::<Vec<_>>().join("; ");
        self.say(actor, if lanes.is_empty() { "holds nothing".to_owned() } else { format!("holds {lanes}") }.as_str());
    }

    pub(super) fn books(&mut self) {
        for topic in self.catalog.clone().topics() {
            let stats = *self.hub.stats(topic);
            let mut text = format!("books of {}:", self.catalog.topic_name(topic));
            for (count, what) in [
                (stats.offered, "offered"),
                (stats.sent, "sent"),
                (stats.retries, "retried"),
                (stats.delivered, "delivered"),
                (stats.displaced, "displaced"),
                (stats.coalesced, "coalesced"),
                (stats.spilled, "spilled"),
                (stats.rejected, "rejected"),
                (stats.lost_on_disk, "lost on disk"),
                (stats.too_large, "too large"),
                (stats.over_budget, "over budget"),
                (stats.expired, "expired"),
                (stats.exhausted, "exhausted"),
                (stats.abandoned, "abandoned"),
            ] {
                if count > 0 {
                    write!(text, " {count} {what}").expect("a string takes everything");
                }
            }
            self.note(&text);
        }
        self.tell_cost();
        let (links, resident) = (self.hub.links(), self.hub.resident());
        self.note(&format!("{links} links, {resident} messages resident"));
    }
}
