//! The HTTP side of StreamFence: publish from any language, see what it does, and steer it.
//!
//! [`router`] is an axum [`Router`](axum::Router) that an application can mount beside its own routes; `streamfence
//! serve` runs it on the admin address.

mod api;
mod host;

mod admin;
mod dashboard;
mod audience;
mod events;
mod health;
mod metrics;
mod publish;

mod problem;
mod process;

pub use api::{Api, router};
pub use host::loopback_hosts_only;
pub use process::{About, Answer, ChangedKey, LogLevelError, NotHere, Process, ReloadError, Reloaded, ServerState};
