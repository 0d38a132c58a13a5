//! The `streamfence` binary.

fn main() {}
