//! A fence under a real server, with clients that speak Socket.IO by hand.

mod app;
#[path = "../common/mod.rs"]
mod common;
mod secure;
mod talk;

mod callbacks;
mod certificates;
mod confirmed;
mod delivery;
mod embedding;
mod ends;
mod examples;
mod floods;
mod hooks;
mod limits;
mod namespaces;
mod polling;
mod principals;
mod publishing;
mod reload;
mod rotation;
mod sockets;
mod splice;
mod subscriptions;
mod tls;
mod tokens;
