//! StreamFence under Socket.IO: the socketioxide adapter and the server that streamfence serve runs.
//!
//! Read the modules in this order.

mod adapter;
mod admission;
mod inbound;
mod namespaces;
pub mod options;

mod auth;
mod callbacks;
mod client;
mod connection;
mod handlers;
mod heard;
mod hooks;
mod line;
mod outgoing;
mod outlet;
mod principal;
mod protocol;

pub mod engine;
pub mod layer;
pub mod link;
pub mod registry;

pub mod server;

mod origin;
mod refusals;
mod request;
mod verbatim;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use adapter::{AdapterBuilder, AdapterError, SocketIoAdapter};
pub use admission::{Rate, TrustedProxies, client_address};
pub use client::FencedSocket;
pub use inbound::InboundRate;
pub use layer::{FenceLayer, FenceService};
pub use options::{
    Address, Change, ClientAuth, Effect, EngineTransport, Password, ServerOptions, TlsOptions, TlsVersion,
};
pub use principal::Principal;
pub use server::{Plan, Server, ServerBuilder, Standing, StartError};
pub use verbatim::Verbatim;

#[cfg(doctest)]
mod book;
