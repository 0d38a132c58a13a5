//! What the books of a topic must say, counted from the answers and from what came.

use streamfence_core::{AckOutcome, TopicStats};

use crate::scene::{Order, Rule};

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) offered: u64,
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
    /// First sends where no ack is wanted, and released messages where one is.
    pub(crate) delivered: u64,
    pub(crate) retries: u64,
    pub(crate) retried_events: u64,
    pub(crate) exhausted: u64,
    pub(crate) displaced: u64,
    /// Lanes that replaced an older value.
    pub(crate) replaced: u64,
    pub(crate) refused: u64,
    pub(crate) too_large: u64,
    pub(crate) late: u64,
    pub(crate) over_budget: u64,
    pub(crate) abandoned: u64,
    /// How many more that may be: of lanes that ended before anybody could look.
    pub(crate) perhaps_abandoned: u64,
    /// Whether a reload has changed what its lanes do with the order of messages.
    pub(crate) was_changed: bool,
    /// Whether somebody ever wished for fewer values of it than there are.
    pub(crate) has_wishes: bool,
    pub(crate) acks: [u64; AckOutcome::ALL.len()],
}

impl Tally {
    /// The books say what happened, and they balance with what the lanes hold.
    pub(crate) fn check(&self, stats: &TopicStats, resident: u64, rule: &Rule) {
        let is = [
            ("offered", stats.offered, self.offered),
            ("sent", stats.sent, self.sent),
            ("sent_bytes", stats.sent_bytes, self.sent_bytes),
            ("delivered", stats.delivered, self.delivered),
            ("retries", stats.retries, self.retries),
            ("retries, by events", stats.retries, self.retried_events),
            ("exhausted", stats.exhausted, self.exhausted),
            ("displaced", stats.displaced, self.displaced),
            ("rejected", stats.rejected, self.refused - self.too_large - self.late - self.over_budget),
            ("over_budget", stats.over_budget, self.over_budget),
            ("too_large", stats.too_large, self.too_large),
        ];
        for (name, found, wanted) in is {
            assert_eq!(found, wanted, "books: `{name}` of topic {}", rule.topic.index);
        }
        let abandoned = self.abandoned..=self.abandoned + self.perhaps_abandoned;
        let (found, topic) = (stats.abandoned, rule.topic.index);
        assert!(abandoned.contains(&found), "books: `abandoned` of topic {topic} is {found}, not {abandoned:?}");
        assert_eq!(stats.acks, self.acks, "books: the acks of topic {}", rule.topic.index);
        assert!(stats.expired >= self.late, "books: what was late is counted as expired");
        if rule.ttl_ms.is_none() {
            assert_eq!(stats.expired, 0, "books: topic {} lives for ever", rule.topic.index);
        }
        match rule.order() {
            // A lane that kept only the newest value may have given up many for one, before the reload.
            _ if self.was_changed => assert!(stats.coalesced >= self.replaced, "books: `coalesced`"),
            Order::Kept if !self.has_wishes => {
                assert_eq!(stats.coalesced, 0, "books: topic {} keeps all values", rule.topic.index);
            }
            Order::Kept | Order::ByKey => assert_eq!(stats.coalesced, self.replaced, "books: `coalesced`"),
            Order::Newest => assert!(stats.coalesced >= self.replaced, "books: `coalesced`"),
        }
        let gone = stats.delivered + stats.coalesced + stats.dropped() + stats.abandoned;
        assert_eq!(stats.offered, gone + resident, "books: topic {} does not balance", rule.topic.index);
    }
}
