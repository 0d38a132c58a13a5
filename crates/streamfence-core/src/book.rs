//! Pages of the book: their blocks of Rust are doc tests of this crate.

#[doc = include_str!("../../../docs/writing-a-transport.md")]
struct WritingATransport;
