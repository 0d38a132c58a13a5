//! The sentences of the protocol texts, as behaviours that a client can see.
//!
//! The texts are revision 4 of the Engine.IO protocol (github.com/socketio/engine.io-protocol) and revision 5 of the
//! Socket.IO protocol (github.com/socketio/socket.io-protocol). Each behaviour quotes the sentence it comes from and
//! runs on every [`target::Kind`]: on the library as it is, and on ours. What the library holds and ours does not is a
//! bug of ours. What does not hold is listed with its reason, and the list speaks up when it holds after all.

mod application;
mod client;
mod target;
#[macro_use]
mod verdict;

mod handshake;
mod heartbeat;
mod polling;
mod upgrade;
mod websocket;

mod acks;
mod binary;
mod disconnect;
mod events;
mod malformed;
mod namespaces;

mod fenced;
mod likeness;
