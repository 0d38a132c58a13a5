//! What the server has taken on, and what became of it: seen from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use streamfence_core::{TopicId, TopicStats};

use crate::scene::RETENTION;

/// The accounts of one run.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// By topic, what was published: the offset, and when.
    published: BTreeMap<&'static str, BTreeMap<u64, u64>>,
    /// Messages the server gave up, and for whom.
    given_up: BTreeSet<(String, u64)>,
    /// Sessions that wait for their clients, and since when.
    detached: BTreeMap<String, Duration>,
    /// Clients that have no session any more.
    gone: BTreeSet<String>,
    stats: Vec<(TopicId, TopicStats)>,
    /// How many lanes there are, by shard and topic.
    lanes: Vec<((usize, TopicId), u64)>,
    /// How often the clients have received a best-effort message.
    pub(crate) received: u64,
}

impl Books {
    pub(crate) fn publish(&mut self, topic: &'static str, offset: u64, at_ms: u64) {
        self.published.entry(topic).or_default().insert(offset, at_ms);
    }

    pub(crate) fn published(&mut self, topic: &'static str) -> &BTreeMap<u64, u64> {
        self.published.entry(topic).or_default()
    }

    pub(crate) fn give_up(&mut self, client: String, offset: u64) {
        self.given_up.insert((client, offset));
    }

    pub(crate) fn is_given_up(&self, client: &str, offset: u64) -> bool {
        self.given_up.contains(&(client.to_owned(), offset))
    }

    pub(crate) fn disconnected(&mut self, client: String) {
        self.gone.insert(client);
    }

    pub(crate) fn detached(&mut self, client: String, now: Duration) {
        self.gone.remove(&client);
        self.detached.insert(client, now);
    }

    pub(crate) fn resumed(&mut self, client: &str) {
        self.detached.remove(client);
    }

    /// A session has waited long enough.
    ///
    /// # Errors
    /// It has not.
    pub(crate) fn expired(&mut self, client: String, now: Duration) -> Result<(), String> {
        let since = self.detached.remove(&client).ok_or("a session expired that waited for nobody")?;
        self.gone.insert(client);
        if now + SLACK < since + RETENTION {
            return Err(format!("a session expired after {:?} of {RETENTION:?}", now - since));
        }
        Ok(())
    }

    /// Whether a client's session is over, so that it cannot have it back.
    pub(crate) fn is_gone(&self, client: &str) -> bool {
        self.gone.contains(client)
    }

    /// How many sessions wait for their clients.
    pub(crate) fn waiting(&self) -> usize {
        self.detached.len()
    }

    pub(crate) fn add(&mut self, topic: TopicId, since_last: &TopicStats) {
        let place = match self.stats.iter().position(|(known, _)| *known == topic) {
            Some(place) => place,
            None => {
                self.stats.push((topic, TopicStats::default()));
                self.stats.len() - 1
            }
        };
        let sum = &mut self.stats[place].1;
        sum.offered += since_last.offered;
        sum.delivered += since_last.delivered;
        sum.displaced += since_last.displaced;
        sum.rejected += since_last.rejected;
        sum.too_large += since_last.too_large;
        sum.over_budget += since_last.over_budget;
        sum.expired += since_last.expired;
        sum.exhausted += since_last.exhausted;
        sum.coalesced += since_last.coalesced;
        sum.abandoned += since_last.abandoned;
        sum.retries += since_last.retries;
        sum.sent += since_last.sent;
    }

    pub(crate) fn survey(&mut self, shard: usize, topic: TopicId, lanes: u64) {
        match self.lanes.iter_mut().find(|(place, _)| *place == (shard, topic)) {
            Some((_, known)) => *known = lanes,
            None => self.lanes.push(((shard, topic), lanes)),
        }
    }

    /// How many lanes there are, over all shards and topics.
    pub(crate) fn lanes(&self) -> u64 {
        self.lanes.iter().map(|(_, lanes)| lanes).sum()
    }

    /// What happened to all messages of all topics.
    pub(crate) fn totals(&self) -> TopicStats {
        let mut all = Self::default();
        let whatever = self.stats.first().map(|(topic, _)| *topic);
        for (_, stats) in &self.stats {
            all.add(whatever.expect("there is one"), stats);
        }
        all.stats.pop().map(|(_, sum)| sum).unwrap_or_default()
    }

    /// What does not balance, when nothing is left in any lane.
    pub(crate) fn imbalance(&self) -> Option<String> {
        self.stats.iter().find_map(|(topic, stats)| {
            let gone = stats.dropped() + stats.coalesced + stats.abandoned + stats.delivered;
            (gone != stats.offered).then(|| format!("{topic:?} does not balance with nothing resident: {stats:?}"))
        })
    }
}

/// The shards look for old sessions now and then, and the events' clock is a little behind theirs.
const SLACK: Duration = Duration::from_millis(20);
