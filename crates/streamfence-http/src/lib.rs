//! The HTTP side of StreamFence: publish from any language, see what it does, and steer it.
//!
//! [`router`] is an axum [`Router`](axum::Router) that an application can mount beside its own routes; `streamfence
//! serve` runs it on the admin address. What its routes are, who may use them and what they answer stands in one list,
//! from which [`document`] is made too.

mod api;

mod keys;

mod host;

mod admin;
mod dashboard;
mod events;
mod health;
mod metrics;
mod publish;

mod openapi;
mod problem;
mod process;
mod reference;
mod rejected;
mod route;

pub use api::{Api, router};
pub use events::EVENT_KINDS;
pub use host::loopback_hosts_only;
pub use keys::{KeyError, KeyHolder, Keys, Scope};
pub use openapi::document;
pub use process::{About, Answer, ChangedKey, LogLevelError, NotHere, Process, ReloadError, Reloaded, ServerState};
pub use reference::{errors_in_markdown, routes_in_markdown};
