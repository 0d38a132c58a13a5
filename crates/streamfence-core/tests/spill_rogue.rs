//! A store that answers with anything: what it says may cost messages, but never a panic, the balance of the books, or a
//! lane that waits for ever.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use streamfence_core::{
    AtLeastOnce, Audience, Body, Catalog, ClientId, Epoch, Hub, LinkKey, LogId, LogPosition, LosslessOverflow,
    LostRecords, Message, MessageId, Namespace, NamespaceId, Offset, Output, Overflow, Record, Room, SessionKey,
    SpillCommand, SpillCompletion, SpillHealth, SpillLimits, SpillRules, StoreId, TopicEntry, Transport, Wishes,
};

const EPOCH: Epoch = Epoch(7);
const PLENTY: Room = Room { frames: 1_000, bytes: 1 << 30, is_empty: true };

#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    PublishTo(u8, usize),
    PublishExcept(u8, usize),
    Read(usize, u32),
    Pass(u64),
    Answer(Answer),
}

/// Positions are counted from what was asked for, or from the first that is there.
#[derive(Clone, Debug)]
enum Answer {
    Granted(u64),
    Appended(u64),
    Records { from: i64, next: i64, records: Vec<(i64, u8, u8)>, lost: Vec<(i64, i64, u64)> },
    Health(u8),
}

fn steps() -> impl Strategy<Value = Step> {
    let near = || prop_oneof![5 => 0_i64..12, 1 => -40_i64..200, 1 => Just(i64::MAX / 2)];
    let records = prop::collection::vec((near(), 0_u8..4, any::<u8>()), 0..6);
    let lost = prop::collection::vec((near(), near(), 0_u64..9), 0..3);
    let answer = prop_oneof![
        4 => (0_u64..5_000).prop_map(Answer::Granted),
        4 => (0_u64..60).prop_map(Answer::Appended),
        8 => (near(), near(), records, lost)
            .prop_map(|(from, next, records, lost)| Answer::Records { from, next, records, lost }),
        1 => (0_u8..3).prop_map(Answer::Health),
    ];
    prop_oneof![
        6 => any::<u8>().prop_map(Step::Publish),
        1 => (any::<u8>(), 0_usize..3).prop_map(|(size, to)| Step::PublishTo(size, to)),
        1 => (any::<u8>(), 0_usize..3).prop_map(|(size, to)| Step::PublishExcept(size, to)),
        4 => (0_usize..3, 0_u32..9).prop_map(|(client, frames)| Step::Read(client, frames)),
        2 => (0_u64..40).prop_map(Step::Pass),
        8 => answer.prop_map(Step::Answer),
    ]
}

struct Stage {
    hub: Hub,
    topic: Arc<TopicEntry>,
    now: Instant,
    offset: u64,
    clients: Vec<(LinkKey, SessionKey)>,
    /// Every log there ever was, and every read that was not answered.
    logs: Vec<LogId>,
    asked: Vec<(LogId, LogPosition)>,
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn new(is_lossless: bool, quota: u64) -> Self {
        let rules = SpillRules {
            store: StoreId(1),
            max_bytes_per_client: NonZeroU64::new(quota),
            max_bytes_per_topic: None,
            ..SpillRules::default()
        };
        let namespace = Namespace::new("/a").topic("t").gap_notices(true).spill(rules).max_queued_messages(2);
        let promise = AtLeastOnce::default().window(2).overflow(LosslessOverflow::Spill);
        let namespace =
            if is_lossless { namespace.at_least_once(promise) } else { namespace.best_effort(Overflow::Spill) };
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("it is valid"));
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let (mut hub, now) = (Hub::new(catalog, EPOCH), Instant::now());
        hub.limit_spills(SpillLimits { tail_bytes: 0, open_bytes: 0, append_bytes: 0, ..SpillLimits::default() });
        let clients = (0..3).map(|name| {
            let link = hub.open(now);
            let joined = hub.join(link, NamespaceId(0), ClientId([name; 12]), Transport::Other, now);
            let session = joined.expect("the link is open");
            hub.subscribe(session, &topic, Wishes::default(), None, now);
            (link, session)
        });
        let clients = clients.collect();
        Self { hub, topic, now, offset: 0, clients, logs: Vec::new(), asked: Vec::new() }
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Publish(size) => {
                let message = self.message(size);
                let _ = self.hub.publish(&message, None, self.now);
            }
            Step::PublishTo(size, to) => {
                let message = self.message(size);
                let _ = self.hub.publish_to(self.clients[to].1, &message, self.now);
            }
            Step::PublishExcept(size, except) => {
                let message = self.message(size);
                let _ = self.hub.publish(&message, Some(ClientId([except as u8; 12])), self.now);
            }
            Step::Read(client, frames) => self.read(client, Room { frames, ..PLENTY }),
            Step::Pass(ms) => {
                self.now += Duration::from_millis(ms);
                self.hub.handle_timeout(self.now);
            }
            Step::Answer(answer) => self.answer(answer),
        }
        self.listen();
        self.hub.check();
    }

    fn message(&mut self, size: u8) -> Arc<Message> {
        self.offset += 1;
        let id = MessageId { epoch: EPOCH, offset: Offset(self.offset) };
        let (topic, body) = (self.topic.clone(), Body::plain(vec![b'.'; size.into()].into()));
        Arc::new(Message { topic, id, key: None, published: self.now, expires: None, trace: None, body })
    }

    fn read(&mut self, client: usize, room: Room) {
        let (link, session) = self.clients[client];
        let id = MessageId { epoch: EPOCH, offset: Offset(self.offset) };
        for offset in 0..=self.offset {
            let _ = self.hub.handle_ack(session, self.topic.id, MessageId { offset: Offset(offset), ..id }, self.now);
        }
        self.hub.handle_room(link, room, self.now);
    }

    fn answer(&mut self, answer: Answer) {
        let Some(&log) = self.logs.last() else { return };
        let (asked_log, asked) = self.asked.first().copied().unwrap_or((log, LogPosition(0)));
        let place = |offset: i64| LogPosition(asked.0.saturating_add_signed(offset));
        let completion = match answer {
            Answer::Granted(bytes) => SpillCompletion::Granted { log, bytes },
            Answer::Appended(upto) => SpillCompletion::Appended { log, upto: LogPosition(upto) },
            Answer::Health(health) => {
                let all = [SpillHealth::Healthy, SpillHealth::Full, SpillHealth::Failed];
                SpillCompletion::Health { log, health: all[usize::from(health)] }
            }
            Answer::Records { from, next, records, lost } => {
                let mut records: Vec<_> =
                    records.into_iter().map(|(at, kind, size)| record(place(at), kind, size)).collect();
                records.sort_by_key(|record| record.position);
                let lost = lost.into_iter().map(|(from, to, messages)| LostRecords {
                    positions: place(from.min(to))..place(from.max(to)),
                    messages,
                    bytes: messages * 10,
                });
                let lost = lost.collect();
                if !self.asked.is_empty() && from < 6 {
                    self.asked.remove(0);
                }
                let from = if from < 6 { asked } else { place(from) };
                SpillCompletion::Records { log: asked_log, from, next: place(next), records, lost }
            }
        };
        self.hub.handle_spill(completion, self.now);
    }

    fn listen(&mut self) {
        while let Some(output) = self.hub.poll_output(self.now) {
            match output {
                Output::Spill(SpillCommand::Open { log, .. }) => self.logs.push(log),
                Output::Spill(SpillCommand::Read { log, from, .. }) => self.asked.push((log, from)),
                _ => {}
            }
        }
        let stats = self.hub.stats(self.topic.id);
        let gone = stats.delivered + stats.dropped() + stats.abandoned;
        assert_eq!(stats.offered, gone + self.hub.resident(), "the books balance");
    }

    /// From now on there is nothing to be read, and everybody reads.
    fn end(&mut self) {
        for _ in 0..2_000 {
            for (log, from) in std::mem::take(&mut self.asked) {
                let (records, lost) = (Vec::new(), Vec::new());
                self.hub.handle_spill(SpillCompletion::Records { log, from, next: from, records, lost }, self.now);
            }
            for client in 0..self.clients.len() {
                self.read(client, PLENTY);
                self.listen();
            }
            self.now += Duration::from_millis(100);
            self.hub.handle_timeout(self.now);
            self.listen();
            if self.hub.resident() == 0 {
                return;
            }
        }
        let lanes: Vec<_> = self.hub.sessions().flat_map(streamfence_core::Session::lanes).collect();
        panic!("{} messages are stuck: {lanes:#?}", self.hub.resident());
    }
}

fn record(position: LogPosition, kind: u8, size: u8) -> Record {
    let named = || vec![ClientId([1; 12])].into_boxed_slice();
    let audience = match kind {
        0 => Audience::Except(named()),
        1 => Audience::Private(named()),
        _ => Audience::All,
    };
    Record {
        position,
        audience,
        id: MessageId { epoch: EPOCH, offset: Offset(u64::from(size)) },
        key: None,
        published_us: u64::MAX / u64::from(size.max(1)),
        expires_us: size.is_multiple_of(3).then_some(u64::MAX - u64::from(size)),
        body: Body::plain(vec![b'.'; size.into()].into()),
    }
}

proptest! {
    #![proptest_config(Config { cases: 1_500, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..Config::default() })]

    #[test]
    fn whatever_a_store_says_the_books_balance_and_everybody_goes_on(
        is_lossless: bool,
        quota in prop_oneof![Just(0_u64), 1_u64..400],
        steps in prop::collection::vec(steps(), 1..120),
    ) {
        let mut stage = Stage::new(is_lossless, quota);
        for step in steps {
            stage.play(step);
        }
        stage.end();
    }
}
