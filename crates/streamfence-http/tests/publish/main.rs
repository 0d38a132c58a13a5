//! Publishing as a backend sees it: every route, and each error that the document promises.

mod batch;
mod body;
mod common;
mod errors;
mod idempotency;
mod keys;
mod raw;
mod stream;
mod trace;
mod wait;
