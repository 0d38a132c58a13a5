//! A running fence as somebody sees it who operates it: each route under `/admin/v1` of the binary, and its errors, with
//! real clients where one is needed.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

#[path = "../process/mod.rs"]
mod process;

mod scene;

mod clients;
mod dead_letters;
mod door;
mod errors;
mod events;
mod keys;
mod orders;
mod overview;
mod reload;
