//! What reads files, fed with anything. For the fuzzer; not covered by semantic versioning.

use bytes::Bytes;
use streamfence_core::{LogPosition, Record};

use crate::format::{BlockHeader, Wanted, check_block, decode_block, forge};
use crate::inspect::look;

/// Takes bytes for a segment, and for a block whose checksums are right.
///
/// # Panics
/// When a body says of itself what is not so.
pub fn read(bytes: &[u8]) {
    // An error is as good as a report.
    let _ = look(&bytes, bytes.len() as u64, "segment".into());

    let mut bytes = bytes.to_vec();
    forge(&mut bytes);
    let Ok(epoch) = BlockHeader::decode(&bytes).map(|header| header.epoch) else { return };
    let Ok(header) = check_block(&bytes, epoch) else { return };
    for (from, most) in [(LogPosition(0), u64::MAX), (header.first, 1), (header.last, 1000)] {
        let mut records = Vec::new();
        let block = Bytes::copy_from_slice(&bytes);
        let next = decode_block(&block, &header, &mut Wanted { from, bytes: most }, &mut records);
        assert!(next.is_ok() || records.is_empty(), "all of a block or nothing");
        for Record { position, body, .. } in &records {
            assert!(*position >= from && *position <= header.last);
            let parts: usize = body.attachments().map(|part| part.len()).sum();
            assert!(parts + body.text().len() <= body.bytes.len());
            assert!(body.payload().len() + body.after_payload().len() <= body.text().len());
        }
    }
}
