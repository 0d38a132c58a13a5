//! Equal seeds are equal runs, whichever process plays them; and a few seeds, for whoever only runs the tests.

use std::process::{Command, Output};

fn play(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_streamfence-netsim")).args(arguments).output().expect("the simulation starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The log of a seed, line by line.
fn log(seed: &str) -> Vec<String> {
    let output = play(&["--seed", seed, "--log"]);
    assert!(output.status.success(), "seed {seed} fails: {}", text(&output));
    text(&output).lines().map(str::to_owned).collect()
}

#[test]
fn a_seed_played_twice_gives_the_same_log_line_by_line() {
    for (seed, is_spliced) in [("1", false), ("2", true)] {
        let (first, second) = (log(seed), log(seed));
        let scene = &first[0];
        assert!(scene.contains(&format!("splice: {is_spliced}")), "both tiers are to be played: {scene}");
        assert!(first.len() > 10_000, "nothing happens in a log of {} lines", first.len());
        for (line, (one, other)) in first.iter().zip(&second).enumerate() {
            assert_eq!(one, other, "line {} of seed {seed}", line + 1);
        }
        assert_eq!(first.len(), second.len());
    }
}

#[test]
fn another_seed_is_another_run() {
    assert_ne!(log("1"), log("2"));
}

#[test]
fn what_is_promised_is_promised_under_every_fault() {
    let output = play(&["--seed", "5", "--seeds", "4"]);
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    for fact in FACTS {
        assert!(told.lines().any(|line| line.ends_with(fact)), "no seed has seen {fact}: {told}");
    }
}

/// Without these a run proves nothing.
const FACTS: [&str; 9] = [
    "faults of the network and of hosts",
    "cut for a stall",
    "cut for want of a pong",
    "sessions resumed",
    "sessions expired",
    "messages displaced",
    "messages given up",
    "messages received again",
    "gaps told",
];
