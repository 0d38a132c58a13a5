//! What goes wrong on the network and with the hosts of the clients, and when.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use turmoil::Sim;

use crate::log::Log;
use crate::scene::{SERVER, STORM, Scene, dice};

/// The faults of one run, in the order of their times.
pub(crate) struct Faults {
    due: VecDeque<(Duration, String, Fault)>,
    hosts: Vec<String>,
    log: Log,
    latency: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Nothing arrives, and nothing is lost: it all comes later.
    Hold,
    Release,
    /// What is on its way is lost, and what is sent.
    Partition,
    /// The same of one direction.
    Deafen,
    Mute,
    Repair,
    /// Everything takes this long.
    Slow(Duration),
    /// The host's software ends at once; its sockets are closed.
    Crash,
    /// The same without a word to anyone.
    PullThePlug,
    Bounce,
}

impl Faults {
    pub(crate) fn of(scene: &Scene, log: Log) -> Self {
        let mut due = Vec::new();
        let hosts: Vec<_> = scene.hosts.iter().filter(|host| host.is_exposed).map(|host| host.name.clone()).collect();
        for (number, host) in hosts.iter().enumerate() {
            let mut dice = dice(scene.seed, 100 + number as u64);
            let mut at = Duration::ZERO;
            loop {
                at += millis(&mut dice, 500, 5_000);
                if at >= STORM {
                    break;
                }
                let (fault, lasts, end) = choose(&mut dice);
                due.push((at, host.clone(), fault));
                at += lasts;
                due.push((at, host.clone(), end));
                if matches!(fault, Fault::PullThePlug) {
                    due.push((at, host.clone(), Fault::Bounce));
                }
            }
        }
        // Stable, so that what one host goes through stays in its order.
        due.sort_by_key(|(at, ..)| *at);
        due.retain(|(at, ..)| *at < STORM);
        Self { due: due.into(), hosts, log, latency: scene.latency }
    }

    /// Lets happen what is due.
    pub(crate) fn strike(&mut self, sim: &mut Sim<'_>, now: Duration) {
        while let Some((_, host, fault)) = self.due.pop_front_if(|(at, ..)| *at <= now) {
            self.apply(sim, &host, fault);
        }
    }

    /// Puts everything right, for good.
    pub(crate) fn end(&mut self, sim: &mut Sim<'_>) {
        self.due.clear();
        for host in std::mem::take(&mut self.hosts) {
            for fault in [Fault::Release, Fault::Repair, Fault::Slow(self.latency)] {
                self.apply(sim, &host, fault);
            }
            if !sim.is_host_running(host.as_str()) {
                self.apply(sim, &host, Fault::Bounce);
            }
        }
    }

    fn apply(&self, sim: &mut Sim<'_>, host: &str, fault: Fault) {
        self.log.say(host, &format!("{fault:?}"));
        match fault {
            Fault::Hold => sim.hold(SERVER, host),
            Fault::Release => sim.release(SERVER, host),
            Fault::Partition => sim.partition(SERVER, host),
            Fault::Deafen => sim.partition_oneway(SERVER, host),
            Fault::Mute => sim.partition_oneway(host, SERVER),
            Fault::Repair => sim.repair(SERVER, host),
            Fault::Slow(latency) => sim.set_link_latency(SERVER, host, latency),
            Fault::Crash => sim.crash(host),
            Fault::PullThePlug => {
                sim.partition(SERVER, host);
                sim.crash(host);
            }
            Fault::Bounce => sim.bounce(host),
        }
        if !matches!(fault, Fault::Release | Fault::Repair | Fault::Bounce) {
            self.log.count("faults of the network and of hosts", 1);
        }
    }
}

/// A fault, how long it lasts, and what ends it.
fn choose(dice: &mut StdRng) -> (Fault, Duration, Fault) {
    match dice.random_range(0..7) {
        0 => (Fault::Hold, millis(dice, 200, 7_000), Fault::Release),
        1 => (Fault::Partition, millis(dice, 200, 7_000), Fault::Repair),
        2 => (Fault::Deafen, millis(dice, 200, 7_000), Fault::Repair),
        3 => (Fault::Mute, millis(dice, 200, 7_000), Fault::Repair),
        4 => (Fault::Slow(millis(dice, 200, 900)), millis(dice, 500, 4_000), Fault::Slow(Duration::from_millis(20))),
        5 => (Fault::Crash, millis(dice, 100, 5_000), Fault::Bounce),
        _ => (Fault::PullThePlug, millis(dice, 100, 12_000), Fault::Repair),
    }
}

fn millis(dice: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(dice.random_range(least..=most))
}
