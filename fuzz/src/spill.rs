//! A file of spilled messages: whatever it holds, it is read or refused.

/// Reads bytes as a segment, and as a block whose checksums are right.
///
/// # Panics
/// When a record that was read says of itself what is not so.
pub fn spill(bytes: &[u8]) {
    streamfence_spill::fuzzing::read(bytes);
}
