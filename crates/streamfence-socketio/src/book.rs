//! Pages of the book: their blocks of Rust are doc tests of this crate.

#[doc = include_str!("../../../README.md")]
struct Readme;

#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;

#[doc = include_str!("../../../docs/limits.md")]
struct Limits;
