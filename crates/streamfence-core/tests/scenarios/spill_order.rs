//! The order of what has spilled, whatever happens meanwhile: every short story of two lanes is played.

use streamfence_core::testing::scenario;

use crate::{lossless, spilling};

/// What may happen, one letter each.
const STEPS: [(&str, &str); 6] = [
    ("publish", "offer"),
    ("ann reads", "room 1"),
    ("bob reads", "bob: room 1"),
    ("to ann", "to"),
    ("time", "+30ms"),
    ("disk", "disk"),
];
const LONGEST: u32 = 8;

/// Plays a story, and checks that each hears what was for it once and in order; what is on disk comes at the end.
fn play(story: &[usize], is_lossless: bool) {
    let mut script = "join bob /a, bob: subscribe, bob: room 1, disk waits".to_owned();
    let (mut offered, mut ann, mut bob) = (0, Vec::new(), Vec::new());
    for &step in story {
        script.push_str(", ");
        match STEPS[step].1 {
            "offer" => {
                offered += 1;
                script.push_str(&format!("offer {offered}"));
                ann.push(offered);
                bob.push(offered);
            }
            "to" => {
                offered += 1;
                script.push_str(&format!("offer {offered} to=ann"));
                ann.push(offered);
            }
            "disk" => script.push_str("disk goes on, disk waits"),
            other => script.push_str(other),
        }
    }
    script.push_str(", disk goes on, +30ms");
    for _ in 0..offered {
        script.push_str(", room 9, bob: room 9");
        if is_lossless {
            let all = (1..=offered).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
            script.push_str(&format!(", ack {all}, bob: ack {all}"));
        }
    }
    let namespace = if is_lossless { lossless(1) } else { spilling() };
    let trace = scenario::run(namespace.max_queued_messages(1), &script);
    let heard = |who: &str| {
        let line = |line: &str| -> Option<Vec<u32>> {
            let text = line.split_once("  ")?.1;
            let sent = match (who, text.strip_prefix("bob: ")) {
                ("bob", Some(text)) => text,
                ("ann", None) => text,
                _ => return None,
            };
            let names = sent.strip_prefix("sent ")?;
            if names.contains("(attempt") && !names.contains("(attempt 1)") {
                return None;
            }
            let names = names.split(' ').next()?;
            let (first, last) = names.split_once('-').unwrap_or((names, names));
            Some((first.parse().ok()?..=last.parse().ok()?).collect())
        };
        trace.lines().filter_map(line).flatten().collect::<Vec<u32>>()
    };
    assert_eq!(heard("ann"), ann, "{script}\n{trace}");
    assert_eq!(heard("bob"), bob, "{script}\n{trace}");
}

#[test]
fn every_story_of_two_lanes_keeps_the_order() {
    // Stories of all lengths up to the longest: of the longest, those that begin with a publish, since nothing else
    // begins anything.
    for length in 1..=LONGEST {
        let stories = (STEPS.len() as u64).pow(length - 1);
        for number in 0..stories {
            let mut rest = number;
            let mut story = vec![0];
            for _ in 1..length {
                story.push((rest % STEPS.len() as u64) as usize);
                rest /= STEPS.len() as u64;
            }
            play(&story, false);
        }
    }
}

#[test]
fn every_story_of_two_lanes_that_wait_for_acks_keeps_the_order() {
    for number in 0..(STEPS.len() as u64).pow(6) {
        let mut rest = number;
        let mut story = vec![0];
        for _ in 0..6 {
            story.push((rest % STEPS.len() as u64) as usize);
            rest /= STEPS.len() as u64;
        }
        play(&story, true);
    }
}
