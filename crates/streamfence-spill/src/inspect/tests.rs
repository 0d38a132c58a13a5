use super::*;
use crate::testing::{block, record};

const EPOCH: u64 = 5;

/// A segment of six blocks with three records each, and where each block ends.
fn image(epoch: u64) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let (namespace, topic) = ("/feed".into(), "tick\u{1b}[2J".into());
    SegmentHeader { store: [1; 16], log: 7, epoch, base: 100, created_ms: 12, namespace, topic }.encode(&mut bytes);
    let mut ends = Vec::new();
    for at in 0..6 {
        let first = 100 + at * 10;
        bytes.extend_from_slice(&block(epoch, &[record(first, 9), record(first + 1, 0), record(first + 4, 30)]).1);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn look_at(bytes: &[u8]) -> Segment {
    look(&bytes, bytes.len() as u64, "s".into()).expect("it has a header").expect("it is not empty").1
}

#[test]
fn a_whole_segment_is_reported_as_it_is() {
    let (bytes, ends) = image(EPOCH);
    let segment = look_at(&bytes);
    let body = (ends[5] - SEGMENT_HEADER_BYTES) as u64;
    assert_eq!((segment.blocks, segment.records, segment.bytes), (6, 18, body));
    assert_eq!((segment.positions, segment.damage, segment.tail), (Some((100, 154)), vec![], None));
}

#[test]
fn a_cut_at_any_byte_is_a_torn_tail_whatever_lies_behind_it() {
    let (whole, ends) = image(EPOCH);
    let (stale, _) = image(EPOCH - 1);
    for cut in SEGMENT_HEADER_BYTES..whole.len() {
        let kept = ends.iter().filter(|end| **end <= cut).count();
        let head = &whole[..cut];
        let behind: [Vec<u8>; 3] = [
            head.to_vec(),
            [head, &vec![0; whole.len() - cut]].concat(),
            // What an earlier use of the file left: the same blocks, of another epoch.
            [head, &stale[cut..]].concat(),
        ];
        for (kind, bytes) in behind.iter().enumerate() {
            let segment = look_at(bytes);
            // Cut where a byte happens to be what follows, the block is whole after all.
            let kept = if bytes.get(..ends[kept]) == Some(&whole[..ends[kept]]) { kept + 1 } else { kept };
            assert_eq!((segment.blocks, segment.damage.len()), (kept as u64, 0), "cut at {cut}, kind {kind}");
        }
    }
}

#[test]
fn every_single_flipped_bit_is_found_and_costs_one_block() {
    let (whole, ends) = image(EPOCH);
    let mut bytes = whole.clone();
    for at in SEGMENT_HEADER_BYTES..whole.len() {
        let block = ends.iter().filter(|end| **end <= at).count();
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let segment = look_at(&bytes);
            assert_eq!(segment.blocks, 5, "byte {at}, bit {bit}");
            if block == 5 {
                // The last one: nothing behind it says that it was ever whole.
                assert_eq!((segment.damage.len(), segment.tail.is_some()), (0, true), "byte {at}, bit {bit}");
            } else {
                let first = 100 + block as u64 * 10;
                let before = if block == 0 { 100 } else { first - 5 };
                let found: Vec<_> = segment.damage.iter().map(|damage| (damage.positions, damage.bytes)).collect();
                let size = (ends[0] - SEGMENT_HEADER_BYTES) as u64;
                assert_eq!(found, [((before, first + 10), size)], "byte {at}, bit {bit}");
            }
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn any_header_is_a_report_or_an_error() {
    let (whole, _) = image(EPOCH);
    for at in 0..SEGMENT_HEADER_BYTES {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        assert!(look(&&*bytes, bytes.len() as u64, "s".into()).is_err(), "byte {at}");
    }
    assert!(look(&&whole[..100], 100, "s".into()).is_err(), "cut off");
    assert_eq!(look(&&[][..], 0, "s".into()).expect("not an error"), None);
    assert_eq!(look(&&[0; 5000][..], 5000, "s".into()).expect("not an error"), None);
}

#[test]
fn a_directory_is_reported_with_its_logs_and_what_is_not_ours_is_not_looked_at() {
    let root = tempfile::tempdir().expect("there is a place for it");
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).expect("it can be written");
    write("s-0000000000000001.seg", &image(EPOCH).0);
    write("s-0000000000000002.seg", b"");
    write("s-0000000000000003.seg", b"what is this");
    write("LOCK", b"4711\n");
    let foreign = inspect(root.path()).expect_err("nothing says that it is a store's").to_string();
    assert!(foreign.contains("is no spill directory: found no file STREAMFENCE-SPILL"), "{foreign}");
    write(MARKER, b"streamfence spill directory\nversion 1\n");
    write("notes.txt", b"not ours");
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("s-0000000000000004.seg")).expect("it can be made");
    let report = inspect(root.path()).expect("it is a directory");
    assert_eq!((report.pid, report.unused, report.logs.len(), report.unreadable.len()), (Some(4711), 1, 1, 2));
    assert!(!report.is_whole());
    let text = report.to_string();
    assert!(text.contains("log 0000000000000007: tick\\u{1b}[2J on /feed"), "nothing that a terminal obeys: {text}");
    assert!(text.contains("s-0000000000000001.seg: positions 100 to 154, 18 records in 6 blocks"), "{text}");
    assert!(text.contains("s-0000000000000003.seg: cannot be read: segment header is cut off"), "{text}");
    assert!(text.contains("s-0000000000000004.seg: cannot be read"), "{text}");
    assert!(inspect(&root.path().join("nowhere")).is_err());
}

#[test]
fn a_file_that_claims_to_be_larger_than_any_disk_is_named_and_not_read() {
    let directory = tempfile::tempdir().expect("there is room");
    let (bytes, _) = image(EPOCH);
    std::fs::write(directory.path().join(MARKER), "").expect("there is room");
    let name = Name::Segment(1).to_string();
    std::fs::write(directory.path().join(&name), &bytes).expect("there is room");
    let report = inspect(directory.path()).expect("it can be read");
    assert_eq!((report.logs.len(), report.unreadable.len()), (1, 0));
    let file = File::options().write(true).open(directory.path().join(&name)).expect("it was just made");
    file.set_len(1 << 40).expect("a hole takes no room");
    let report = inspect(directory.path()).expect("it can be read");
    let why = "found 1099511627776 bytes, wanted 33554432 at most";
    assert_eq!((report.logs.len(), report.unreadable), (0, vec![(name, why.to_owned())]));
}
