//! One operation of the disk goes wrong, whichever it is and however it goes wrong: nothing is lost that was said to be
//! written, nothing hangs, nothing panics.

use std::time::Duration;

use rustix::io::Errno;
use streamfence_core::SpillHealth;

use super::rig::{Rig, TINY, UNLIMITED};
use crate::filesystem::{Fault, FaultyFs, SimulatedFs};
use crate::testing::{log, private, record};

/// Two logs over several segments, read and let go of.
fn story(fs: &FaultyFs<SimulatedFs>) -> Rig<FaultyFs<SimulatedFs>> {
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    for id in [log(1), log(2)] {
        rig.open(id);
        rig.wait(Duration::from_secs(2));
        for round in 0..12 {
            let next = rig.logs[&id].next;
            rig.append(
                id,
                (next..next + 5).map(|at| if at % 4 == 0 { private(at, 400) } else { record(at, 400) }).collect(),
            );
            rig.settle();
            rig.engine.files.keep(round % 2);
        }
        rig.wait(Duration::from_secs(2));
        for from in [0, 20, 40, 1] {
            rig.read(id, from, 3000);
            rig.settle();
        }
        rig.wait(Duration::from_secs(2));
        rig.release(id, rig.logs[&id].appended / 2);
        rig.wait(Duration::from_secs(2));
    }
    rig
}

/// Plays the story with each operation going wrong in turn, until none does.
fn each_in_turn(fault: Fault, many: u64, is_harmless: bool) {
    let mut first = 0;
    loop {
        let disk = SimulatedFs::new(1 << 30);
        let fs = FaultyFs::new(disk.clone(), first..first + many, fault);
        let mut rig = story(&fs);
        // What is tried again every second gets past all of them.
        (0..many.min(20)).for_each(|_| rig.wait(Duration::from_secs(2)));
        assert!(rig.is_answered(), "{fault:?} at {first}: each read is answered");
        for id in [log(1), log(2)] {
            let known = &rig.logs[&id];
            if known.health != Some(SpillHealth::Failed) {
                assert_eq!(known.appended, known.next, "{fault:?} at {first}: all is written in the end");
            }
            if is_harmless {
                assert_ne!(known.health, Some(SpillHealth::Failed), "{fault:?} at {first}");
                assert_eq!(known.lost, [], "{fault:?} at {first}");
            }
        }
        let is_over = fs.count() <= first;
        fs.break_next(0, fault);
        rig.close(log(1));
        rig.close(log(2));
        rig.wait(Duration::from_secs(2));
        assert_eq!(disk.names(), [], "{fault:?} at {first}: nothing is left");
        if is_over {
            assert!(first > 60, "the story has many operations: {first}");
            return;
        }
        first += 1;
    }
}

#[test]
fn one_operation_that_fails_harms_nobody() {
    for errno in [Errno::NOSPC, Errno::DQUOT, Errno::IO, Errno::MFILE, Errno::ROFS, Errno::INTR] {
        // A call that is interrupted is made again; where that is not our business, it failed.
        each_in_turn(Fault::Error(errno), 1, true);
    }
    each_in_turn(Fault::Half, 1, true);
    each_in_turn(Fault::Torn, 1, true);
}

#[test]
fn a_disk_that_fails_for_a_while_loses_only_what_could_not_be_read() {
    for many in [2, 3, 10] {
        each_in_turn(Fault::Error(Errno::IO), many, false);
        each_in_turn(Fault::Torn, many, false);
        each_in_turn(Fault::Half, many, true);
        each_in_turn(Fault::Error(Errno::NOSPC), many, false);
    }
}

#[test]
fn a_disk_that_cannot_be_written_to_from_some_point_on_can_still_be_let_go() {
    each_in_turn(Fault::Error(Errno::ROFS), 1 << 40, false);
}
