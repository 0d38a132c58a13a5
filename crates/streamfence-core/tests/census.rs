//! A census of a hub: in turns, while clients come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::*;

struct Stage {
    hub: Hub,
    topic: Arc<TopicEntry>,
    sessions: Vec<SessionKey>,
    now: Instant,
    offset: u64,
}

fn name(number: u32) -> ClientId {
    let mut name = [0; 12];
    name[8..].copy_from_slice(&number.to_be_bytes());
    ClientId(name)
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn new(clients: u32) -> Self {
        let namespace = Namespace::new("/a").topic("t").topic("u").best_effort(Overflow::DropOldest);
        let catalog = Catalog::builder().namespace(namespace.max_queued_messages(4)).build().expect("it is valid");
        let catalog = Arc::new(catalog);
        let topic = catalog.entry(catalog.topics().next().expect("there are two")).clone();
        let hub = Hub::new(catalog, Epoch(7));
        let mut stage = Self { hub, topic, sessions: Vec::new(), now: Instant::now(), offset: 0 };
        (0..clients).for_each(|number| stage.join(number));
        stage
    }

    fn join(&mut self, number: u32) {
        let link = self.hub.open(self.now);
        let transport = Transport::WebSocket;
        let session = self.hub.join(link, NamespaceId(0), name(number), transport, self.now).expect("the link is open");
        self.hub.subscribe(session, &self.topic, Wishes::default(), None, self.now);
        self.sessions.push(session);
    }

    fn publish_to(&mut self, client: usize, size: usize) {
        self.offset += 1;
        let id = MessageId { epoch: Epoch(7), offset: Offset(self.offset) };
        let body = Body::plain(vec![b'x'; size].into());
        let message =
            Message { topic: self.topic.clone(), id, key: None, published: self.now, expires: None, trace: None, body };
        let _ = self.hub.publish_to(self.sessions[client], &Arc::new(message), self.now);
    }

    /// The numbers of the first clients, and how many there are.
    fn first(&self, order: ClientOrder, limit: usize, turn: usize) -> (Vec<u32>, u64) {
        let mut census = Census::new(ClientQuery { order, limit, ..ClientQuery::default() });
        while self.hub.count_clients(&mut census, turn, self.now) {}
        numbers(census)
    }
}

fn numbers(census: Census) -> (Vec<u32>, u64) {
    let (clients, total) = census.into_clients();
    let number = |client: &ClientSummary| u32::from_be_bytes(client.client.0[8..].try_into().expect("four bytes"));
    (clients.iter().map(number).collect(), total)
}

#[test]
fn each_order_has_its_own_first_and_equals_come_by_name_however_long_a_turn_is() {
    let mut stage = Stage::new(20);
    for (client, sizes) in [(3, &[10, 10, 10][..]), (5, &[500]), (9, &[10; 7])] {
        sizes.iter().for_each(|size| stage.publish_to(client, *size));
    }
    stage.now += Duration::from_secs(2);
    stage.join(20);
    stage.publish_to(20, 10);
    stage.now += Duration::from_secs(1);
    for turn in [1, 7, 1_000] {
        assert_eq!(stage.first(ClientOrder::Depth, 4, turn), (vec![9, 3, 5, 20], 21));
        assert_eq!(stage.first(ClientOrder::Bytes, 2, turn), (vec![5, 9], 21));
        assert_eq!(stage.first(ClientOrder::Age, 4, turn), (vec![3, 5, 9, 20], 21));
        assert_eq!(stage.first(ClientOrder::Drops, 2, turn), (vec![9, 0], 21));
        assert_eq!(stage.first(ClientOrder::Connected, 3, turn), (vec![0, 1, 2], 21));
        assert_eq!(stage.first(ClientOrder::Connected, 99, turn).0.last(), Some(&20));
        assert_eq!(stage.first(ClientOrder::Depth, 0, turn), (vec![], 21));
    }
}

#[test]
fn a_turn_looks_at_no_more_than_it_may_and_what_changes_meanwhile_breaks_nothing() {
    let mut stage = Stage::new(100);
    let mut census = Census::new(ClientQuery { limit: 1_000, ..ClientQuery::default() });
    assert!(stage.hub.count_clients(&mut census, 10, stage.now), "there are more");
    // Of those it has seen one leaves, of those it has not another; somebody new takes a place.
    for gone in [5, 50] {
        stage.hub.leave(stage.sessions[gone], CloseReason::Client, stage.now);
    }
    let mut turns = 1;
    while stage.hub.count_clients(&mut census, 10, stage.now) {
        turns += 1;
    }
    assert!(turns >= 9, "ten at a time: {turns} turns");
    let (numbers, total) = numbers(census);
    assert_eq!((numbers.len(), total), (99, 99));
    assert!(numbers.contains(&5) && !numbers.contains(&50), "as it was when it was looked at");
}

#[test]
fn a_client_in_full_shows_each_of_its_lanes() {
    let mut stage = Stage::new(1);
    let session = stage.sessions[0];
    let other = stage.hub.catalog().topics().nth(1).expect("there are two");
    let other = stage.hub.catalog().entry(other).clone();
    stage.hub.subscribe(session, &other, Wishes::default(), None, stage.now);
    let link = stage.hub.link_of(session).expect("it is open");
    let read = |stage: &mut Stage, frames| {
        stage.hub.handle_room(link, Room { frames, bytes: 1 << 20, is_empty: false }, stage.now);
        while stage.hub.poll_output(stage.now).is_some() {}
    };
    // The answers to its wishes go before any message.
    read(&mut stage, 9);
    stage.hub.handle_room(link, Room::NONE, stage.now);
    (0..6).for_each(|_| stage.publish_to(0, 10));
    read(&mut stage, 1);
    stage.now += Duration::from_secs(3);
    let detail = stage.hub.client(session, stage.now).expect("it is here");
    let lanes: Vec<_> =
        detail.lanes.iter().map(|lane| (&*lane.topic.name, lane.depth, lane.totals.delivered)).collect();
    assert_eq!(lanes, [("t", 3, 1), ("u", 0, 0)]);
    assert_eq!((detail.lanes[0].totals.displaced, detail.lanes[0].oldest), (2, Some(Duration::from_secs(3))));
    assert_eq!((detail.room.frames, detail.blocked), (0, Some(Duration::from_secs(3))));
    let figures = detail.summary.figures;
    assert_eq!((figures.lanes, figures.depth, figures.dropped, figures.delivered), (2, 3, 2, 1));
    stage.hub.leave(session, CloseReason::Client, stage.now);
    assert!(stage.hub.client(session, stage.now).is_none());
}

#[test]
fn the_tick_counts_as_slow_exactly_whom_a_census_finds_and_by_the_same_reason() {
    let mut stage = Stage::new(9);
    let seen = |stage: &mut Stage| {
        stage.hub.expire(stage.now);
        let mut census = Census::new(ClientQuery { is_slow: true, limit: 99, ..ClientQuery::default() });
        while stage.hub.count_clients(&mut census, 4, stage.now) {}
        let (clients, total) = census.into_clients();
        let mut counts = SlowCounts::default();
        for slow in clients.iter().filter_map(|client| client.figures.slow) {
            counts[SlowReason::ALL.iter().position(|reason| *reason == slow.reason).expect("it is one of them")] += 1;
        }
        assert_eq!((stage.hub.slow_clients(NamespaceId(0)), stage.hub.slow_client_count()), (counts, total));
        counts
    };
    let links: Vec<_> = stage.sessions.iter().map(|session| stage.hub.link_of(*session).expect("it is open")).collect();
    let read = |stage: &mut Stage, link, frames| {
        stage.hub.handle_room(link, Room { frames, bytes: 1 << 20, is_empty: false }, stage.now);
        while stage.hub.poll_output(stage.now).is_some() {}
    };
    links.iter().for_each(|link| read(&mut stage, *link, 9));
    assert_eq!(seen(&mut stage), [0; 5]);
    // One takes nothing; one has lost messages and may go on at once; one is away.
    for (client, messages) in [(0, 1), (1, 6), (2, 6)] {
        stage.hub.handle_room(links[client], Room::NONE, stage.now);
        (0..messages).for_each(|_| stage.publish_to(client, 10));
    }
    stage.hub.retain(stage.sessions[2], Duration::from_secs(60));
    stage.hub.close(links[2], CloseReason::Transport, stage.now);
    stage.now += Duration::from_secs(2);
    read(&mut stage, links[1], 1);
    assert_eq!(seen(&mut stage), [0, 1, 0, 1, 0], "one is blocked, one has lost messages");
    links[..2].iter().for_each(|link| read(&mut stage, *link, 9));
    assert_eq!(seen(&mut stage), [0; 5], "they have caught up, and whoever is away is not slow");
}
