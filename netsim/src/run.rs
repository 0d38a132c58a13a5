//! One seed from its beginning to its end.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::client::Client;
use crate::faults::Faults;
use crate::log::Log;
use crate::scene::{SERVER, Scene};
use crate::server;
use crate::world::{Phase, World};

/// What came of a seed.
pub(crate) struct Report {
    pub(crate) seed: u64,
    /// What all that happened comes to: equal runs have equal hashes.
    pub(crate) hash: u64,
    /// How often what happened. A run in which nothing happens proves nothing.
    pub(crate) facts: BTreeMap<&'static str, u64>,
    /// The last things that happened.
    pub(crate) lines: Vec<String>,
    /// When, and what may not be, and is.
    pub(crate) failure: Option<(Duration, String)>,
}

/// Plays a seed, and keeps the last `lines` of its log. Once in a process: the numbers that the system is asked for come
/// from the seed from now on.
pub(crate) fn play(seed: u64, lines: usize) -> Report {
    mad_turmoil::rand::set_rng(StdRng::seed_from_u64(seed));
    // A thread of its own: this one may have asked for numbers before, which its hash maps keep.
    let played = std::thread::spawn(move || play_here(seed, lines));
    played.join().expect("what panics in a run is caught there")
}

fn play_here(seed: u64, lines: usize) -> Report {
    listen_for_panics();
    let log = Log::new(lines);
    let _clocks = mad_turmoil::time::SimClocksGuard::init();
    let scene = Scene::of(seed);
    log.say("-", &format!("{scene:?}"));
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .epoch(SystemTime::UNIX_EPOCH)
        .simulation_duration(LONGEST)
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(scene.latency)
        .tcp_capacity(scene.segments)
        .build();
    let world = World::new(scene, log.clone());
    let served = world.clone();
    sim.host(SERVER, move || server::serve(served.clone()));
    for cast in &world.scene.hosts {
        let clients: Vec<_> = cast.roles.iter().map(|role| Client::new(role.clone(), &world)).collect();
        world.clients.borrow_mut().extend(clients.iter().cloned());
        sim.host(cast.name.as_str(), move || live(clients.clone()));
    }
    let mut faults = Faults::of(&world.scene, log.clone());
    let mut is_stormy = true;
    let failure = loop {
        let now = sim.elapsed();
        log.set_now(now);
        if let Some(what) = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take().or_else(|| log.failure()) {
            break Some((now, what));
        }
        match world.phase() {
            Phase::Storm => faults.strike(&mut sim, now),
            Phase::Over => break None,
            _ if std::mem::take(&mut is_stormy) => faults.end(&mut sim),
            _ => {}
        }
        // What panics is told by the hook, with its place; the network itself may.
        match catch_unwind(AssertUnwindSafe(|| sim.step())) {
            Ok(Ok(_)) | Err(_) => {}
            Ok(Err(what)) => break Some((now, what.to_string())),
        }
    };
    // The clients and the world hold each other.
    world.clients.borrow_mut().clear();
    Report { seed, hash: log.hash(), facts: log.facts(), lines: log.lines(), failure }
}

/// The software of a host of clients: they begin with it, and end with its last breath.
async fn live(clients: Vec<Rc<Client>>) -> turmoil::Result {
    let mut tasks = tokio::task::JoinSet::new();
    for client in clients {
        tasks.spawn_local(client.live());
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

/// A panic on any task of the run, the library's among them, is a failure of the run.
fn listen_for_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANIC.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(format!("{panic}"));
    }));
}

static PANIC: Mutex<Option<String>> = Mutex::new(None);
/// How fine the network's time is.
const TICK: Duration = Duration::from_millis(2);
/// Longer than everything may take that a run waits for.
const LONGEST: Duration = Duration::from_secs(120);
