//! Hubs whose lanes spill, under random policies, on disks that are slow, out of order, full, damaged or gone.
//!
//! Seen from its clients: what one hears is in order and never twice, and of every message it was offered it hears either
//! the message or, before the next one, that it missed it. The books say the same.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::testing::disk::SimDisk;
use streamfence_core::{
    AtLeastOnce, Body, Catalog, ClientId, CloseReason, Epoch, Event, Fanout, Hub, LinkKey, LosslessOverflow, Message,
    MessageId, Namespace, NamespaceId, Offset, Output, Overflow, Pressure, Reload, Room, SessionKey, SpillFull,
    SpillLimits, SpillRules, StoreId, TopicEntry, Transmit, Transport, UnsubscribeReason, Wishes,
};

const EPOCH: Epoch = Epoch(7);
const PLENTY: Room = Room { frames: 1_000, bytes: 1 << 30, is_empty: true };

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What a seed is about, beside what happens.
#[derive(Clone, Copy, Debug)]
struct Traits {
    is_lossless: bool,
    /// Whether clients come and go and come back.
    has_churn: bool,
    has_reloads: bool,
    has_pressure: bool,
    has_faults: bool,
    has_ttl: bool,
}

struct Client {
    name: ClientId,
    link: LinkKey,
    session: SessionKey,
    is_there: bool,
    /// What was offered to its lane, by what the books of the hub say.
    offered: u64,
    heard: Vec<u64>,
    /// What it was told it missed.
    missed: u64,
    last_missed: u64,
}

struct Storm {
    dice: Dice,
    traits: Traits,
    catalog: Arc<Catalog>,
    hub: Hub,
    disk: SimDisk,
    topic: Arc<TopicEntry>,
    now: Instant,
    offset: u64,
    clients: Vec<Client>,
    /// Names of clients, counted up.
    names: u8,
    /// What the books say was lost to clients that were there to the end.
    is_calm: bool,
    fanout: Fanout,
}

fn namespace(dice: &mut Dice, traits: Traits, spills: bool) -> Namespace {
    let namespace = Namespace::new("/a").topic("t").gap_notices(true);
    let messages = 1 + dice.below(8) as u32;
    let namespace = namespace.max_queued_messages(messages).max_queued_bytes(dice.pick(&[60, 100, 400]));
    let rules = SpillRules {
        store: StoreId(0),
        max_bytes_per_client: NonZeroU64::new(dice.pick(&[0, 0, 60, 200, 1_000])),
        max_bytes_per_topic: NonZeroU64::new(dice.pick(&[0, 0, 100, 1_000])),
        on_full: if traits.has_churn {
            dice.pick(&[SpillFull::Reject, SpillFull::Disconnect])
        } else {
            SpillFull::Reject
        },
    };
    let namespace = namespace.spill(rules);
    if traits.is_lossless {
        let overflow = if spills { LosslessOverflow::Spill } else { LosslessOverflow::RejectNew };
        let window = 1 + dice.below(u64::from(messages)) as u16;
        let promise = AtLeastOnce::default().window(window).ack_timeout(Duration::from_secs(3_600)).overflow(overflow);
        namespace.at_least_once(promise)
    } else {
        namespace.best_effort(if spills { Overflow::Spill } else { Overflow::RejectNew })
    }
}

impl Storm {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let traits = Traits {
            is_lossless: dice.chance(50),
            has_churn: dice.chance(40),
            has_reloads: dice.chance(30),
            has_pressure: dice.chance(50),
            has_faults: dice.chance(60),
            has_ttl: dice.chance(40),
        };
        let catalog = Catalog::builder().namespace(namespace(&mut dice, traits, true)).build().expect("it is valid");
        let catalog = Arc::new(catalog);
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let mut hub = Hub::new(catalog.clone(), EPOCH).on_shard(3, dice.pick(&[4, 7]));
        if dice.chance(80) {
            hub.limit_spills(SpillLimits {
                allowance_bytes: dice.pick(&[0, 600, 3_000]),
                unwritten_bytes: dice.pick(&[600, 5_000, 50_000]),
                open_bytes: dice.pick(&[0, 1_000]),
                append_bytes: dice.pick(&[0, 300, 2_000]),
                linger: Duration::from_millis(20),
                tail_bytes: dice.pick(&[0, 500, 3_000]),
                tails_bytes: dice.pick(&[0, 10_000]),
                names: dice.pick(&[3, 20, 1_000_000]),
            });
        }
        let disk = SimDisk::new(dice.pick(&[3_000, 20_000, 1 << 30]), dice.pick(&[1_000, 5_000]));
        let now = Instant::now();
        let mut storm = Self {
            dice,
            traits,
            catalog,
            hub,
            disk,
            topic,
            now,
            offset: 0,
            clients: Vec::new(),
            names: 0,
            is_calm: false,
            fanout: Fanout::default(),
        };
        for _ in 0..=storm.dice.below(5) {
            storm.join();
        }
        storm
    }

    fn join(&mut self) {
        self.names += 1;
        let name = ClientId([self.names; 12]);
        let link = self.hub.open(self.now);
        let session = self.hub.join(link, NamespaceId(0), name, Transport::Other, self.now).expect("the link is open");
        if self.traits.has_churn && self.dice.chance(50) {
            self.hub.retain(session, Duration::from_secs(600));
        }
        self.hub.subscribe(session, &self.topic, Wishes::default(), None, self.now);
        let (heard, missed) = (Vec::new(), 0);
        let client = Client { name, link, session, is_there: true, offered: 0, heard, missed, last_missed: 0 };
        self.clients.push(client);
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..35 => self.publish(),
            35..65 => self.read(),
            65..69 if self.traits.has_pressure => self.press(),
            65..85 => self.work_disk(),
            85..92 => self.pass(),
            92..94 if self.traits.has_faults => self.break_disk(),
            94..97 if self.traits.has_churn => self.churn(),
            97 if self.traits.has_reloads => self.reload(),
            98 if self.traits.has_pressure => self.press(),
            99 => self.hub.expire(self.now),
            _ => self.read(),
        }
        self.listen();
        self.hub.check();
        self.check_books();
    }

    fn publish(&mut self) {
        for _ in 0..=self.dice.below(6) {
            self.offset += 1;
            let size = self.dice.pick(&[0, 5, 10, 30, 59, 101]);
            let expires = (self.traits.has_ttl && self.dice.chance(30))
                .then(|| self.now + Duration::from_millis(self.dice.pick(&[0, 5, 500])));
            let id = MessageId { epoch: EPOCH, offset: Offset(self.offset) };
            let body = Body::plain(vec![b'.'; size].into());
            let key = self.dice.chance(20).then(|| "key".into());
            let message = Arc::new(Message {
                topic: self.topic.clone(),
                id,
                key,
                published: self.now,
                expires,
                trace: None,
                body,
            });
            let mut some: Vec<usize> = (0..self.clients.len()).filter(|_| self.dice.chance(40)).collect();
            let names = |all: &[Client], some: &[usize]| {
                let mut names: Vec<_> = some.iter().map(|&place| all[place].name).collect();
                names.sort_unstable();
                names
            };
            let fanout = match self.dice.below(10) {
                0 | 1 => {
                    let named = names(&self.clients, &some);
                    let fanout = self.hub.publish_to_clients(&named, &message, &[], self.now);
                    some.retain(|&place| self.clients[place].is_there);
                    for &place in &some {
                        self.clients[place].offered += 1;
                    }
                    fanout
                }
                2 | 3 => {
                    let named = names(&self.clients, &some);
                    let fanout = self.hub.publish_except(&message, &named, self.now);
                    for (place, client) in self.clients.iter_mut().enumerate() {
                        client.offered += u64::from(client.is_there && !some.contains(&place));
                    }
                    fanout
                }
                _ => {
                    let fanout = self.hub.publish(&message, None, self.now);
                    for client in &mut self.clients {
                        client.offered += u64::from(client.is_there);
                    }
                    fanout
                }
            };
            assert_eq!(fanout.matched, fanout.admitted + fanout.rejected);
            assert!(fanout.spilled <= fanout.admitted);
            self.fanout.matched += fanout.matched;
            self.fanout.spilled += fanout.spilled;
            self.fanout.rejected += fanout.rejected;
            if self.dice.chance(50) {
                self.listen();
            }
        }
    }

    fn read(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let place = self.dice.below(self.clients.len() as u64) as usize;
        self.ack(place);
        let room = if self.is_calm { PLENTY } else { Room { frames: self.dice.below(6) as u32, ..PLENTY } };
        let room = Room { is_empty: self.is_calm || self.dice.chance(10), ..room };
        self.hub.handle_room(self.clients[place].link, room, self.now);
    }

    fn ack(&mut self, place: usize) {
        let client = &self.clients[place];
        if let (true, Some(&last)) = (self.traits.is_lossless, client.heard.last()) {
            let id = MessageId { epoch: EPOCH, offset: Offset(last) };
            let _ = self.hub.handle_ack_up_to(client.session, self.topic.id, id, self.now);
        }
    }

    fn work_disk(&mut self) {
        for _ in 0..=self.dice.below(4) {
            if self.disk.choices() > 0 {
                let choice = self.dice.below(self.disk.choices() as u64) as usize;
                for answer in self.disk.carry_out(choice) {
                    self.hub.handle_spill(answer, self.now);
                    self.hub.check();
                }
                self.listen();
            }
        }
    }

    fn break_disk(&mut self) {
        let answers = match self.dice.below(10) {
            0 => self.disk.fail(),
            1..4 => self.disk.resize(self.dice.pick(&[0, 3_000, 1 << 30])),
            _ => {
                let logs: Vec<_> = self.disk.logs().collect();
                if !logs.is_empty() {
                    let log = self.dice.pick(&logs);
                    let places: Vec<_> = self.disk.records(log).map(|record| record.position).collect();
                    if !places.is_empty() {
                        let from = self.dice.below(places.len() as u64) as usize;
                        let to = (from + self.dice.below(5) as usize).min(places.len() - 1);
                        self.disk.damage(log, places[from], places[to]);
                    }
                }
                Vec::new()
            }
        };
        for answer in answers {
            self.hub.handle_spill(answer, self.now);
        }
    }

    fn churn(&mut self) {
        if self.dice.chance(40) && self.clients.len() < 10 {
            return self.join();
        }
        if self.clients.is_empty() {
            return;
        }
        let place = self.dice.below(self.clients.len() as u64) as usize;
        let client = &self.clients[place];
        match self.dice.below(4) {
            0 => {
                self.hub.leave(client.session, CloseReason::Client, self.now);
            }
            1 => {
                self.hub.unsubscribe(client.session, &self.topic, UnsubscribeReason::Client, None, self.now);
            }
            2 => self.hub.close(client.link, CloseReason::Transport, self.now),
            _ => {
                let link = self.hub.open(self.now);
                if self.hub.attach(client.session, link, Transport::Other, self.now) {
                    self.clients[place].link = link;
                    return;
                }
            }
        }
        let client = &mut self.clients[place];
        let session = self.hub.session(client.session);
        client.is_there = session.is_some_and(|session| session.lane_of(self.topic.id).is_some());
    }

    fn reload(&mut self) {
        let spills = self.dice.chance(70);
        let next = Catalog::builder().namespace(namespace(&mut self.dice, self.traits, spills)).build();
        let catalog = Arc::new(next.expect("it is valid").following(&self.catalog));
        self.topic = catalog.entry(self.topic.id).clone();
        self.catalog = catalog.clone();
        self.hub.reload(&Reload { catalog, made: Default::default() }, self.now);
    }

    fn press(&mut self) {
        let free_bytes = self.dice.pick(&[0, 100, u64::MAX]);
        let shed_bytes = self.dice.pick(&[0, 1_000]);
        let pressure = Pressure { free_bytes, owed_bytes: self.dice.pick(&[0, 0, 50]), shed_bytes, highest_bytes: 0 };
        let _ = self.hub.handle_pressure(pressure, self.now);
    }

    fn pass(&mut self) {
        self.now += Duration::from_millis(self.dice.pick(&[1, 20, 20, 100, 6_000]));
        self.hub.handle_timeout(self.now);
        let due = self.hub.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "what is due is done");
    }

    fn listen(&mut self) {
        while let Some(output) = self.hub.poll_output(self.now) {
            match output {
                Output::Transmit(link, batch) => {
                    let client = self.clients.iter_mut().find(|client| client.link == link).expect("somebody is there");
                    for what in batch {
                        match what {
                            Transmit::Message { message, attempt: 1, .. } => {
                                let (offset, last) = (message.id.offset.0, client.heard.last().copied().unwrap_or(0));
                                assert!(offset > last, "{offset} comes after {last}");
                                assert!(message.body.bytes.iter().all(|byte| *byte == b'.'));
                                client.heard.push(offset);
                            }
                            Transmit::Gap { gap, .. } => {
                                assert!(gap.from <= gap.to && gap.count > 0, "{gap:?} is no gap");
                                client.missed += u64::from(gap.count);
                                client.last_missed = client.last_missed.max(gap.to.0);
                            }
                            _ => {}
                        }
                    }
                }
                Output::Spill(command) => self.disk.submit(command),
                Output::Disconnect { session, .. } => self.forget(session),
                Output::Event(Event::SessionExpired { client, .. }) => {
                    let session = self.clients.iter().find(|known| known.name == client).map(|known| known.session);
                    session.into_iter().for_each(|session| self.forget(session));
                }
                _ => {}
            }
        }
        for client in &mut self.clients {
            client.is_there &= self.hub.session(client.session).is_some();
        }
    }

    fn forget(&mut self, session: SessionKey) {
        let gone = self.clients.iter_mut().filter(|client| client.session == session);
        gone.for_each(|client| client.is_there = false);
    }

    fn check_books(&self) {
        let stats = self.hub.stats(self.topic.id);
        let gone = stats.delivered + stats.coalesced + stats.dropped() + stats.abandoned;
        assert_eq!(stats.offered, gone + self.hub.resident(), "the books balance");
        assert_eq!(stats.offered, u64::from(self.fanout.matched), "the books and the fanouts say the same");
        assert_eq!(stats.spilled, u64::from(self.fanout.spilled));
        assert!(stats.spill_refusals.iter().sum::<u64>() <= stats.rejected, "they are some of those");
    }

    /// The faults stop, everybody reads, and one message more tells of what was missed before it.
    fn calm(&mut self) {
        self.is_calm = true;
        // Where memory stays short everything comes all the same, one message at a time.
        let is_short = self.traits.has_pressure && self.dice.chance(50);
        let pressure = Pressure { free_bytes: 0, ..Pressure::NONE };
        let _ = self.hub.handle_pressure(if is_short { pressure } else { Pressure::NONE }, self.now);
        for answer in self.disk.resize(1 << 40) {
            self.hub.handle_spill(answer, self.now);
        }
        for _ in 0..2 {
            let mut rounds = 0;
            while self.hub.resident() > self.away() || self.disk.choices() > 0 {
                rounds += 1;
                assert!(rounds < 20_000, "{} are stuck: {:?}", self.hub.resident(), self.hub);
                for place in 0..self.clients.len() {
                    self.ack(place);
                    self.hub.handle_room(self.clients[place].link, PLENTY, self.now);
                    self.listen();
                }
                self.now += Duration::from_millis(20);
                self.hub.handle_timeout(self.now);
                self.listen();
                self.work_disk();
                self.hub.check();
            }
            let id = MessageId { epoch: EPOCH, offset: Offset(self.offset + 1) };
            self.offset += 1;
            let _ = self.hub.handle_pressure(Pressure::NONE, self.now);
            let (topic, body) = (self.topic.clone(), Body::default());
            let message =
                Arc::new(Message { topic, id, key: None, published: self.now, expires: None, trace: None, body });
            let fanout = self.hub.publish(&message, None, self.now);
            self.fanout.matched += fanout.matched;
            self.fanout.spilled += fanout.spilled;
            for client in &mut self.clients {
                client.offered += u64::from(client.is_there);
            }
        }
        while self.hub.resident() > self.away() {
            for place in 0..self.clients.len() {
                self.hub.handle_room(self.clients[place].link, PLENTY, self.now);
                self.listen();
                self.ack(place);
            }
        }
        self.check_books();
    }

    /// What is held for clients that are away.
    fn away(&self) -> u64 {
        let away = self.clients.iter().filter(|client| self.hub.link_of(client.session).is_none());
        let sessions = away.filter_map(|client| self.hub.session(client.session));
        let lanes: Vec<_> = sessions.flat_map(streamfence_core::Session::lanes).collect();
        let in_memory: u64 = lanes.iter().map(|lane| lane.len() as u64).sum();
        // Of those that are there none has anything on disk, when there is nothing else to wait for.
        let on_disk = self.hub.survey(self.topic.id, self.now).spilled_messages;
        in_memory + if lanes.iter().any(|lane| lane.has_spilled()) { on_disk } else { 0 }
    }

    fn check_end(&self) {
        let stats = self.hub.stats(self.topic.id);
        if self.traits.has_churn {
            return;
        }
        assert_eq!((self.hub.resident(), stats.abandoned), (0, 0));
        for client in &self.clients {
            let heard = client.heard.len() as u64;
            assert_eq!(client.offered, heard + client.missed, "{:?} hears of everything", client.name);
            assert!(client.last_missed < self.offset, "what was missed is told before the last message");
        }
        let missed: u64 = self.clients.iter().map(|client| client.missed).sum();
        assert_eq!(missed, stats.dropped(), "the books say what the clients were told");
        if !self.traits.has_faults {
            assert_eq!(stats.lost_on_disk, 0);
        }
    }
}

#[test]
fn whatever_a_disk_does_everybody_hears_everything_or_that_it_missed_it() {
    let only = std::env::var("STORM_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let (mut spilled, mut reads, mut refused, mut lost) = (0, 0, 0, 0);
    for seed in only.map_or(0..600, |seed| seed..seed + 1) {
        let mut storm = Storm::new(seed);
        let traits = storm.traits;
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..400 {
                storm.step();
            }
            storm.calm();
            storm.check_end();
        }));
        assert!(played.is_ok(), "with the seed {seed}: {traits:?}");
        let stats = storm.hub.stats(storm.topic.id);
        spilled += stats.spilled;
        reads += storm.disk.reads;
        refused += stats.spill_refusals.iter().sum::<u64>();
        lost += stats.lost_on_disk;
    }
    let seen = [spilled, reads, refused, lost];
    assert!(only.is_some() || seen.iter().all(|seen| *seen > 500), "too little happens: {seen:?}");
}
