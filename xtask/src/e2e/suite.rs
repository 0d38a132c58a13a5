//! One suite: how it is run, what it may run beside, and what it says at its end.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use xshell::Shell;

/// A suite that takes longer hangs. Every test has a shorter deadline of its own.
const LONGEST: Duration = Duration::from_secs(300);

/// How often a running suite is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Suites that mostly wait: short ones run beside them.
const LONG: &[&str] = &["4-slow-reader"];

/// Suites that measure time or memory: nothing runs beside them.
const ALONE: &[&str] = &["3-stuck-clients", "5-bursts", "6-gone", "6-spill", "8-budget"];

/// Suites about what passes over a connection: they run once more where the Socket.IO library emits every message.
const BOTH_TIERS: &[&str] = &[
    "1-contract",
    "10-auth",
    "13-javascript",
    "16-admin",
    "2-at-least-once",
    "3-stuck-clients",
    "4-slow-reader",
    "4-tls",
    "5-bursts",
    "6-gone",
    "6-spill",
    "8-sessions",
];

/// Where suites lie, and what their names begin with.
const FOLDERS: [(&str, &str); 3] = [("", "e2e"), ("python/", "e2e/python"), ("js/", "clients/js/test")];

/// Suites that open pages in a browser.
const IN_BROWSER: &[&str] = &["14-javascript-browser", "17-dashboard"];

/// A file of tests.
pub(super) struct Suite {
    pub(super) name: String,
    file: String,
    /// What `STREAMFENCE_TIER` says to it.
    tier: &'static str,
}

/// The programs that suites run.
pub(super) struct Programs {
    pub(super) binary: PathBuf,
    /// Only where a suite wants it.
    pub(super) prometheus: Option<PathBuf>,
}

/// What may run at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// Long and quiet.
    Long,
    /// Short and quiet; one after the other.
    Short,
    /// Nothing beside it.
    Alone,
}

/// What became of a suite.
pub(super) struct Report {
    pub(super) name: String,
    exited_well: bool,
    counts: Counts,
    took: Duration,
    log: String,
}

/// What a suite says it ran. A suite that says nothing ran nothing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    tests: u32,
    failed: u32,
    skipped: u32,
}

/// Finds the suites, in the order of their names.
pub(super) fn find(sh: &Shell) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    let mut files = Vec::new();
    for (whose, folder) in FOLDERS {
        files.extend(sh.read_dir(folder)?.into_iter().map(|path| (whose, path)));
    }
    for (whose, path) in files {
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let python = file.strip_suffix(".py").filter(|file| file.starts_with("test_"));
        let Some(name) = file.strip_suffix(".test.mjs").or(python) else { continue };
        let name = format!("{whose}{name}");
        let file = path.to_str().context("a suite's path is not UTF-8")?.to_owned();
        if BOTH_TIERS.contains(&name.as_str()) {
            suites.push(Suite { name: format!("{name}/emit"), file: file.clone(), tier: "emit" });
        }
        suites.push(Suite { name, file, tier: "splice" });
    }
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(suites)
}

impl Suite {
    pub(super) fn company(&self) -> Company {
        let name = self.name.trim_end_matches("/emit");
        if LONG.contains(&name) {
            Company::Long
        } else if ALONE.contains(&name) {
            Company::Alone
        } else {
            Company::Short
        }
    }

    /// Whether it asks for a Prometheus, to be scraped by it.
    pub(super) fn wants_prometheus(&self) -> bool {
        self.name.ends_with("-prometheus")
    }

    pub(super) fn needs_nginx(&self) -> bool {
        self.name.contains("nginx")
    }

    /// Whether it types what pages say of installing.
    pub(super) fn needs_systemctl(&self) -> bool {
        self.name == "13-docs"
    }

    pub(super) fn needs_browser(&self) -> bool {
        IN_BROWSER.contains(&self.name.as_str())
    }

    /// Runs the suite to its end and reads what it counted.
    pub(super) fn run(&self, programs: &Programs, logs: &Path) -> Result<Report> {
        let log_path = logs.join(format!("{}.log", self.name.replace('/', "-")));
        let log_file = File::create(&log_path)?;
        let started = Instant::now();
        let mut child = self
            .command()
            .env("STREAMFENCE_BIN", &programs.binary)
            .envs(programs.prometheus.as_ref().map(|program| ("PROMETHEUS_BIN", program)))
            .env("STREAMFENCE_TIER", self.tier)
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("starting {}", self.file))?;

        let mut exit = child.try_wait()?;
        while exit.is_none() && started.elapsed() < LONGEST {
            std::thread::sleep(LOOK);
            exit = child.try_wait()?;
        }
        let exited_well = match exit {
            Some(status) => status.success(),
            None => {
                // Ended by a signal it can answer, so that it takes its servers along.
                let _ = Command::new("kill").arg(child.id().to_string()).status();
                child.wait()?;
                false
            }
        };
        let log = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
        Ok(Report { name: self.name.clone(), exited_well, counts: Counts::read(&log), took: started.elapsed(), log })
    }

    fn command(&self) -> Command {
        if self.file.ends_with(".py") {
            let mut python = Command::new("e2e/.venv/bin/python");
            python.args(["-m", "unittest", "-v", &self.file]);
            python
        } else {
            // The file runs as a program and not below `node --test`, which counts a file without tests as a test.
            let mut node = Command::new("node");
            node.args(["--test-reporter=spec", &self.file]);
            node
        }
    }
}

impl Report {
    pub(super) fn passed(&self) -> bool {
        self.exited_well && self.counts.failed == 0 && self.counts.tests > self.counts.skipped
    }

    /// Shows the suite's own words; suites that run beside each other would mix them.
    pub(super) fn print(&self) {
        println!("\n---- {} ----\n{}", self.name, self.log.trim_end());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.passed(), self.counts.tests > self.counts.skipped) {
            (true, _) => "ok",
            (false, true) => "FAILED",
            (false, false) => "RAN NO TEST",
        };
        let Counts { tests, failed, skipped } = self.counts;
        let seconds = self.took.as_secs_f64();
        write!(f, "{:<28} {verdict}: {tests} tests, {failed} failed, {skipped} skipped, {seconds:.1} s", self.name)
    }
}

impl Counts {
    /// Reads the closing lines of node's test runner (`ℹ tests 3`) or of unittest (`Ran 3 tests`, `failures=1`).
    fn read(log: &str) -> Self {
        let mut counts = Self::default();
        for line in log.lines() {
            let words: Vec<&str> = line.split([' ', '(', ')', ',', '=']).filter(|word| !word.is_empty()).collect();
            let number = |word: &str| word.parse::<u32>().ok();
            match *words.as_slice() {
                ["ℹ" | "#", what, count] => match (what, number(count)) {
                    ("tests", Some(count)) => counts.tests = count,
                    ("fail" | "cancelled", Some(count)) => counts.failed += count,
                    ("skipped" | "todo", Some(count)) => counts.skipped += count,
                    _ => {}
                },
                ["Ran", count, "test" | "tests", ..] => counts.tests = number(count).unwrap_or(0),
                ["OK" | "FAILED", ref rest @ ..] => {
                    for pair in rest.chunks_exact(2) {
                        match (pair[0], number(pair[1])) {
                            ("failures" | "errors", Some(count)) => counts.failed += count,
                            ("skipped", Some(count)) => counts.skipped += count,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn node_is_understood() {
        let log = "✔ a (1ms)\nℹ tests 5\nℹ suites 0\nℹ pass 2\nℹ fail 1\nℹ cancelled 1\nℹ skipped 1\nℹ todo 0\n";
        assert_eq!(Counts::read(log), Counts { tests: 5, failed: 2, skipped: 1 });
    }

    #[test]
    fn unittest_is_understood() {
        let log = "Ran 7 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=1)\n";
        assert_eq!(Counts::read(log), Counts { tests: 7, failed: 3, skipped: 1 });
        assert_eq!(Counts::read("Ran 1 test in 0.1s\n\nOK\n"), Counts { tests: 1, failed: 0, skipped: 0 });
    }

    #[test]
    fn silence_is_no_test() {
        assert_eq!(Counts::read("").tests, 0);
        assert_eq!(Counts::read("Ran 0 tests in 0.0s\n\nOK\n").tests, 0);
    }
}
