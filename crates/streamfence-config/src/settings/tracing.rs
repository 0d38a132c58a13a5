//! Where the ways of messages are told as traces.

use std::fmt;
use std::time::Duration;

use super::Secret;

/// Where traces go, and of which publishes there are any.
#[derive(Clone, PartialEq)]
pub struct TracingSettings {
    /// The URL of the collector, where the file says it. Its query is not shown, because it may hold a secret.
    pub endpoint: Option<String>,
    /// Headers of each request, by name; no name twice.
    pub headers: Vec<(String, Secret)>,
    /// How spans are written.
    pub protocol: TracingProtocol,
    /// Of which share of the publishes that say nothing of a trace there is one, from 0 to 1.
    pub sample_ratio: f64,
    /// How long the collector may take for a batch.
    pub timeout: Duration,
    /// What the collector calls this service, where the file says it.
    pub service_name: Option<String>,
}

impl fmt::Debug for TracingSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingSettings")
            .field("endpoint", &self.endpoint.as_deref().map(|url| url.split('?').next().unwrap_or_default()))
            .field("headers", &self.headers)
            .field("protocol", &self.protocol)
            .field("sample_ratio", &self.sample_ratio)
            .field("timeout", &self.timeout)
            .field("service_name", &self.service_name)
            .finish()
    }
}

/// How spans are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TracingProtocol {
    /// As protocol buffers.
    HttpProtobuf,
    /// As JSON.
    HttpJson,
}
