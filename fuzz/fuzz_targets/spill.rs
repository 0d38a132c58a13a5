//! `cargo fuzz run --features libfuzzer spill`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| streamfence_fuzz::spill(bytes));
