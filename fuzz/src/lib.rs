//! What must hold whatever comes in, one function per target, each from bytes.
//!
//! A fuzzer feeds them in `fuzz_targets/`; `tests/replay.rs` feeds them the corpora, without a fuzzer. They panic when
//! something does not hold, and say nothing otherwise.

mod config;
mod hub;
mod seam;
mod service;
mod spill;
mod token;
mod wish;

pub use config::config;
pub use hub::hub;
pub use seam::seam;
pub use service::service;
pub use spill::spill;
pub use token::token;
pub use wish::wish;
