//! The server's host: the fence, what is published, and the order in which a run goes on and is judged.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use serde_json::json;
use streamfence_core::{AtLeastOnce, Metadata, Namespace, Overflow, Topic};
use streamfence_runtime::{Fence, Payload};
use streamfence_socketio::{Server, ServerOptions};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use turmoil::net::TcpListener;

use crate::carrier::Door;
use crate::scene::{PING_TIMEOUT, PORT, RETENTION, STORM, Scene, dice};
use crate::watcher::Watcher;
use crate::world::{Phase, World};

/// The topic that is sent at most once, where older messages give way to newer ones.
pub(crate) const TICK: &str = "tick";
/// The topic that is sent until it is acked.
pub(crate) const ALERT: &str = "alert";

/// Serves, publishes, and says when the run goes on.
pub(crate) async fn serve(world: Rc<World>) -> turmoil::Result {
    let fence = fence(&world)?;
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let door = Door { listener, segment_bytes: world.scene.segment_bytes };
    let options = ServerOptions {
        splice: world.scene.splice,
        ping_interval: world.scene.ping_interval,
        ping_timeout: PING_TIMEOUT,
        stall_timeout: world.scene.stall_timeout,
        connect_timeout: Duration::from_secs(3),
        ..ServerOptions::default()
    };
    let server = Server::builder(fence.clone()).options(options).start_on(door)?;
    let tasks_of_its_own = Handle::current().metrics().num_alive_tasks();

    let scene = &world.scene;
    for (topic, a_second) in [(TICK, scene.ticks), (ALERT, scene.alerts)] {
        tokio::task::spawn_local(publish(world.clone(), fence.clone(), topic, a_second));
    }
    sleep(STORM).await;
    world.enter(Phase::Calm);
    sleep(Duration::from_secs(2)).await;
    world.enter(Phase::Rest);
    rest(&world).await;
    world.enter(Phase::Farewell);
    end(&world, &server, tasks_of_its_own).await;
    fence.flush_stats().await;
    settle_accounts(&world);
    server.stop().await;
    fence.shutdown(Duration::from_secs(1)).await;
    world.enter(Phase::Over);
    Ok(())
}

fn fence(world: &World) -> turmoil::Result<Fence> {
    let promise = AtLeastOnce::default().window(8).ack_timeout(Duration::from_millis(1_500)).max_retries(2).jitter(0.2);
    let feed = Namespace::new("/feed").topic_with(
        Topic::new(TICK)
            .best_effort(Overflow::DropOldest)
            .max_queued_messages(64)
            .gap_notices(true)
            .metadata(Metadata::Always),
    );
    let alerts = Namespace::new("/alerts").session_retention(RETENTION).topic_with(
        Topic::new(ALERT).at_least_once(promise).max_queued_messages(64).gap_notices(true).metadata(Metadata::Full),
    );
    let watcher = Watcher { log: world.log.clone(), books: world.shared_books() };
    Ok(Fence::builder()
        .namespace(feed)
        .namespace(alerts)
        .observer(Arc::new(watcher))
        .shards(world.scene.shards)
        .build()?)
}

/// Publishes at a rate, and now and then a burst. Then once a second: a loss is told before the first message after it.
async fn publish(world: Rc<World>, fence: Fence, topic: &'static str, a_second: u64) {
    let mut dice = dice(world.scene.seed, a_second << 8);
    let namespace = if topic == ALERT { "/alerts" } else { "/feed" };
    let mut next = Instant::now();
    while world.phase() < Phase::Farewell {
        let is_resting = world.phase() == Phase::Rest;
        let burst = if topic == TICK && !is_resting && dice.random_bool(0.02) { BURST } else { 1 };
        for _ in 0..burst {
            let at_ms = world.log.now().as_millis() as u64;
            let padding = "x".repeat(dice.random_range(0..world.scene.payload_bytes));
            let payload = Payload::serialize(&json!({"at": at_ms, "padding": padding})).expect("it is JSON");
            match fence.publish(namespace, topic, payload).await {
                Ok(_) if is_resting => {}
                Ok(report) => world.books().publish(topic, report.id.offset.0, at_ms),
                Err(why) => world.log.fail(format!("a publish was refused: {why}")),
            }
        }
        next += Duration::from_millis(if is_resting { 1_000 } else { 1_000 / a_second });
        sleep_until(next).await;
    }
}

/// Waits until every client has all that it was promised.
async fn rest(world: &World) {
    // A client needs so long to see that its connection is dead, to come back, and to hear all again that it has not acked.
    let longest = world.scene.silence() + Duration::from_secs(15);
    let rested = timeout(longest, async {
        while owed(world).is_some() {
            sleep(LOOK).await;
        }
    });
    if rested.await.is_err()
        && let Some(owed) = owed(world)
    {
        world.log.fail(format!("{longest:?} after the last message, {owed}"));
    }
}

/// Who lacks what.
fn owed(world: &World) -> Option<String> {
    world.clients.borrow().iter().find_map(|client| client.owed())
}

/// Waits until nothing of the clients is left: no connection, no session, no lane, no task.
async fn end(world: &World, server: &Server, tasks_of_its_own: usize) {
    let left = || {
        let tasks = Handle::current().metrics().num_alive_tasks() - tasks_of_its_own;
        let (connections, books) = (server.connections(), world.books());
        let (sessions, lanes) = (books.waiting(), books.lanes() as usize);
        [(connections, "connections"), (tasks, "tasks"), (sessions, "sessions that wait"), (lanes, "lanes")]
            .into_iter()
            .find(|(left, _)| *left > 0)
    };
    // A connection nobody ends is over when its peer has been silent or blocked for too long; its session a retention later.
    let Scene { ping_interval, stall_timeout, .. } = &world.scene;
    let longest = *ping_interval + PING_TIMEOUT + *stall_timeout + RETENTION + Duration::from_secs(2);
    let ended = timeout(longest, async {
        while left().is_some() {
            sleep(LOOK).await;
        }
    });
    if ended.await.is_err()
        && let Some((count, what)) = left()
    {
        world.log.fail(format!("{longest:?} after the last client has left, {count} {what} are left"));
    }
}

/// Every message that was offered has become something, and nobody has more than was sent.
fn settle_accounts(world: &World) {
    let books = world.books();
    if let Some(what) = books.imbalance() {
        world.log.fail(what);
    }
    let (totals, log) = (books.totals(), &world.log);
    for (what, count) in [
        ("messages offered", totals.offered),
        ("messages delivered", totals.delivered),
        ("messages displaced", totals.displaced),
        ("messages rejected", totals.rejected),
        ("messages abandoned", totals.abandoned),
        ("messages sent again", totals.retries),
    ] {
        log.count(what, count);
    }
    if books.received > totals.sent {
        log.fail(format!("{} messages were received and {} sent", books.received, totals.sent));
    }
}

/// How many messages are published at once now and then.
pub(crate) const BURST: u64 = 40;
/// How often it is looked whether all has come to rest: a run is judged when it has.
const LOOK: Duration = Duration::from_millis(50);
