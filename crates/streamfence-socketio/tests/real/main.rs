//! The layer and the server with the real Socket.IO library and clients that misbehave.

mod app;
mod carrier;
#[path = "../common/mod.rs"]
mod common;
mod emit;
mod health;
mod polling;
mod sizes;
mod stalled;
mod websocket;
