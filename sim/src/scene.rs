//! What a seed's world is like: the catalog, the shards, the clients, and how often what happens.
//!
//! The one place to give the simulation something new: a setting of a topic in [`Setting`], a habit of a client in
//! [`Profile`], something that may happen in [`ACTS`]. The rest asks the policy of the catalog.

mod rungs;
mod setting;

use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{Catalog, Delivery, Namespace, NamespaceId, OnSubscribe, Overflow, Policy, TopicId, Wishes};

pub(crate) use self::rungs::Rungs;
use self::setting::Setting;
use crate::dice::Dice;

/// All that a seed decides before anything happens, and what a reload makes of it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) catalog: Arc<Catalog>,
    /// By topic, as are the settings.
    pub(crate) rules: Vec<Arc<Rule>>,
    settings: Vec<Setting>,
    /// The ladder of each namespace.
    ladders: Vec<Option<Rungs>>,
    pub(crate) shards: usize,
    /// How many bytes all messages may take, where that has an end.
    pub(crate) budget: Option<u64>,
    /// How many bytes the disk of each shard has, for how many it makes room at a time, and whether what is written stays
    /// in memory for a while.
    pub(crate) disk_bytes: u64,
    pub(crate) grant_bytes: u64,
    pub(crate) keeps_tails: bool,
    pub(crate) profiles: Vec<Profile>,
    /// Whether the end is a drain, which lets nobody wait for a lost client.
    pub(crate) ends_in_a_drain: bool,
}

/// How a topic is published to, and what was promised for it.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) topic: TopicId,
    pub(crate) namespace: NamespaceId,
    /// Whether a reload took the topic away.
    pub(crate) is_removed: bool,
    pub(crate) policy: Policy,
    /// Whether a newcomer gets the newest value at once, and whether that is one for each key.
    pub(crate) remembers: Option<bool>,
    pub(crate) patience: Patience,
    /// The longest time to live of its messages, in milliseconds; `None` where they live for ever.
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) keys: u64,
    pub(crate) largest: u64,
    pub(crate) attachments: bool,
}

/// How long a client may take to ack, where it is to ack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    ack_timeout_ms: u64,
    multiplier: f64,
    longest_ms: u64,
    jitter: f64,
}

/// What a lane does with the order of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// They leave as they came.
    Kept,
    /// A newer value takes the place of an older one with its key.
    ByKey,
    /// Only the newest is there.
    Newest,
}

/// The habits of a client. Shares are in percent of what it does when it is its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    /// Whether its transport takes everything at once.
    pub(crate) reads_at_once: bool,
    /// How much its transport takes otherwise.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// How often it reads nothing when it might.
    pub(crate) stalls: u64,
    /// Whether it acks in the moment it hears.
    pub(crate) acks_at_once: bool,
    /// What it says when it acks: the share of all up to one, of nacks, and of acks that are none of its business.
    pub(crate) cumulative: u64,
    pub(crate) nacks: u64,
    pub(crate) forges: u64,
    /// Whether it asks for a session that outlives its connection.
    pub(crate) retention: Option<Duration>,
    /// How long it stays away at most.
    pub(crate) away_ms: u64,
    /// How often, in permille of its turns, it goes, and changes its subscriptions.
    pub(crate) vanishes: u64,
    pub(crate) churns: u64,
    /// How many namespaces it joins.
    pub(crate) namespaces: u64,
    /// Whose it is, by their numbers, where it says so.
    pub(crate) principal: Option<usize>,
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Something is published to all.
    Publish,
    /// Something is published to one client, to some, or to all sessions of somebody.
    PublishTo,
    /// A shard takes what was published.
    Take,
    /// It is a client's turn.
    Client,
    /// Time passes, and the shards wake up in time.
    Pass,
    /// Time passes, and the shards wake up late.
    Oversleep,
    /// A shard looks for what is due without a reason, or with an old clock.
    WakeForNothing,
    /// A shard looks how much memory is left.
    Relieve,
    /// A shard looks for what is not worth sending any more.
    Tick,
    /// Somebody uses a key that is stale.
    Stale,
    /// A shard's disk does something.
    Disk,
    /// All shards go on under another catalog.
    Reload,
}

/// How often what happens.
pub(crate) const ACTS: &[(u64, Act)] = &[
    (80, Act::Publish),
    (30, Act::PublishTo),
    (40, Act::Take),
    (600, Act::Client),
    (60, Act::Pass),
    (4, Act::Oversleep),
    (10, Act::WakeForNothing),
    (6, Act::Tick),
    (6, Act::Relieve),
    (10, Act::Stale),
    (60, Act::Disk),
    (3, Act::Reload),
];

/// How many there are that clients may belong to.
pub(crate) const PRINCIPALS: u64 = 12;
/// The most topics there are, with those that are gone.
const MOST_TOPICS: usize = 24;

impl Scene {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut settings = Vec::new();
        let mut ladders = Vec::new();
        for namespace in 0..dice.between(2, 4) {
            ladders.push(dice.chance(50).then(|| Rungs::new(dice)));
            for _ in 0..dice.between(1, 4) {
                settings.push(Setting::new(namespace, settings.len(), dice));
            }
        }
        let budget = dice.chance(30).then(|| dice.pick(&[8_000, 40_000, 150_000]));
        forbid_spilling(&mut settings, &ladders, budget);
        let catalog = Arc::new(catalog_of(&settings, &ladders));
        let topics = catalog.topics().zip(&settings);
        let rules = topics.map(|(topic, setting)| Arc::new(Rule::new(&catalog, topic, setting.patience, dice)));
        let rules = rules.collect();
        let clients = dice.between(60, 300);
        Self {
            catalog,
            rules,
            settings,
            ladders,
            shards: dice.between(1, 4) as usize,
            budget,
            disk_bytes: dice.pick(&[0, 5_000, 100_000, 1 << 30]),
            grant_bytes: dice.pick(&[2_000, 20_000]),
            keeps_tails: dice.chance(50),
            profiles: (0..clients).map(|_| Profile::new(dice)).collect(),
            ends_in_a_drain: dice.chance(25),
        }
    }

    /// What is after a reload: some topics have other limits, some are other topics altogether, some are gone or back.
    pub(crate) fn reloaded(&self, dice: &mut Dice) -> Self {
        let mut settings = self.settings.clone();
        for place in 0..settings.len() {
            let namespace = settings[place].namespace;
            let others = settings.iter().filter(|other| other.namespace == namespace && !other.is_removed).count();
            let setting = &mut settings[place];
            match dice.below(100) {
                _ if setting.is_removed => setting.is_removed = dice.chance(60),
                // A namespace has at least one topic.
                0..10 if others > 1 => setting.is_removed = true,
                10..22 => setting.change(dice),
                22..45 => setting.resize(dice),
                _ => {}
            }
        }
        if settings.len() < MOST_TOPICS && dice.chance(20) {
            let namespace = dice.pick(&settings.iter().map(|setting| setting.namespace).collect::<Vec<_>>());
            settings.push(Setting::new(namespace, settings.len(), dice));
        }
        let mut ladders = self.ladders.clone();
        forbid_spilling(&mut settings, &ladders, self.budget);
        for (number, ladder) in (0..).zip(&mut ladders) {
            if settings.iter().any(|setting| setting.namespace == number && setting.spills) {
                continue;
            }
            if dice.chance(20) {
                *ladder = dice.chance(50).then(|| Rungs::new(dice));
            }
        }
        let catalog = Arc::new(catalog_of(&settings, &ladders).following(&self.catalog));
        let mut rules = Vec::new();
        for (topic, setting) in catalog.topics().zip(&settings) {
            let mut rule = Rule::new(&catalog, topic, setting.patience, dice);
            if let Some(old) = self.rules.get(rules.len()) {
                // Its publishers go on as they did.
                let Rule { ttl_ms, keys, largest, attachments, .. } = **old;
                rule = Rule { ttl_ms, keys, largest, attachments, ..rule };
            }
            rules.push(Arc::new(rule));
        }
        Self { catalog, rules, settings, ladders, ..self.clone() }
    }

    /// The topics there are now.
    pub(crate) fn topics(&self) -> impl Iterator<Item = TopicId> + '_ {
        self.rules.iter().filter(|rule| !rule.is_removed).map(|rule| rule.topic)
    }

    /// The ladder of a namespace.
    pub(crate) fn rungs(&self, namespace: NamespaceId) -> Option<&Rungs> {
        self.ladders[namespace.0 as usize].as_ref()
    }
}

/// What lies on disk is taken in when there is place for it, and nobody here knows when that is: so no lane spills whose
/// load is looked at closely, because of a ladder or for want of memory.
fn forbid_spilling(settings: &mut [Setting], ladders: &[Option<Rungs>], budget: Option<u64>) {
    for setting in settings {
        setting.spills &= budget.is_none() && ladders[setting.namespace as usize].is_none();
    }
}

fn catalog_of(settings: &[Setting], ladders: &[Option<Rungs>]) -> Catalog {
    let mut catalog = Catalog::builder();
    for (number, rungs) in (0..).zip(ladders) {
        let topics = settings.iter().filter(|setting| setting.namespace == number && !setting.is_removed);
        let mut namespace = Namespace::new(format!("/n{number}"));
        if let Some(rungs) = rungs {
            namespace = namespace.slow_client(rungs.ladder());
        }
        catalog = catalog.namespace(topics.fold(namespace, |all, setting| all.topic_with(setting.topic())));
    }
    catalog.build().expect("every drawn policy can be kept")
}

impl Patience {
    fn new(dice: &mut Dice) -> Self {
        Self {
            ack_timeout_ms: dice.pick(&[20, 200, 1_000, 5_000]),
            multiplier: dice.pick(&[1.0, 1.0, 1.5, 2.0, 10.0]),
            longest_ms: dice.pick(&[0, 500, 60_000]),
            jitter: dice.pick(&[0.0, 0.0, 0.2, 1.0]),
        }
    }

    pub(crate) fn ack_timeout(&self) -> Duration {
        Duration::from_millis(self.ack_timeout_ms)
    }

    /// When an attempt may be called unacked, at the earliest and at the latest. What is reckoned in fractions is not
    /// exact to the nanosecond.
    pub(crate) fn of_attempt(&self, attempt: u32) -> (Duration, Duration) {
        let longest = self.longest_ms.max(self.ack_timeout_ms) as f64;
        let full = (self.ack_timeout_ms as f64 * self.multiplier.powi(attempt as i32 - 1)).min(longest) / 1_000.0;
        let grain = if self.multiplier > 1.0 || self.jitter > 0.0 { 1e-6 } else { 0.0 };
        let earliest = (full * (1.0 - self.jitter) - grain).max(0.0);
        (Duration::from_secs_f64(earliest), Duration::from_secs_f64(full + grain))
    }
}

impl Rule {
    fn new(catalog: &Catalog, topic: TopicId, patience: Patience, dice: &mut Dice) -> Self {
        let class = catalog.class(topic);
        Self {
            topic,
            namespace: class.namespace,
            is_removed: class.is_removed,
            policy: class.policy,
            remembers: (class.on_subscribe == OnSubscribe::Last && !class.is_removed)
                .then(|| class.policy.coalesces_by_key()),
            patience,
            ttl_ms: dice.chance(40).then(|| dice.pick(&[5, 100, 2_000, 60_000])),
            keys: dice.between(1, 6),
            // Now and then a message is larger than any lane.
            largest: dice.pick(&[20, 200, 1_200]),
            attachments: dice.chance(20),
        }
    }

    pub(crate) fn order(&self) -> Order {
        match self.policy.delivery {
            Delivery::BestEffort { overflow: Overflow::SnapshotOnly, .. } => Order::Newest,
            Delivery::BestEffort { .. } if self.policy.coalesces_by_key() => Order::ByKey,
            Delivery::BestEffort { .. } | Delivery::AtLeastOnce { .. } => Order::Kept,
        }
    }

    /// The rule for a client that wished for something.
    pub(crate) fn for_wishes(self: &Arc<Self>, wishes: Wishes) -> Arc<Self> {
        match wishes.max_frequency {
            None => self.clone(),
            wanted => Arc::new(Self { policy: self.policy.at_most(wanted), ..(**self).clone() }),
        }
    }

    /// The least time between two values of one key.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.policy.max_frequency().map(streamfence_core::Frequency::interval)
    }

    /// Whether a lane that was under another rule goes on as if it had always been under this one.
    pub(crate) fn continues(&self, old: &Self) -> bool {
        self.order() == old.order()
            && self.displaces() == old.displaces()
            && self.promise().is_some() == old.promise().is_some()
            && self.policy.gap_notices == old.policy.gap_notices
            && self.policy.spills() == old.policy.spills()
    }

    /// Whether old messages give way to new ones.
    pub(crate) fn displaces(&self) -> bool {
        matches!(self.policy.delivery, Delivery::BestEffort { overflow: Overflow::DropOldest, .. })
    }

    /// Whether what becomes of an offer follows from how full its lane is, and from nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.ttl_ms.is_none() && self.order() != Order::ByKey && !self.policy.spills()
    }

    /// How many messages may be sent and not yet confirmed, where receipts are asked for.
    pub(crate) fn receipt_window(&self) -> Option<usize> {
        self.policy.receipt_window.map(|window| usize::from(window.get()))
    }

    /// The widest window, and how often a message is sent, where messages are to be acked.
    pub(crate) fn promise(&self) -> Option<(usize, u32)> {
        match self.policy.delivery {
            Delivery::BestEffort { .. } => None,
            Delivery::AtLeastOnce { window, retry, .. } => {
                Some((usize::from(window.get()), 1 + retry.max_retries.get()))
            }
        }
    }
}

impl Profile {
    fn new(dice: &mut Dice) -> Self {
        let retention_ms = dice.pick(&[0, 1_000, 30_000, 600_000, 86_400_000, u64::MAX]);
        Self {
            reads_at_once: dice.chance(40),
            frames: dice.pick(&[1, 4, 40]),
            bytes: dice.pick(&[100, 1_000, 20_000]),
            stalls: dice.pick(&[0, 20, 90]),
            acks_at_once: dice.chance(40),
            cumulative: dice.pick(&[0, 30]),
            nacks: dice.pick(&[0, 30, 60]),
            forges: dice.pick(&[0, 10]),
            retention: dice.chance(60).then(|| Duration::from_millis(retention_ms)),
            away_ms: dice.pick(&[10, 1_000, 100_000]),
            vanishes: dice.pick(&[0, 20, 100]),
            churns: dice.pick(&[0, 20, 100]),
            namespaces: dice.between(1, 3),
            principal: dice.chance(60).then(|| dice.below(PRINCIPALS) as usize),
        }
    }

    /// What it becomes when the faults have stopped.
    pub(crate) fn tame(self) -> Self {
        Self { reads_at_once: true, acks_at_once: true, forges: 0, nacks: 0, vanishes: 0, churns: 0, ..self }
    }
}
