//! That a simulation is what it says: the same every time, and about something.

use streamfence_sim::run;

#[test]
fn a_seed_is_the_same_run_every_time() {
    let played = |seed| run(seed, 800, 20).unwrap_or_else(|failure| panic!("{failure}"));
    let (one, again, other) = (played(7), played(7), played(8));
    assert_eq!(one, again);
    assert_ne!(one.hash, other.hash);
}

#[test]
fn everything_that_may_happen_does() {
    let wanted = [
        "foreign",
        "gaps told",
        "lanes evicted",
        "last values",
        "last values lost",
        "late",
        "links starved",
        "made topics found",
        "made topics gone",
        "messages coalesced",
        "messages displaced",
        "messages exhausted",
        "messages over budget",
        "messages rejected",
        "messages sent",
        "messages sent again",
        "messages shed",
        "nacked",
        "patterns full",
        "publishes to all but some",
        "publishes to principals",
        "publishes to some",
        "receipts wanted",
        "overflows",
        "released",
        "reloads",
        "retries_exhausted",
        "sessions expired",
        "sessions resumed",
        "sessions taken over",
        "slow clients",
        "slow_client",
        "stale keys used",
        "subscriptions removed",
        "times memory was short",
        "unknown",
        "values waited for",
    ];
    let mut facts = Vec::new();
    for seed in 1..=8 {
        facts.extend(run(seed, 1_000, 20).unwrap_or_else(|failure| panic!("{failure}")).facts);
    }
    for what in wanted {
        assert!(facts.iter().any(|&(fact, times)| fact == what && times > 0), "`{what}` never happened");
    }
}
