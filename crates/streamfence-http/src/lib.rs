//! The HTTP side of StreamFence: publish from any language, see that it lives, read its numbers.
//!
//! [`router`] is an axum [`Router`](axum::Router) that an application can mount beside its own routes; `streamfence
//! serve` runs it on the admin address.

mod api;
mod host;

mod audience;
mod health;
mod metrics;
mod publish;

mod problem;

pub use api::{Api, router};
pub use host::loopback_hosts_only;
