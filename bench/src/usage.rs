//! What this process has used, and how many descriptors it may have.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// CPU time of all threads of this process, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cpu {
    pub(crate) total_us: f64,
    /// From the kernel's split in ticks, scaled to the exact total.
    pub(crate) user_us: f64,
    pub(crate) system_us: f64,
}

/// A moment to measure from.
pub(crate) struct Since {
    total: Duration,
    ticks: (u64, u64),
}

impl Since {
    pub(crate) fn now() -> Self {
        Self { total: cpu(), ticks: ticks().unwrap_or_default() }
    }

    /// What was used since then.
    pub(crate) fn used(&self) -> Cpu {
        let now = Self::now();
        let total_us = (now.total - self.total).as_secs_f64() * 1e6;
        let (user, system) = (now.ticks.0 - self.ticks.0, now.ticks.1 - self.ticks.1);
        let user_us = if user + system == 0 { 0.0 } else { total_us * user as f64 / (user + system) as f64 };
        Cpu { total_us, user_us, system_us: total_us - user_us }
    }
}

/// What this process has used since it began, in microseconds.
pub(crate) fn cpu_us() -> f64 {
    cpu().as_secs_f64() * 1e6
}

fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("CPU time is not negative")
}

/// User and system time in clock ticks.
fn ticks() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything; what follows is numbers, from the third field on.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Resident memory, in KiB.
pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Takes as many descriptors as this process may have, and says when they are too few.
pub(crate) fn raise_descriptors(needed: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)?;
    if limit.maximum.is_some_and(|most| most < needed) {
        anyhow::bail!(
            "{needed} descriptors are needed and at most {:?} are allowed; raise `ulimit -Hn`",
            limit.maximum
        );
    }
    Ok(())
}
