//! What the process of the server takes, as Linux tells of it.

use std::time::Duration;

use crate::exit::Failure;

/// A process of this machine.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    /// The most resident memory that was seen.
    pub(super) rss_peak_bytes: u64,
}

impl Process {
    /// The process of this number.
    pub(super) fn of(pid: u32) -> Result<Self, Failure> {
        let mut process = Self { pid, rss_peak_bytes: 0 };
        let wrong = |why: Failure| Failure::Usage(format!("{}; wanted a process of this machine", why.why()));
        process.look().map_err(wrong)?;
        process.cpu().map_err(wrong)?;
        Ok(process)
    }

    /// Looks at what it takes now.
    pub(super) fn look(&mut self) -> Result<(), Failure> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default();
        self.rss_peak_bytes = self.rss_peak_bytes.max(kib * 1024);
        Ok(())
    }

    /// What it has used of CPU since it began.
    pub(super) fn cpu(&self) -> Result<Duration, Failure> {
        let stat = self.read("stat")?;
        // The name, in parentheses, may hold anything; what follows is numbers, from the third field on.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11)).into_iter().flatten();
        let ticks: u64 = fields.take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    fn read(&self, what: &str) -> Result<String, Failure> {
        let path = format!("/proc/{}/{what}", self.pid);
        let gone = |why| Failure::Unreachable(format!("process {}: {path} cannot be read: {why}", self.pid));
        std::fs::read_to_string(&path).map_err(gone)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_looked_at() {
        let process = Process::of(std::process::id()).expect("it is ours");
        assert!(process.rss_peak_bytes > 0);
        assert!(matches!(Process::of(u32::MAX), Err(Failure::Usage(_))));
    }
}
