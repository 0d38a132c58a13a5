//! What the test suites of this and other crates share. Never reachable from a release build.

pub mod disk;
pub mod scenario;
mod script;
