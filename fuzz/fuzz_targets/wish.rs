//! `cargo fuzz run --features libfuzzer wish`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| streamfence_fuzz::wish(bytes));
