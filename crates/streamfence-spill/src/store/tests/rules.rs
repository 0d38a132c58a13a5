//! The rules of the store, one by one.

use std::time::Duration;

use rustix::io::Errno;
use streamfence_core::{LogId, LogPosition, Record, SpillHealth};

use super::rig::{Rig, TINY, UNLIMITED};
use crate::filesystem::{Fault, FaultyFs, Name, SimulatedFs};
use crate::index::Limits;
use crate::testing::{log, private, record};

const SEGMENT: u64 = TINY.segment_bytes;

/// A log with as many records as were granted at once.
fn filled(rig: &mut Rig<impl crate::filesystem::SpillFs>, id: LogId) -> u64 {
    let mut count = 0;
    loop {
        let known = &rig.logs[&id];
        let next = record(known.next, 500);
        if next.stored_bytes() > known.granted {
            return count;
        }
        count += 1;
        rig.append(id, vec![next]);
    }
}

/// Appends until no more is granted.
fn fill_up(rig: &mut Rig<impl crate::filesystem::SpillFs>, id: LogId) -> u64 {
    let mut count = 0;
    loop {
        rig.settle();
        match filled(rig, id) {
            0 => return count,
            more => count += more,
        }
    }
}

#[test]
fn room_is_granted_when_a_log_opens_and_before_it_runs_out() {
    let mut rig = Rig::new(SimulatedFs::new(1 << 30), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    assert_eq!(rig.logs[&log(1)].granted, SEGMENT - 4096);
    assert_eq!(rig.engine.stats().segments, 1);
    rig.append(log(1), (0..3).map(|position| record(position, 500)).collect());
    rig.settle();
    assert_eq!(rig.engine.stats().segments, 1, "half of it is left");
    rig.append(log(1), (3..9).map(|position| record(position, 500)).collect());
    rig.settle();
    assert_eq!(rig.engine.stats().segments, 2, "the next one is made ahead");
    assert!(rig.logs[&log(1)].granted >= SEGMENT - 4096);
    assert_eq!(rig.logs[&log(1)].appended, 9);
}

#[test]
fn a_quota_that_is_used_up_is_said_and_recovers_when_two_segments_are_let_go() {
    let limits = Limits { max_bytes: 4 * SEGMENT, min_free_bytes: 0 };
    let mut rig = Rig::new(SimulatedFs::new(1 << 30), TINY, limits);
    rig.open(log(1));
    let count = fill_up(&mut rig, log(1));
    let known = &rig.logs[&log(1)];
    assert_eq!((known.appended, known.health), (count, Some(SpillHealth::Full)));
    assert_eq!(rig.engine.stats().bytes, 4 * SEGMENT, "never more than the quota");
    rig.wait(Duration::from_secs(5));
    assert_eq!(rig.logs[&log(1)].health, Some(SpillHealth::Full));

    // Records take about 600 bytes, so a segment holds some 13 of them.
    let mut released = 0;
    while rig.engine.stats().segments == 4 {
        released += 1;
        rig.release(log(1), released);
        rig.settle();
    }
    rig.wait(Duration::from_secs(2));
    assert_eq!(rig.logs[&log(1)].health, Some(SpillHealth::Full), "one segment is not enough");
    while rig.logs[&log(1)].health == Some(SpillHealth::Full) && released < count {
        released += 1;
        rig.release(log(1), released);
        rig.settle();
    }
    assert_eq!(rig.logs[&log(1)].health, Some(SpillHealth::Healthy));
    assert!(released < count, "before all of it was let go");
    assert!(fill_up(&mut rig, log(1)) > 0, "and it takes more");
}

#[test]
fn a_disk_that_is_full_is_said_and_tried_again_every_second() {
    let fs = SimulatedFs::new(5 * SEGMENT);
    let limits = Limits { max_bytes: u64::MAX, min_free_bytes: SEGMENT };
    let mut rig = Rig::new(fs.clone(), TINY, limits);
    rig.open(log(1));
    let count = fill_up(&mut rig, log(1));
    let known = &rig.logs[&log(1)];
    assert_eq!((known.appended, known.health), (count, Some(SpillHealth::Full)));
    assert_eq!(rig.engine.stats().segments, 4, "one segment is left free");
    rig.open(log(2));
    rig.settle();
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.logs[&log(2)].health, Some(SpillHealth::Full), "whoever comes hears it too");

    fs.resize(100 * SEGMENT);
    rig.wait(Duration::from_millis(900));
    assert_eq!(rig.logs[&log(1)].health, Some(SpillHealth::Full));
    rig.wait(Duration::from_millis(200));
    for id in [log(1), log(2)] {
        assert_eq!(rig.logs[&id].health, Some(SpillHealth::Healthy));
        assert!(rig.logs[&id].granted > 0);
    }
}

#[test]
fn what_was_granted_fits_even_where_nothing_can_be_kept_in_advance_until_the_disk_lies() {
    let fs = SimulatedFs::without_reservation(20 * SEGMENT);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    rig.append(log(1), (0..3).map(|position| record(position, 500)).collect());
    rig.settle();
    // Somebody else fills the disk.
    fs.resize(0);
    rig.append(log(1), (3..6).map(|position| record(position, 500)).collect());
    rig.settle();
    let known = &rig.logs[&log(1)];
    assert_eq!((known.appended, known.health), (3, Some(SpillHealth::Full)), "they wait, and nothing has failed");
    rig.read(log(1), 0, 10_000);
    rig.settle();
    assert_eq!(rig.logs[&log(1)].read, 3, "what is written can be read meanwhile");
    fs.resize(20 * SEGMENT);
    rig.wait(Duration::from_secs(2));
    assert_eq!(rig.logs[&log(1)].appended, 6, "written elsewhere when there was room");
    rig.read(log(1), 3, 10_000);
    rig.settle();
    assert_eq!((rig.logs[&log(1)].read, &*rig.logs[&log(1)].lost), (6, &[][..]));
}

#[test]
fn a_write_that_fails_is_done_again_elsewhere_and_a_second_one_ends_writing() {
    let fs = FaultyFs::new(SimulatedFs::new(1 << 30), 0..0, Fault::Half);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.start([log(1), log(2)]);
    fs.break_next(1, Fault::Torn);
    rig.append(log(1), vec![record(1, 500), private(2, 500)]);
    rig.settle();
    let known = &rig.logs[&log(1)];
    assert_eq!((known.appended, known.health), (3, None), "nobody needs to know");
    assert_eq!(rig.engine.stats().failures, 1);

    fs.break_next(1000, Fault::Error(Errno::IO));
    rig.append(log(1), vec![record(3, 500)]);
    rig.settle();
    fs.break_next(0, Fault::Half);
    for id in [log(1), log(2)] {
        assert_eq!(rig.logs[&id].health, Some(SpillHealth::Failed), "all logs of the store");
    }
    assert_eq!(rig.logs[&log(1)].appended, 3);
    rig.open(log(3));
    rig.append(log(2), vec![record(1, 10)]);
    rig.wait(Duration::from_secs(60));
    assert_eq!(rig.logs[&log(3)].health, Some(SpillHealth::Failed), "those that come later, too");
    assert_eq!(rig.logs[&log(2)].appended, 1, "nothing is written any more");
    for (id, count) in [(log(1), 3), (log(2), 1)] {
        rig.read(id, 0, 10_000);
        rig.settle();
        assert_eq!((rig.logs[&id].read, &*rig.logs[&id].lost), (count, &[][..]), "what is written can be read");
    }
}

#[test]
fn failures_with_a_success_in_between_are_not_in_a_row() {
    let fs = FaultyFs::new(SimulatedFs::new(1 << 30), 0..0, Fault::Half);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    for position in 0..10 {
        fs.break_next(1, Fault::Error(Errno::IO));
        rig.append(log(1), vec![record(position, 500)]);
        rig.settle();
    }
    let known = &rig.logs[&log(1)];
    assert_eq!((known.appended, known.health, rig.engine.stats().failures), (10, None, 10));
}

#[test]
fn a_block_in_the_place_of_another_is_damage() {
    let fs = SimulatedFs::new(1 << 30);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    for position in 0..2 {
        rig.append(log(1), vec![record(position, 300)]);
        rig.settle();
    }
    fs.damage(fs.names()[0], |bytes| {
        let size = (bytes.len() - 4096) / 2;
        bytes.copy_within(4096 + size.., 4096);
    });
    rig.read(log(1), 0, 10_000);
    rig.settle();
    let known = &rig.logs[&log(1)];
    assert_eq!((known.read, known.lost.len(), known.lost[0].messages), (1, 1, 1), "it is whole, and the wrong one");
}

#[test]
fn a_damaged_block_loses_itself_and_a_file_that_is_gone_loses_itself() {
    let fs = SimulatedFs::new(1 << 30);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    // A block for each: they come one by one.
    for position in 0..40 {
        rig.append(log(1), vec![if position % 3 == 0 { private(position, 300) } else { record(position, 300) }]);
        rig.settle();
    }
    let files = fs.names();
    assert!(files.len() >= 3, "{files:?}");
    // The third block of the first file, in its text.
    fs.damage(files[0], |bytes| bytes[4096 + 2 * 420 + 100] ^= 1);
    let mut from = 0;
    while from < 40 {
        rig.read(log(1), from, 1000);
        rig.settle();
        from += 1;
    }
    let lost: Vec<_> = rig.logs[&log(1)].lost.iter().map(|lost| lost.positions.clone()).collect();
    assert!(
        !lost.is_empty() && lost.iter().all(|positions| *positions == (LogPosition(2)..LogPosition(3))),
        "{lost:?}"
    );
    assert!(rig.engine.stats().damaged_blocks > 0);

    use crate::filesystem::SpillFs;
    // It is not in the cache, and not open: both are small.
    rig.engine.files.keep(0);
    fs.remove(files[1]).expect("it is there");
    rig.logs.get_mut(&log(1)).expect("open").lost.clear();
    rig.read(log(1), 0, 100_000);
    rig.settle();
    let known = &rig.logs[&log(1)];
    let first = known.lost.iter().map(|lost| lost.positions.start.0).filter(|first| *first > 2).min();
    let last = known.lost.iter().map(|lost| lost.positions.end.0).max();
    assert!(first.is_some_and(|first| first > 10) && last.is_some_and(|last| last < 40), "{:?}", known.lost);
}

#[test]
fn files_go_when_nobody_needs_them_and_an_idle_log_keeps_the_one_it_writes_to() {
    let fs = SimulatedFs::new(1 << 30);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.open(log(1));
    for _ in 0..5 {
        rig.settle();
        filled(&mut rig, log(1));
    }
    rig.settle();
    let before = fs.names().len();
    assert!(before > 4);
    let end = rig.logs[&log(1)].appended;
    rig.release(log(1), end - 1);
    rig.settle();
    assert!(fs.names().len() <= 2, "what is needed, and the one ahead: {:?}", fs.names());
    rig.release(log(1), end);
    rig.settle();
    assert!(!fs.names().is_empty());
    rig.append(log(1), vec![record(end, 10)]);
    rig.settle();
    rig.close(log(1));
    rig.settle();
    assert_eq!(fs.names(), Vec::<Name>::new());
}

#[test]
fn a_record_that_no_segment_holds_is_lost_and_holds_up_nobody() {
    let mut rig = Rig::new(SimulatedFs::new(1 << 30), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    rig.append(log(1), vec![record(0, 10), record(1, 9000), record(2, 10)]);
    rig.settle();
    assert_eq!(rig.logs[&log(1)].appended, 3);
    rig.read(log(1), 0, 100_000);
    rig.settle();
    let known = &rig.logs[&log(1)];
    assert_eq!((known.read, known.lost.len()), (2, 1));
    assert_eq!((known.lost[0].messages, known.lost[0].bytes), (1, 9000));
}

#[test]
fn a_process_without_descriptors_loses_nothing() {
    let fs = FaultyFs::new(SimulatedFs::new(1 << 30), 0..0, Fault::Half);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    rig.append(log(1), vec![record(0, 500)]);
    rig.settle();
    rig.engine.files.keep(0);
    fs.break_next(u64::MAX / 2, Fault::Error(Errno::MFILE));
    rig.append(log(1), vec![record(1, 500)]);
    rig.read(log(1), 0, 100);
    rig.open(log(2));
    rig.settle();
    rig.wait(Duration::from_secs(3));
    assert!(!rig.is_answered(), "it waits");
    assert_eq!((rig.logs[&log(1)].appended, rig.logs[&log(2)].health), (1, Some(SpillHealth::Full)));
    fs.break_next(0, Fault::Half);
    rig.wait(Duration::from_secs(2));
    assert!(rig.is_answered());
    let known = &rig.logs[&log(1)];
    assert_eq!((known.appended, known.read, &*known.lost), (2, 1, &[][..]));
    assert_eq!(rig.logs[&log(2)].health, Some(SpillHealth::Healthy));
}

#[test]
fn descriptors_are_given_up_for_the_one_that_is_needed() {
    let fs = FaultyFs::new(SimulatedFs::new(1 << 30), 0..0, Fault::Half);
    let mut rig = Rig::new(fs.clone(), TINY, UNLIMITED);
    rig.start([log(1), log(2)]);
    rig.engine.files.keep(1);
    fs.break_next(1, Fault::Error(Errno::MFILE));
    rig.read(log(1), 0, 100);
    rig.settle();
    assert!(rig.is_answered(), "at once");
    assert_eq!((rig.logs[&log(1)].read, rig.engine.files.len()), (1, 1), "the other one was closed for it");
}

#[test]
fn a_read_costs_no_file_the_second_time_and_a_small_part_of_a_block_does_not_keep_it() {
    let mut rig = Rig::new(SimulatedFs::new(1 << 30), TINY, UNLIMITED);
    rig.open(log(1));
    rig.settle();
    let records: Vec<Record> = (0..10).map(|position| record(position, 40)).collect();
    rig.append(log(1), records);
    rig.settle();
    for (from, refills, cached) in [(0, 1, 0), (0, 2, 1), (9, 3, 2)] {
        rig.read(log(1), from, 100);
        rig.settle();
        let stats = rig.engine.stats();
        assert_eq!((stats.refills, stats.cached_refills), (refills, cached));
        assert_eq!(stats.read_times.iter().sum::<u64>(), 1, "one call to read");
    }
    assert_eq!(rig.logs[&log(1)].read, 3 + 3 + 1, "no more than is wanted");
    let owned = rig.owned.lock().expect("nobody panicked");
    assert_eq!(owned[1..].iter().step_by(2).collect::<Vec<_>>(), [&120, &120, &40], "blocks, and what is kept of them");
}
