//! `cargo fuzz run --features libfuzzer seam`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| streamfence_fuzz::seam(bytes));
