//! Whatever is done in whatever order: what was appended comes back, once and in order, or is counted as lost.

use std::time::Duration;

use rustix::io::Errno;
use streamfence_core::{Audience, Body, ClientId, LogId, LogPosition, Record, SpillHealth};

use super::rig::{Rig, TINY, UNLIMITED};
use crate::filesystem::{Fault, FaultyFs, SimulatedFs};
use crate::index::{Geometry, Limits};
use crate::store::GEOMETRY;
use crate::testing::{log, record};

/// Numbers that look random, the same for a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ value >> 31) % sides
    }

    fn record(&mut self, position: u64, largest: u64) -> Record {
        // Mostly small, now and then as large as may be.
        let most = if self.roll(10) == 0 { largest } else { largest / 20 };
        let size = self.roll(most + 1) as usize;
        let mut record = record(position, size);
        let clients = || [ClientId([1; 12]), ClientId([2; 12])].into();
        match self.roll(8) {
            0 => record.audience = Audience::Private(clients()),
            1 => record.audience = Audience::Except(clients()),
            2 => record.key = Some("price".into()),
            3 => record.expires_us = Some(self.roll(1000)),
            4 => record.id.epoch.0 += 1,
            5 => {
                let (middle, end) = (size / 2, size);
                record.body =
                    Body { payload: 0..middle / 2, attachments: Box::new([middle..end; 1]), bytes: record.body.bytes };
            }
            _ => {}
        }
        record
    }
}

/// Plays one game, and says how much of each kind of thing happened in it.
fn play(seed: u64, geometry: Geometry, steps: u32, with_faults: bool) -> [u64; 4] {
    let mut dice = Dice(seed);
    let largest = geometry.record_bytes - Record::FRAMING_BYTES - 64;
    let disk = geometry.segment_bytes * (8 + dice.roll(8));
    let simulated = SimulatedFs::new(disk);
    let fs = FaultyFs::new(simulated.clone(), 0..0, Fault::Half);
    let limits = match dice.roll(2) {
        0 => UNLIMITED,
        _ => Limits { max_bytes: geometry.segment_bytes * (1 + dice.roll(10)), min_free_bytes: geometry.segment_bytes },
    };
    let mut rig = Rig::new(fs.clone(), geometry, limits);
    let mut open: Vec<LogId> = Vec::new();
    let mut count = 0;
    let mut was_full = 0;
    for _ in 0..steps {
        let some = if open.is_empty() { None } else { Some(open[dice.roll(open.len() as u64) as usize]) };
        match (dice.roll(20), some) {
            (0, _) | (_, None) => {
                count += 1;
                rig.open(log(count));
                open.push(log(count));
            }
            (1..=8, Some(log)) => {
                let known = &rig.logs[&log];
                let (mut room, mut next) = (known.granted, known.next);
                let mut records = Vec::new();
                for _ in 0..1 + dice.roll(40) {
                    // Some positions were never written, because nobody needed them any more.
                    let position = next + if dice.roll(6) == 0 { dice.roll(300) } else { 0 };
                    let record = dice.record(position, largest);
                    if record.stored_bytes() > room {
                        break;
                    }
                    room -= record.stored_bytes();
                    next = position + 1;
                    records.push(record);
                }
                if !records.is_empty() {
                    rig.append(log, records);
                }
            }
            (9..=13, Some(log)) => {
                let known = &rig.logs[&log];
                let first = known.records.front().map_or(known.next, |record| record.position.0);
                let from = first + dice.roll((known.next - first).max(1) + 2);
                rig.read(log, from, dice.roll(geometry.block_bytes as u64 * 5) as u32);
            }
            (14..=15, Some(log)) => {
                // All reads before it have been answered, as for a hub.
                rig.settle();
                let known = &rig.logs[&log];
                let upto = match dice.roll(3) {
                    0 => known.appended,
                    _ => known
                        .records
                        .get(dice.roll(known.records.len() as u64 + 1) as usize)
                        .map_or(0, |it| it.position.0),
                };
                rig.release(log, upto.min(rig.logs[&log].appended));
            }
            (16, Some(log)) => {
                rig.settle();
                if dice.roll(3) == 0 {
                    rig.close(log);
                    open.retain(|it| *it != log);
                }
            }
            (17, _) => rig.wait(Duration::from_millis(dice.roll(1500))),
            (18, _) if with_faults => {
                let errors = [Errno::IO, Errno::NOSPC, Errno::MFILE, Errno::INTR, Errno::DQUOT];
                let fault = match dice.roll(3) {
                    0 => Fault::Half,
                    1 => Fault::Torn,
                    _ => Fault::Error(errors[dice.roll(errors.len() as u64) as usize]),
                };
                // One that says nothing was wrong with half a truth: only a read that fails for good may lose something.
                fs.break_next(1, fault);
            }
            _ => {
                for _ in 0..dice.roll(4) {
                    rig.write_once();
                }
            }
        }
        was_full += u64::from(rig.logs.values().any(|known| known.health == Some(SpillHealth::Full)));
    }
    // Nothing goes wrong any more: all comes to rest, and all that was appended can be read.
    fs.break_next(0, Fault::Half);
    rig.wait(Duration::from_secs(2));
    rig.wait(Duration::from_secs(2));
    for log in &open {
        let known = &rig.logs[log];
        if with_faults && known.health == Some(SpillHealth::Failed) {
            continue;
        }
        if known.health != Some(SpillHealth::Full) {
            assert_eq!(known.appended, known.next, "seed {seed}: all of it is written");
        }
        let (mut from, end) = (0, known.appended);
        while rig.logs[log].records.iter().any(|record| record.position.0 >= from && record.position.0 < end) {
            let before = rig.logs[log].read;
            rig.read(*log, from, 4096);
            rig.settle();
            let known = &rig.logs[log];
            assert!(known.read > before, "seed {seed}: it goes on");
            let read =
                known.records.iter().filter(|record| record.position.0 >= from).nth((known.read - before) as usize);
            from = read.map_or(end, |record| record.position.0);
        }
    }
    assert!(rig.is_answered(), "seed {seed}");
    if !with_faults {
        assert!(rig.logs.values().all(|known| known.lost.is_empty()), "seed {seed}: nothing is lost");
    }
    let stats = rig.engine.stats();
    open.iter().for_each(|log| rig.close(*log));
    rig.wait(Duration::from_secs(2));
    assert_eq!(simulated.names(), [], "seed {seed}: nothing is left");
    assert_eq!((rig.engine.stats().bytes, rig.engine.stats().segments), (0, 0), "seed {seed}");
    let read = rig.logs.values().map(|known| known.read).sum();
    [stats.written_bytes, read, stats.failures, was_full]
}

#[test]
fn whatever_is_done_what_was_appended_comes_back() {
    let mut sums = [0; 4];
    for seed in 0..150 {
        let played = play(seed, TINY, 300, false);
        (0..4).for_each(|at| sums[at] += played[at]);
    }
    assert!(sums[0] > 1_000_000 && sums[1] > 10_000 && sums[3] > 100, "it was a game worth playing: {sums:?}");
}

#[test]
fn whatever_goes_wrong_what_was_written_comes_back() {
    let mut sums = [0; 4];
    for seed in 1000..1150 {
        let played = play(seed, TINY, 300, true);
        (0..4).for_each(|at| sums[at] += played[at]);
    }
    assert!(sums[1] > 5_000 && sums[2] > 200, "it was a game worth playing: {sums:?}");
}

#[test]
fn the_sizes_of_production_play_the_same_game() {
    for seed in 0..3 {
        let [written, ..] = play(seed, GEOMETRY, 150, seed == 2);
        assert!(written > 8 << 20, "several segments: {written}");
    }
}

#[test]
fn a_large_number_of_logs_needs_few_descriptors() {
    let mut rig = Rig::new(SimulatedFs::new(1 << 40), TINY, UNLIMITED);
    for number in 0..1000 {
        rig.open(log(number));
    }
    rig.settle();
    for number in 0..1000 {
        rig.append(log(number), vec![record(0, 100), record(1, 900)]);
    }
    rig.settle();
    for number in 0..1000 {
        rig.read(log(number), 0, 10_000);
    }
    rig.settle();
    assert!(rig.logs.values().all(|known| known.read == 2 && known.records[0].position == LogPosition(0)));
    assert!(rig.engine.files.len() <= 64, "{} files are open", rig.engine.files.len());
}
