//! The configuration file: YAML or JSON to a checked catalog and server settings.
//!
//! Read the modules in this order. What is loaded is never applied here.
//!
//! ```
//! use streamfence_config::{Format, parse};
//!
//! let file = "servers: {feed: {port: 0, namespaces: [{path: /feed, topics: [snapshot, delta]}]}}";
//! let settings = parse(file, Format::Yaml, "streamfence.yaml", &|_| Err("no references here".to_owned()))?;
//! assert_eq!(settings.server("feed")?.namespaces, ["/feed"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod settings;

pub mod keys;

mod raw;

mod expand;

mod block;

mod admin;
mod auth;
mod limits;
mod namespaces;
mod resolve;
mod slow_client;
mod spill;
mod tls;
mod tracing;

mod load;
mod secrets;
mod source;

mod difference;
pub mod footprint;
pub mod watch;

mod tree;

mod convert;
mod defaults;
mod schema;
mod shape;

pub mod error;

pub use convert::{Converted, convert};
pub use defaults::{defaults, defaults_as_json};
pub use difference::{Difference, differences};
pub use error::{ConfigError, ConfigErrors, Problem};
pub use expand::{Lookup, Reference};
pub use keys::{KEYS, Key, Kind, Section, reference};
pub use limits::{InboundRateSettings, LimitSettings, RateSettings};
pub use load::{MAX_FILE_BYTES, load, load_beside, read_config};
pub use raw::Place;
pub use resolve::{Format, parse};
pub use schema::schema;
pub use settings::{
    AdminKeySettings, AdminScope, AdminSettings, AuthFailureSettings, AuthHookSettings, AuthSettings,
    EngineIoTransport, JwtAlgorithm, JwtKeySource, JwtSettings, Listen, LogFormat, LogLevel, LogSettings, Secret,
    ServerSettings, Settings, SpillSettings, StaticToken, TlsClientAuth, TlsProtocol, TlsSettings, TracingProtocol,
    TracingSettings, UnknownServer,
};
pub use source::Source;
pub use watch::{News, Watch};

#[cfg(test)]
mod tests;
