use bytes::Bytes;
use streamfence_core::{Audience, ClientId, Epoch, LogPosition, Record};

use super::*;
use crate::testing::{block, private, record, spelled};

/// One of each kind.
fn records() -> Vec<Record> {
    let with = |position, change: fn(&mut Record)| {
        let mut record = record(position, 40);
        change(&mut record);
        record
    };
    vec![
        record(3, 0),
        with(4, |it| it.audience = Audience::Except([ClientId([1; 12]), ClientId([2; 12])].into())),
        private(9, 17),
        with(10, |it| it.key = Some("Preis in \u{20ac}".into())),
        with(11, |it| it.expires_us = Some(u64::MAX)),
        with(12, |it| it.id.epoch = Epoch(1)),
        with(13, |it| it.audience = Audience::Private(Box::default())),
        with(4_000_000_000, |it| {
            it.body.payload = 3..10;
            it.body.attachments = [12..20, 20..20, 25..40].into();
        }),
    ]
}

fn decode(bytes: &Bytes, from: u64) -> Result<Vec<Record>, FormatError> {
    let header = check_block(bytes, 1)?;
    let mut records = vec![record(0, 1)];
    let mut wanted = Wanted { from: LogPosition(from), bytes: u64::MAX };
    let result = decode_block(bytes, &header, &mut wanted, &mut records);
    assert_eq!(spelled(&records.remove(0)), spelled(&record(0, 1)), "what was there before stays");
    assert!(result.is_ok() || records.is_empty(), "all of a block or nothing");
    result.map(|_| records)
}

#[test]
fn records_come_back_as_they_were_from_any_position_on() {
    let records = records();
    let (header, bytes) = block(1, &records);
    assert_eq!((header.first.0, header.last.0, header.count), (3, 4_000_000_000, 8));
    assert_eq!((header.messages, header.message_bytes), (6, 200));
    assert_eq!(header.block_bytes(), bytes.len() as u64);
    for from in [0, 3, 4, 5, 12, 14, 4_000_000_000, 4_000_000_001] {
        let wanted: Vec<_> = records.iter().filter(|record| record.position.0 >= from).map(spelled).collect();
        let found = decode(&bytes, from).expect("it is whole");
        assert_eq!(found.iter().map(spelled).collect::<Vec<_>>(), wanted);
    }
    let shared = decode(&bytes, 12).expect("it is whole");
    let memory = bytes.as_ptr_range();
    assert!(
        shared.iter().all(|record| memory.contains(&record.body.bytes.as_ptr())),
        "bodies share the block's memory"
    );
}

#[test]
fn no_more_is_read_than_is_wanted() {
    let (header, bytes) = block(1, &[record(3, 50), record(7, 50), record(9, 50)]);
    for (from, most, count, goes_on, left) in [
        (0, 1, 1, Some(4), 0),
        (0, 50, 1, Some(4), 0),
        (0, 51, 2, Some(8), 0),
        (4, 51, 2, None, 0),
        (0, 151, 3, None, 1),
        (8, 1, 1, None, 0),
        (10, 1, 0, None, 1),
    ] {
        let mut records = Vec::new();
        let mut wanted = Wanted { from: LogPosition(from), bytes: most };
        let next = decode_block(&bytes, &header, &mut wanted, &mut records).expect("it is whole");
        assert_eq!((records.len(), next.map(|it| it.0), wanted.bytes), (count, goes_on, left), "{most} from {from}");
    }
}

#[test]
fn a_record_takes_no_more_than_is_charged_for_it() {
    for record in records() {
        let (_, bytes) = block(1, std::slice::from_ref(&record));
        let largest = BLOCK_HEADER_BYTES as u64 + largest_encoding(&record);
        assert!(bytes.len() as u64 <= largest && largest <= record.stored_bytes(), "{}", spelled(&record));
    }
}

#[test]
fn a_block_of_another_use_of_the_file_is_none_of_this_one() {
    let (_, bytes) = block(2, &records());
    assert_eq!(check_block(&bytes, 1).err(), Some(FormatError::Epoch { found: 2, wanted: 1 }));
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_block_is_found() {
    let (_, bytes) = block(1, &records());
    for cut in 0..bytes.len() {
        assert!(check_block(&bytes[..cut], 1).is_err(), "cut at {cut}");
    }
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(check_block(&bytes, 1).is_err(), "byte {at}, bit {bit}");
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn whatever_a_block_says_it_is_records_or_an_error() {
    let (_, whole) = block(1, &records());
    let (mut read, mut refused) = (0, 0);
    for at in 8..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at] ^ 0x10] {
            let mut bytes = whole.to_vec();
            bytes[at] = value;
            forge(&mut bytes);
            match decode(&bytes.into(), 0) {
                Err(_) => refused += 1,
                Ok(records) => {
                    read += 1;
                    // What takes a body apart may trust it.
                    for Record { body, .. } in &records {
                        let parts: usize = body.attachments().map(|part| part.len()).sum();
                        assert!(parts + body.text().len() <= body.bytes.len());
                        assert!(body.payload().len() + body.after_payload().len() <= body.text().len());
                    }
                }
            }
        }
    }
    assert!(read > 500 && refused > 500, "both happen: {read} and {refused}");
}

#[test]
fn a_segment_header_comes_back_and_long_names_are_cut() {
    let header = SegmentHeader {
        store: [7; 16],
        log: u64::MAX,
        epoch: 3,
        base: 4,
        created_ms: 5,
        namespace: "/feed".into(),
        topic: "\u{20ac}".repeat(1000).into(),
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    assert_eq!(bytes.len(), SEGMENT_HEADER_BYTES);
    let found = SegmentHeader::decode(&bytes).expect("it is whole");
    assert_eq!(found, SegmentHeader { topic: "\u{20ac}".repeat(341).into(), ..header });
}

#[test]
fn the_spelling_is_the_one_that_was_decided_on() {
    let (_, bytes) = block(0x0102_0304, &[record(5, 3)]);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let wanted = [
        // The header: `SFBK`, its checksum, the body's, the body's size, the epoch, the first and the last position, how
        // many records, how many for everybody, the bytes of those, the messages' epoch, no flags.
        "5346424b e32ab0fb c0f35beb 27000000 0403020100000000 0500000000000000 0500000000000000",
        "01000000 01000000 0300000000000000 4d00000000000000 0000000000000000",
        // The record: its length, for everybody, no flags, its place in the block, the payload, the offset, the time, the
        // text.
        "27000000 00 00 0000 00000000 00000000 03000000 0600000000000000 3200000000000000 050102",
    ];
    assert_eq!(hex, wanted.concat().replace(' ', ""));
}
