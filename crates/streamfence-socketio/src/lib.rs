//! StreamFence under Socket.IO: the socketioxide adapter and the server that streamfence serve runs.
//!
//! Read the modules in this order.

pub mod options;

pub mod engine;
pub mod layer;
pub mod link;
pub mod registry;

pub mod server;

mod origin;
mod request;
mod verbatim;

pub use layer::{FenceLayer, FenceService};
pub use options::{EngineTransport, ServerOptions};
pub use verbatim::Verbatim;
