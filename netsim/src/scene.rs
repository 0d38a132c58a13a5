//! What a seed decides before anything happens: the network, the server, and who its clients are.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::server::BURST;

/// The name of the server's host, and its port.
pub(crate) const SERVER: &str = "server";
pub(crate) const PORT: u16 = 3000;

pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const RETENTION: Duration = Duration::from_secs(9);
/// What is around a payload on the wire.
const ENVELOPE_BYTES: usize = 160;
/// Two steps of the network, one at each end, and the server's own.
const SLACK: Duration = Duration::from_millis(20);
/// How long things go wrong.
pub(crate) const STORM: Duration = Duration::from_secs(20);

/// One run, before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    /// Which of the two tiers is served.
    pub(crate) splice: bool,
    pub(crate) shards: usize,
    pub(crate) ping_interval: Duration,
    /// How long a connection may take nothing. Which of the two finds a dead peer first is the seed's to say.
    pub(crate) stall_timeout: Duration,
    /// How long a segment may take, at most.
    pub(crate) latency: Duration,
    /// How much one write takes at most, and so a segment carries.
    pub(crate) segment_bytes: usize,
    /// How many segments a connection holds in each direction; and how many connections wait to be accepted, which must
    /// be enough for all that were held up at once.
    pub(crate) segments: usize,
    /// How many ticks are published in a second.
    pub(crate) ticks: u64,
    /// How many alerts are.
    pub(crate) alerts: u64,
    pub(crate) payload_bytes: usize,
    pub(crate) hosts: Vec<Cast>,
}

/// The clients of one host.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) name: String,
    /// Whether its network and the host itself may fail.
    pub(crate) is_exposed: bool,
    pub(crate) roles: Vec<Role>,
}

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) temper: Temper,
    pub(crate) way: Way,
    /// Whether it asks for a session that survives its connection.
    pub(crate) is_retained: bool,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// Reads and acks at once, always: nothing that befalls others may touch it.
    Calm,
    /// Stops reading for a while, hangs up, comes back, forgets to ack.
    Moody,
    /// Stops reading one day and for ever, and keeps its socket.
    Statue,
}

/// What carries its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    WebSocket,
    Polling,
}

impl Scene {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = dice(seed, 0);
        let exposed = (1..=5).map(|number| {
            let roles = (1..=7).map(|role| Role {
                name: format!("h{number}.{role}"),
                temper: Temper::Moody,
                way: if dice.random_bool(0.3) { Way::Polling } else { Way::WebSocket },
                is_retained: dice.random_bool(0.8),
            });
            Cast { name: format!("h{number}"), is_exposed: true, roles: roles.collect() }
        });
        let mut hosts: Vec<_> = exposed.collect();
        hosts.push(sheltered("calm", Temper::Calm, &[Way::WebSocket, Way::WebSocket, Way::WebSocket, Way::Polling]));
        hosts.push(sheltered("still", Temper::Statue, &[Way::WebSocket, Way::WebSocket]));
        Self {
            seed,
            splice: dice.random_bool(0.5),
            shards: dice.random_range(1..=3),
            ping_interval: Duration::from_secs(dice.random_range(2..=8)),
            stall_timeout: Duration::from_secs(dice.random_range(2..=4)),
            latency: Duration::from_millis(dice.random_range(5..=80)),
            segment_bytes: dice.random_range(64..=800),
            segments: dice.random_range(96..=160),
            ticks: dice.random_range(10..=40),
            alerts: dice.random_range(3..=10),
            payload_bytes: dice.random_range(100..=800),
            hosts,
        }
    }
}

impl Scene {
    /// After so long without a word from the server a client gives its connection up.
    pub(crate) fn silence(&self) -> Duration {
        self.ping_interval + PING_TIMEOUT + Duration::from_millis(500)
    }

    /// How old a message may be when it comes to a client that suffers nothing: the network takes its latency once for
    /// each time it has to be filled, by two bursts at the worst.
    pub(crate) fn longest_delay(&self) -> Duration {
        let window = self.segments * self.segment_bytes;
        let bursts = 2 * BURST as usize * (self.payload_bytes + ENVELOPE_BYTES);
        self.latency * (1 + bursts.div_ceil(window)) as u32 + SLACK
    }
}

/// Clients on a host that nothing happens to.
fn sheltered(name: &str, temper: Temper, ways: &[Way]) -> Cast {
    let role = |(number, way): (usize, &Way)| Role {
        name: format!("{name}.{}", number + 1),
        temper,
        way: *way,
        is_retained: true,
    };
    Cast { name: name.into(), is_exposed: false, roles: ways.iter().enumerate().map(role).collect() }
}

/// Dice of a seed for one use, so that a roll more here changes nothing there.
pub(crate) fn dice(seed: u64, of: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(of))
}
