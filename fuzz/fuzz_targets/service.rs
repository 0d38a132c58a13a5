//! `cargo fuzz run --features libfuzzer service`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| streamfence_fuzz::service(bytes));
