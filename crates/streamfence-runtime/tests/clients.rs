//! What a fence answers about its clients and topics, over the in-memory adapter.

use std::time::Duration;

use streamfence_core::{ClientOrder, LaneTotals, SlowReason};
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{
    AtLeastOnce, ClientFilter, ClientId, CloseReason, Counts, Event, Fence, Namespace, Next, Overflow, Payload, Topic,
    UnsubscribeReason,
};

fn number(n: u32) -> Payload {
    Payload::serialize(&n).expect("a number is JSON")
}

fn fence(shards: usize) -> Fence {
    let feed = Namespace::new("/feed")
        .topic_with(Topic::new("tick").best_effort(Overflow::DropOldest).max_queued_messages(4))
        .topic_with(Topic::new("room.*").best_effort(Overflow::RejectNew));
    let promise = AtLeastOnce::default().window(8).max_retries(1);
    let alerts = Namespace::new("/alerts").topic_with(Topic::new("alert").at_least_once(promise));
    Fence::builder().namespace(feed).namespace(alerts).shards(shards).build().expect("the catalog is valid")
}

async fn publish(fence: &Fence, topic: &str, count: u32) {
    for n in 1..=count {
        fence.publish("/feed", topic, number(n)).await.expect("the topic exists");
    }
}

async fn names(fence: &Fence, filter: ClientFilter) -> (Vec<ClientId>, u64) {
    let (clients, total) = fence.clients(filter).await;
    (clients.iter().map(|client| client.summary.client).collect(), total)
}

#[tokio::test(start_paused = true)]
async fn the_first_of_many_clients_are_found_over_all_shards_by_what_is_asked_for() {
    let fence = fence(3);
    let mut clients = Vec::new();
    // More than a shard looks at in one turn.
    for n in 0..1_000 {
        let mut client = MemoryClient::connect(&fence, "/feed", 0);
        client.set_capacity(9);
        client.subscribe("tick").await;
        client.set_capacity(if n % 250 == 249 { 0 } else { 9 });
        clients.push(client);
    }
    publish(&fence, "tick", 2).await;
    let only = [fence.client(clients[249].id()).await.expect("it is here").client.summary.client];
    fence.publish_to("/feed", only[0], "tick", number(3)).await.expect("the topic exists");
    let by = |order, limit| ClientFilter { order, limit, ..ClientFilter::default() };
    assert_eq!(names(&fence, by(ClientOrder::Depth, 1)).await, (only.to_vec(), 1_000));
    let (deep, total) = fence.clients(by(ClientOrder::Depth, 5)).await;
    let depths: Vec<_> = deep.iter().map(|client| client.summary.figures.depth).collect();
    assert_eq!((depths, total), (vec![3, 2, 2, 2, 0], 1_000));
    let (bytes, _) = fence.clients(by(ClientOrder::Bytes, 1)).await;
    assert_eq!(bytes[0].summary.client, only[0]);
    let (all, total) = fence.clients(by(ClientOrder::Connected, 2_000)).await;
    assert_eq!((all.len(), total), (1_000, 1_000));
    assert!(all.iter().all(|client| client.summary.figures.lanes == 1));
}

#[tokio::test(start_paused = true)]
async fn a_filter_takes_a_namespace_a_topic_and_a_pattern() {
    let fence = fence(2);
    let mut ticks = MemoryClient::connect(&fence, "/feed", 9);
    ticks.subscribe("tick").await;
    let mut rooms = MemoryClient::connect(&fence, "/feed", 9);
    rooms.subscribe("room.7").await;
    let nobody = MemoryClient::connect_as(&fence, "/alerts", 9, "ann", None);
    let of = |namespace: Option<&str>, topic: Option<&str>| ClientFilter {
        namespace: namespace.map(str::to_owned),
        topic: topic.map(str::to_owned),
        ..ClientFilter::default()
    };
    assert_eq!(names(&fence, of(Some("/alerts"), None)).await, (vec![nobody.id()], 1));
    assert_eq!(names(&fence, of(None, Some("tick"))).await, (vec![ticks.id()], 1));
    assert_eq!(names(&fence, of(Some("/feed"), Some("room.7"))).await, (vec![rooms.id()], 1));
    assert_eq!(names(&fence, of(None, Some("room.*"))).await, (vec![rooms.id()], 1));
    assert_eq!(names(&fence, of(Some("/feed"), Some("room.8"))).await, (vec![], 0));
    assert_eq!(names(&fence, of(Some("/none"), None)).await, (vec![], 0));
    assert_eq!(names(&fence, ClientFilter::default()).await.1, 3);
    assert_eq!(fence.counts().await, Counts { connections: 3, sessions: 3, detached: 0, slow: 0 });
    let (found, _) = fence.clients(of(Some("/alerts"), None)).await;
    assert_eq!(found[0].summary.principal.as_deref(), Some("ann"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_behind_is_slow_and_it_is_said_why_and_since_when() {
    let fence = fence(1);
    let mut client = MemoryClient::connect(&fence, "/feed", 1);
    client.subscribe("tick").await;
    let slow = || ClientFilter { is_slow: true, ..ClientFilter::default() };
    let look = async || {
        let (clients, _) = fence.clients(slow()).await;
        clients.first().and_then(|client| client.summary.figures.slow)
    };
    publish(&fence, "tick", 3).await;
    assert_eq!(look().await, None, "nobody is slow at once");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = look().await.expect("its transport has taken nothing for two seconds");
    assert_eq!((seen.reason, seen.lasted.as_secs()), (SlowReason::Blocked, 2));
    publish(&fence, "tick", 4).await;
    let seen = look().await.expect("it has lost something");
    assert_eq!((seen.reason, seen.lasted.as_secs()), (SlowReason::Blocked, 2), "that it takes nothing is why");
    let state = fence.client(client.id()).await.expect("it is here");
    assert_eq!(state.blocked.map(|blocked| blocked.as_secs()), Some(2));
    assert!(!state.room.is_some());
    let [lane] = &state.lanes[..] else { panic!("it has one lane: {:?}", state.lanes) };
    assert_eq!((lane.depth, lane.topic.name.as_ref(), lane.policy.limits.messages.get()), (4, "tick", 4));
    assert_eq!(lane.totals, LaneTotals { delivered: 1, displaced: 2, ..LaneTotals::default() });
    let figures = state.client.summary.figures;
    assert_eq!((figures.depth, figures.dropped, figures.delivered, figures.connected.as_secs()), (4, 2, 1, 2));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(fence.counts().await.slow, 1, "what counts them means the same");
    client.set_capacity(9);
    for _ in 0..5 {
        client.recv().await;
    }
    assert_eq!(look().await, None, "it has caught up");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(fence.counts().await.slow, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_window_that_is_not_acked_makes_its_client_slow() {
    let alerts = Namespace::new("/alerts");
    let promise = AtLeastOnce::default().window(2).max_retries(9).ack_timeout(Duration::from_secs(60));
    let fence = Fence::builder().namespace(alerts.topic_with(Topic::new("alert").at_least_once(promise))).shards(1);
    let fence = fence.build().expect("the catalog is valid");
    let mut client = MemoryClient::connect(&fence, "/alerts", 9);
    client.subscribe("alert").await;
    for n in 1..=3 {
        fence.publish("/alerts", "alert", number(n)).await.expect("the topic exists");
    }
    let first = client.recv().await;
    let second = client.recv().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let state = fence.client(client.id()).await.expect("it is here");
    let figures = state.client.summary.figures;
    assert_eq!(figures.slow.map(|slow| slow.reason), Some(SlowReason::Unacked));
    let lane = &state.lanes[0];
    assert_eq!((lane.in_flight, lane.window, lane.totals.delivered), (2, Some(2), 0));
    assert_eq!(lane.oldest.map(|oldest| oldest.as_secs()), Some(6));
    client.ack("alert", first.id);
    client.recv().await;
    let state = fence.client(client.id()).await.expect("it is here");
    assert_eq!((state.lanes[0].totals.delivered, state.lanes[0].in_flight), (1, 2));
    // Where the window has space, what is in flight is merely old.
    client.ack("alert", second.id);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let state = fence.client(client.id()).await.expect("it is here");
    assert_eq!(state.client.summary.figures.slow.map(|slow| slow.reason), Some(SlowReason::Age));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_behind_a_window_that_is_not_acked_is_no_mere_overflow() {
    let alerts = Namespace::new("/alerts").max_queued_messages(3);
    let promise = AtLeastOnce::default().window(2).max_retries(9).ack_timeout(Duration::from_secs(60));
    let fence = Fence::builder().namespace(alerts.topic_with(Topic::new("alert").at_least_once(promise))).shards(1);
    let fence = fence.build().expect("the catalog is valid");
    let mut client = MemoryClient::connect(&fence, "/alerts", 9);
    client.subscribe("alert").await;
    for n in 1..=9 {
        fence.publish("/alerts", "alert", number(n)).await.expect("the topic exists");
    }
    client.recv().await;
    client.recv().await;
    let state = fence.client(client.id()).await.expect("it is here");
    assert!(state.client.summary.figures.dropped > 0, "{:?}", state.lanes);
    assert_eq!(state.client.summary.figures.slow.map(|slow| slow.reason), Some(SlowReason::Unacked));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_waited_for_is_shown_as_away_and_not_as_slow() {
    let fence = fence(1);
    let mut client = MemoryClient::connect_retained(&fence, "/feed", 9);
    client.ticket().await;
    client.subscribe("tick").await;
    client.lose();
    tokio::time::sleep(Duration::from_secs(7)).await;
    publish(&fence, "tick", 9).await;
    let state = fence.client(client.id()).await.expect("it is waited for");
    let figures = state.client.summary.figures;
    assert_eq!((figures.detached.map(|away| away.as_secs()), figures.slow), (Some(7), None));
    assert_eq!((figures.depth, state.client.tier, state.blocked), (4, None, None));
    assert_eq!(fence.counts().await, Counts { connections: 0, sessions: 1, detached: 1, slow: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_what_was_delivered_in_the_last_second() {
    let fence = fence(1);
    let mut client = MemoryClient::connect(&fence, "/feed", 64);
    client.subscribe("tick").await;
    // Past a tick, so that the next two are a second apart.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    publish(&fence, "tick", 30).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let by_rate = || ClientFilter { order: ClientOrder::Rate, ..ClientFilter::default() };
    let (clients, _) = fence.clients(by_rate()).await;
    assert_eq!(clients[0].summary.figures.delivered_per_second, 30);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (clients, _) = fence.clients(by_rate()).await;
    assert_eq!(clients[0].summary.figures.delivered_per_second, 0);
}

#[tokio::test(start_paused = true)]
async fn topics_are_told_with_all_that_became_of_their_messages() {
    let fence = fence(2);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = MemoryClient::connect(&fence, "/feed", 1);
        client.subscribe("tick").await;
        clients.push(client);
    }
    publish(&fence, "tick", 7).await;
    // The numbers are handed over meanwhile, and once more.
    tokio::time::sleep(Duration::from_secs(3)).await;
    publish(&fence, "tick", 1).await;
    let topics = fence.topics().await;
    let tick = topics.iter().find(|topic| &*topic.class.name == "tick").expect("it is in the catalog");
    let totals = &tick.totals;
    assert_eq!((totals.published, totals.offered, totals.delivered, totals.displaced), (8, 32, 4, 12));
    assert_eq!((totals.resident(), tick.lanes.lanes, tick.lanes.depth_max), (16, 4, 4));
    assert_eq!(topics.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_principal_is_disconnected_with_all_its_sessions_and_nobody_else() {
    let fence = fence(3);
    let mut anns: Vec<_> = (0..5).map(|_| MemoryClient::connect_as(&fence, "/feed", 9, "ann", None)).collect();
    let mut other = MemoryClient::connect_as(&fence, "/feed", 9, "bob", None);
    for client in anns.iter_mut().chain([&mut other]) {
        client.ticket().await;
    }
    assert_eq!(fence.disconnect_principal("nobody").await, 0);
    assert_eq!(fence.disconnect_principal("ann").await, 5);
    for ann in &mut anns {
        assert_eq!(ann.closed().await, CloseReason::Server);
    }
    assert_eq!(names(&fence, ClientFilter::default()).await, (vec![other.id()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_an_operator_ends_is_told_to_its_client() {
    let fence = fence(2);
    let mut client = MemoryClient::connect(&fence, "/feed", 9);
    client.subscribe("tick").await;
    let admin = UnsubscribeReason::Admin;
    assert_eq!(fence.unsubscribe(ClientId([7; 12]), "tick", admin).await, None);
    assert_eq!(fence.unsubscribe(client.id(), "room.1", admin).await, Some(false));
    assert_eq!(fence.unsubscribe(client.id(), "tick", admin).await, Some(true));
    assert_eq!(client.unsubscribed("tick").await, admin);
    assert_eq!(fence.client(client.id()).await.expect("it stays").lanes.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_events_along_hears_all_or_how_many_were_missed() {
    let fence = fence(1);
    let (mut quick, mut late) = (fence.events(), fence.events());
    for _ in 0..2 {
        fence.announce(&Event::Reloaded);
    }
    for number in 1..=2 {
        let Some(Next::Event(told)) = quick.next().await else { panic!("nothing was missed") };
        assert_eq!((told.number, told.event), (number, Event::Reloaded));
    }
    for _ in 2..1_500 {
        fence.announce(&Event::Reloaded);
    }
    let Some(Next::Missed(missed)) = late.next().await else { panic!("it is too far behind") };
    let Some(Next::Event(told)) = late.next().await else { panic!("what is kept is told") };
    assert_eq!((missed, told.number), (1_500 - 1_024, missed + 1));
    drop(late);
    drop(fence);
    while quick.next().await.is_some() {}
}
