//! `cargo fuzz run --features libfuzzer hub`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| streamfence_fuzz::hub(bytes));
