//! Where spans go, and of which publishes there are any.

use std::fmt;
use std::time::Duration;

use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;

use crate::client::{CollectorClient, LastFailure};

/// Where spans go, and of which publishes there are any.
///
/// What is not said here is taken from the standard environment: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
/// `OTEL_EXPORTER_OTLP_ENDPOINT`, the `_HEADERS` beside them, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.
#[derive(Clone, PartialEq)]
pub struct ExportOptions {
    /// The collector, such as `http://127.0.0.1:4318`; `/v1/traces` is added where it has no path of its own. Without it
    /// that of the environment, and without that `http://localhost:4318`.
    pub endpoint: Option<String>,
    /// Headers of each request, such as a token's. They are secrets, and never shown.
    pub headers: Vec<(String, String)>,
    /// How spans are written.
    pub protocol: Protocol,
    /// Of which share of the publishes that say nothing of a trace there is one, from 0 to 1. What a publisher says is
    /// sampled is recorded, and what it says is not is not.
    pub sample_ratio: f64,
    /// How long the collector may take for a batch, further attempts included.
    pub timeout: Duration,
    /// What the collector calls this service. Without it that of the environment, and without that `streamfence`.
    pub service_name: Option<String>,
}

/// How spans are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// As protocol buffers, which every collector reads.
    #[default]
    HttpProtobuf,
    /// As JSON, for those who look at it.
    HttpJson,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: Vec::new(),
            protocol: Protocol::default(),
            sample_ratio: 0.0,
            timeout: Duration::from_secs(10),
            service_name: None,
        }
    }
}

impl fmt::Debug for ExportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, headers, protocol, sample_ratio, timeout, service_name } = self;
        f.debug_struct("ExportOptions")
            // Its query may hold a secret.
            .field("endpoint", &endpoint.as_deref().map(|url| url.split('?').next().unwrap_or_default()))
            .field("headers", &headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("protocol", protocol)
            .field("sample_ratio", sample_ratio)
            .field("timeout", timeout)
            .field("service_name", service_name)
            .finish()
    }
}

/// Why there is nobody to hand spans to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The URL is none that can be posted to. It is not shown, because it may hold a secret.
    #[error("the endpoint for traces cannot be posted to; wanted `http://` or `https://` and a host, without a user")]
    BadEndpoint,
    /// A header cannot stand in a request. Its value is not shown, because it is a secret.
    #[error("header `{name}` cannot be sent to the endpoint for traces; wanted a name and a value that HTTP has")]
    BadHeader {
        /// Its name.
        name: String,
    },
    /// Nobody could vouch for the collector.
    #[error("the system trusts no certificates, and the endpoint for traces is `https://`")]
    NoCertificates,
    /// What the environment says makes no exporter.
    #[error("the OTEL_ environment makes no exporter of traces: {why}")]
    BadEnvironment {
        /// What the exporter says.
        why: String,
    },
}

impl ExportOptions {
    /// What hands batches of spans to the collector, and where it says why it could not.
    pub(crate) fn exporter(&self) -> Result<(SpanExporter, LastFailure), ExportError> {
        let endpoint = match &self.endpoint {
            Some(url) => Some(traces_url(url).ok_or(ExportError::BadEndpoint)?),
            None => None,
        };
        for (name, value) in &self.headers {
            let is_fine = name.parse::<http::HeaderName>().is_ok() && value.parse::<http::HeaderValue>().is_ok();
            if !is_fine {
                return Err(ExportError::BadHeader { name: name.clone() });
            }
        }
        let of_environment = [OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT];
        let of_environment = of_environment.into_iter().find_map(|name| std::env::var(name).ok());
        let is_https = endpoint.as_ref().or(of_environment.as_ref()).is_some_and(|url| url.starts_with("https:"));
        let last_failure = LastFailure::default();
        let mut builder = SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new(is_https, self.timeout, last_failure.clone())?)
            .with_protocol(match self.protocol {
                Protocol::HttpProtobuf => opentelemetry_otlp::Protocol::HttpBinary,
                Protocol::HttpJson => opentelemetry_otlp::Protocol::HttpJson,
            })
            .with_headers(self.headers.iter().cloned().collect())
            .with_timeout(self.timeout);
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let exporter = builder.build().map_err(|why| ExportError::BadEnvironment { why: why.to_string() });
        let mut exporter = exporter?;
        exporter.set_resource(&self.resource());
        Ok((exporter, last_failure))
    }

    /// What the collector is told of this process.
    fn resource(&self) -> Resource {
        let of_environment = Resource::builder().build();
        let key = opentelemetry::Key::from_static_str("service.name");
        let is_named = of_environment.get(&key).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
        let builder = match (&self.service_name, is_named) {
            (Some(name), _) => Resource::builder().with_service_name(name.clone()),
            (None, true) => Resource::builder(),
            (None, false) => Resource::builder().with_service_name("streamfence"),
        };
        builder.with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build()
    }
}

/// Where traces are posted to; `None` for what is no such URL.
fn traces_url(endpoint: &str) -> Option<String> {
    let uri: http::Uri = endpoint.parse().ok()?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    match uri.path_and_query().map_or("/", |path| path.as_str()) {
        "/" => Some(format!("{scheme}://{authority}/v1/traces")),
        path => Some(format!("{scheme}://{authority}{path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_without_a_path_gets_the_usual_one() {
        assert_eq!(traces_url("http://127.0.0.1:4318").as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(traces_url("https://otel.example/").as_deref(), Some("https://otel.example/v1/traces"));
        assert_eq!(traces_url("https://otel.example/x?k=v").as_deref(), Some("https://otel.example/x?k=v"));
        for wrong in ["", "otel", "ftp://otel", "http://a:b@otel", "/v1/traces"] {
            assert_eq!(traces_url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let options = ExportOptions {
            endpoint: Some("https://otel.example/x?key=hunter2".into()),
            headers: vec![("authorization".into(), "Bearer hunter2".into())],
            ..ExportOptions::default()
        };
        let shown = format!("{options:?}");
        assert!(shown.contains("authorization") && !shown.contains("hunter2"), "{shown}");
        let bad = ExportOptions { headers: vec![("a b".into(), "hunter2".into())], ..ExportOptions::default() };
        assert_eq!(bad.exporter().map(drop), Err(ExportError::BadHeader { name: "a b".into() }));
        let bad = ExportOptions { endpoint: Some("hunter2".into()), ..ExportOptions::default() };
        assert_eq!(bad.exporter().map(drop), Err(ExportError::BadEndpoint));
    }
}
