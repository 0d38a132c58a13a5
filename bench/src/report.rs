//! What all measurements have in common: what is wanted of a figure, the table at the end, and the file for later.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::Serialize;

use crate::child::can_pin;

/// What is wanted of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// A figure and what is wanted of it.
#[derive(Debug, Serialize)]
struct Verdict {
    workload: &'static str,
    figure: String,
    found: f64,
    target: Target,
    is_met: bool,
}

/// What was measured in one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    unix_seconds: u64,
    cores: usize,
    /// Whether server and clients have a core each.
    pub(crate) is_pinned: bool,
    /// How many processes wanted to run, over the last minute, before and after: others' and ours.
    load_before: f64,
    load_after: f64,
    verdicts: Vec<Verdict>,
    /// All numbers, by workload.
    samples: BTreeMap<&'static str, Vec<serde_json::Value>>,
}

impl Report {
    pub(crate) fn begin() -> Self {
        let is_pinned = can_pin();
        if !is_pinned {
            println!("note: `taskset` or a second core is missing; nothing is pinned, and ratios are less sure");
        }
        Self {
            unix_seconds: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            is_pinned,
            load_before: load(),
            load_after: 0.0,
            verdicts: Vec::new(),
            samples: BTreeMap::new(),
        }
    }

    /// Says what was found where something is wanted, now and in the table at the end.
    pub(crate) fn judge(&mut self, workload: &'static str, figure: impl Into<String>, found: f64, target: Target) {
        let verdict = Verdict { workload, figure: figure.into(), found, target, is_met: target.is_met(found) };
        println!("  {}: {}, wanted {}: {}", verdict.figure, number(found), target.text(), verdict.word());
        self.verdicts.push(verdict);
    }

    /// Keeps all numbers of a workload.
    pub(crate) fn keep(&mut self, workload: &'static str, samples: &[impl Serialize]) -> anyhow::Result<()> {
        let samples = samples.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        self.samples.entry(workload).or_default().extend(samples);
        Ok(())
    }

    /// Prints one line for each figure of which something is wanted, and writes everything to a file.
    pub(crate) fn finish(mut self, file: Option<PathBuf>) -> anyhow::Result<()> {
        self.load_after = load();
        println!("\n{:9} {:62} {:>9}  {:>12}  met?", "row", "figure", "found", "target");
        for verdict in &self.verdicts {
            let (found, wanted) = (number(verdict.found), verdict.target.text());
            println!("{:9} {:62} {found:>9}  {wanted:>12}  {}", verdict.workload, verdict.figure, verdict.word());
        }
        let [before, after] = [self.load_before, self.load_after];
        println!("{} cores; load average {before:.1} before, {after:.1} after, this bench included", self.cores);
        let file = file.unwrap_or_else(|| format!("target/bench/{}.json", self.unix_seconds).into());
        println!("all numbers: {}", file.display());
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&file, serde_json::to_vec_pretty(&self)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

impl Verdict {
    fn word(&self) -> &'static str {
        if self.is_met { "met" } else { "MISSED" }
    }
}

impl Target {
    fn is_met(self, found: f64) -> bool {
        match self {
            Self::AtMost(most) => found <= most,
            Self::AtLeast(least) => found >= least,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("<= {}", number(most)),
            Self::AtLeast(least) => format!(">= {}", number(least)),
        }
    }
}

/// With as many digits as mean something.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The middle one, or the mean of the middle two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let &upper = values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn a_target_is_met_up_to_its_edge() {
        assert!(Target::AtMost(2.0).is_met(2.0) && !Target::AtMost(2.0).is_met(2.1));
        assert!(Target::AtLeast(2.0).is_met(2.0) && !Target::AtLeast(2.0).is_met(1.9));
        assert!(!Target::AtMost(2.0).is_met(f64::NAN), "what was not measured meets nothing");
    }
}
