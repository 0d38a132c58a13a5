//! One seed from its beginning to its end, and what a failure is told with.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::trace::Trace;
use crate::world::World;

/// How many steps a run has, unless told otherwise: long enough for lanes to fill and sessions to expire.
pub const STEPS: u32 = 6_000;

/// A run in which nothing was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What all that happened comes to: equal runs have equal hashes.
    pub hash: u64,
    /// How often what happened. A run in which nothing happens proves nothing.
    pub facts: Vec<(&'static str, u64)>,
}

/// A run in which something was wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What it was begun with.
    pub seed: u64,
    /// How many steps it was to have.
    pub steps: u32,
    /// The step at which it failed.
    pub step: u32,
    /// What may not be, and is.
    pub what: String,
    /// What happened just before.
    pub lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "  {line}")?;
        }
        let Self { seed, steps, step, what, .. } = self;
        writeln!(f, "seed {seed}, step {step} of {steps}: {what}")?;
        write!(f, "again: cargo xtask sim --seed {seed}")?;
        if *steps == STEPS { Ok(()) } else { write!(f, " --steps {steps}") }
    }
}

/// Plays a seed.
///
/// # Errors
/// [`Failure`] says what was wrong, and the last `lines` things that happened before: the run is played again for that.
pub fn run(seed: u64, steps: u32, lines: usize) -> Result<Report, Box<Failure>> {
    play(seed, steps, 0).or_else(|_| play(seed, steps, lines))
}

fn play(seed: u64, steps: u32, lines: usize) -> Result<Report, Box<Failure>> {
    watch(seed, steps, lines, |trace| {
        let mut world = World::new(seed, trace);
        world.play(steps);
        world.come_to_rest();
        world.end();
    })
}

/// Makes a failure of a panic.
fn watch(seed: u64, steps: u32, lines: usize, play: impl FnOnce(&Trace)) -> Result<Report, Box<Failure>> {
    keep_quiet();
    let trace = Trace::new(lines);
    match catch_unwind(AssertUnwindSafe(|| play(&trace))) {
        Ok(()) => Ok(Report { hash: trace.hash(), facts: trace.facts() }),
        Err(panic) => {
            let place = PLACE.take();
            let what = format!("{} ({place})", words(&*panic));
            Err(Box::new(Failure { seed, steps, step: trace.step(), what, lines: trace.lines() }))
        }
    }
}

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A failure is told once, by whoever asked for the run, and not where it happens: the checks of the simulation and
/// those of the core itself are one kind of failure.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            PLACE.set(panic.location().map(ToString::to_string).unwrap_or_default());
        }));
    });
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_is_wrong_and_how_to_see_it_again() {
        let failed = watch(42, 500, 1, |trace| {
            trace.begin(17);
            trace.note(&[1], || "something happened".to_owned());
            trace.note(&[2], || "something else happened".to_owned());
            panic!("window: one too many");
        });
        let told = failed.expect_err("it panicked").to_string();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert_eq!(lines[0].trim(), "17  something else happened");
        assert!(lines[1].starts_with("seed 42, step 17 of 500: window: one too many (sim/src/run.rs:"), "{told}");
        assert_eq!(lines[2], "again: cargo xtask sim --seed 42 --steps 500");
    }

    #[test]
    fn what_happens_is_in_the_hash() {
        let hash =
            |numbers: &[u64]| watch(1, 1, 0, |trace| trace.note(numbers, String::new)).expect("all is well").hash;
        assert_eq!(hash(&[1, 2]), hash(&[1, 2]));
        assert_ne!(hash(&[1, 2]), hash(&[2, 1]));
    }
}
