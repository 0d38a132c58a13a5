use super::*;
use crate::ledger::LedgerWriter;
use crate::testing::{log, record};

const GEOMETRY: Geometry =
    Geometry { segment_bytes: 4096 + 10_000, block_bytes: 1000, write_bytes: 4000, record_bytes: 2000 };

fn index(max_segments: u64) -> (Index, Instant) {
    let limits = Limits { max_bytes: max_segments * GEOMETRY.segment_bytes, min_free_bytes: 7 };
    (Index::new(GEOMETRY, limits, 0), Instant::now())
}

fn open(index: &mut Index, number: u64) -> LogId {
    index.open(log(number), "/feed".into(), "tick".into());
    log(number)
}

/// Carries out a task on a disk where all goes well, and says what it was.
fn carry_out(index: &mut Index, task: Task, now: Instant) -> String {
    match task {
        Task::Create { log, segment, .. } => {
            index.created(log, segment, Ok(()), now);
            format!("create {segment} for {}", log.number)
        }
        Task::Look { .. } => {
            index.looked(true, now);
            "look".into()
        }
        Task::Write(WriteTask { log, segment, at, batches, .. }) => {
            let mut ledger = LedgerWriter::default();
            batches.iter().flat_map(Batch::records).for_each(|record| ledger.push(record));
            let size: usize = batches.iter().flat_map(Batch::records).map(|it| it.body.bytes.len()).sum();
            let block = Block { offset: at, size: size as u32, ledger: ledger.finish().expect("something is written") };
            let end = at + size as u64;
            index.written(log, Written { blocks: vec![block], end, rest: VecDeque::new() });
            format!("write {size} bytes at {at} of {segment} for {}", log.number)
        }
        Task::Remove { segment } => {
            index.removed(segment, Ok(()), now);
            format!("remove {segment}")
        }
    }
}

/// All there is to do.
fn run(index: &mut Index, now: Instant) -> Vec<String> {
    let mut done = Vec::new();
    while let Some(task) = index.next_task(now) {
        done.push(carry_out(index, task, now));
        index.check();
    }
    done
}

fn granted(index: &mut Index) -> u64 {
    let granted = |completion| match completion {
        SpillCompletion::Granted { bytes, .. } => Some(bytes),
        _ => None,
    };
    index.take_completions().into_iter().filter_map(granted).sum()
}

#[test]
fn making_writing_and_removing_take_turns() {
    let (mut index, now) = index(100);
    let (one, two) = (open(&mut index, 1), open(&mut index, 2));
    assert_eq!(run(&mut index, now), ["create 0 for 1", "create 1 for 2"]);
    // Six writes of one log do not hold up the other, nor a file that is to go, nor one that is to be made.
    for position in 0..6 {
        index.append(one, vec![record(position, 4800)]);
    }
    index.append(two, vec![record(0, 10)]);
    open(&mut index, 3);
    index.close(log(3));
    let third = open(&mut index, 4);
    assert_eq!(
        run(&mut index, now),
        [
            "write 4800 bytes at 4096 of 0 for 1",
            "create 2 for 4",
            "write 10 bytes at 4096 of 1 for 2",
            "create 3 for 1",
            "write 4800 bytes at 8896 of 0 for 1",
            "write 4800 bytes at 4096 of 3 for 1",
            "create 4 for 1",
            "write 4800 bytes at 8896 of 3 for 1",
            "write 4800 bytes at 4096 of 4 for 1",
            "create 5 for 1",
            "write 4800 bytes at 8896 of 4 for 1",
        ]
    );
    index.release(one, LogPosition(4));
    index.close(third);
    index.append(two, vec![record(1, 10)]);
    assert_eq!(run(&mut index, now), ["remove 0", "write 10 bytes at 4106 of 1 for 2", "remove 3", "remove 2"]);
}

#[test]
fn no_more_is_granted_than_is_certain_to_fit() {
    let (mut index, now) = index(100);
    let one = open(&mut index, 1);
    run(&mut index, now);
    assert_eq!(granted(&mut index), 10_000, "all of the first segment");
    // 3,256 of what was granted, and 3,000 of the segment; then there are less than 7,048 bytes of it left.
    index.append(one, vec![record(0, 3000)]);
    run(&mut index, now);
    // What was granted and not used is 6,744. There are 7,000 left, of which the last 2,000 may stay empty, and 10,000 of
    // the one ahead.
    assert_eq!(granted(&mut index), 7000 - 2000 + 10_000 - 6744);
}

#[test]
fn what_is_closed_while_it_is_made_or_written_goes() {
    let (mut index, now) = index(100);
    let one = open(&mut index, 1);
    let Some(Task::Create { segment, .. }) = index.next_task(now) else { panic!("there is nothing else to do") };
    index.close(one);
    index.created(one, segment, Ok(()), now);
    assert_eq!(run(&mut index, now), ["remove 0"]);

    let two = open(&mut index, 2);
    run(&mut index, now);
    index.append(two, vec![record(0, 100)]);
    let Some(task) = index.next_task(now) else { panic!("there is something to write") };
    index.close(two);
    carry_out(&mut index, task, now);
    assert_eq!(run(&mut index, now), ["remove 1"]);
    assert_eq!((index.taken(), index.waiting_bytes()), ((0, 0), 0));
}

#[test]
fn that_there_is_room_again_is_said_though_nobody_wants_any() {
    let (mut index, now) = index(2);
    let health = |index: &mut Index| {
        let health = |completion| match completion {
            SpillCompletion::Health { log, health } => Some((log.number, health)),
            _ => None,
        };
        index.take_completions().into_iter().filter_map(health).collect::<Vec<_>>()
    };
    open(&mut index, 1);
    open(&mut index, 2);
    open(&mut index, 3);
    run(&mut index, now);
    assert_eq!(health(&mut index), [1, 2, 3].map(|log| (log, SpillHealth::Full)));
    index.close(log(3));
    assert_eq!(run(&mut index, now + RETRY), [""; 0]);
    assert_eq!((index.next_time(), health(&mut index)), (Some(now + 2 * RETRY), vec![]), "it has not changed");
    index.close(log(2));
    assert_eq!(run(&mut index, now + RETRY), ["remove 1"]);
    assert_eq!(health(&mut index), [], "one is not enough");
    let four = open(&mut index, 4);
    assert_eq!(health(&mut index), [(4, SpillHealth::Full)]);
    index.close(log(1));
    index.close(four);
    open(&mut index, 5);
    index.close(log(5));
    assert_eq!(run(&mut index, now + RETRY), ["remove 0", "look"]);
    open(&mut index, 6);
    assert_eq!((health(&mut index), index.next_time()), (vec![(5, SpillHealth::Full)], None));
}

#[test]
fn whoever_wants_a_segment_gets_it_as_soon_as_one_is_gone() {
    let (mut index, now) = index(1);
    open(&mut index, 1);
    run(&mut index, now);
    let two = open(&mut index, 2);
    assert_eq!((run(&mut index, now).len(), index.next_time()), (0, Some(now + RETRY)));
    index.close(two);
    let three = open(&mut index, 3);
    assert_eq!(index.next_time(), Some(now + RETRY));
    index.close(log(1));
    // A file that goes is reason enough to try at once.
    assert_eq!(run(&mut index, now), ["remove 0", "create 1 for 3"]);
    index.close(three);
}

#[test]
fn a_file_that_cannot_be_removed_counts_until_it_can() {
    let (mut index, now) = index(100);
    let one = open(&mut index, 1);
    run(&mut index, now);
    index.close(one);
    let Some(Task::Remove { segment }) = index.next_task(now) else { panic!("there is nothing else to do") };
    index.removed(segment, Err(Trouble::Broken), now);
    assert!(index.next_task(now).is_none(), "not at once");
    assert_eq!((index.taken().1, index.next_time()), (1, Some(now + RETRY)));
    assert_eq!(run(&mut index, now + RETRY), ["remove 0"]);
    assert_eq!(index.taken(), (0, 0));
}
