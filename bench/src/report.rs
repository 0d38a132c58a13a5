//! What all tables have in common.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// What is wanted of a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// Says whether a target is met.
pub(crate) fn verdict(what: &str, found: f64, target: Target) -> String {
    let (is_met, wanted) = match target {
        Target::AtMost(most) => (found <= most, format!("at most {most}")),
        Target::AtLeast(least) => (found >= least, format!("at least {least}")),
    };
    format!("{what}: {found:.2}, wanted {wanted}: {}", if is_met { "met" } else { "MISSED" })
}

/// The middle one, or the mean of the middle two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let &upper = values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

/// Keeps all samples in a file, for whoever compares runs.
pub(crate) fn save(file: Option<&Path>, samples: &impl Serialize) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    std::fs::write(file, serde_json::to_vec_pretty(samples)?)
        .with_context(|| format!("cannot write {}", file.display()))
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
}
