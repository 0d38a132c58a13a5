//! What posts to a collector: the HTTP client of the house, with an end to how long it takes and how much it reads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_http::{HttpClient, HttpError};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::options::ExportError;

/// The most bytes of an answer: it is a line.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Where the last request went and why it brought nothing, for people: the exporter says only that it did not. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastFailure(Arc<Mutex<Option<Failed>>>);

/// A request that brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Where it went, without a user and a query, which may hold secrets.
    pub(crate) endpoint: String,
    pub(crate) why: String,
}

impl LastFailure {
    pub(crate) fn get(&self) -> Option<Failed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, failed: Option<Failed>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }
}

/// Posts to one collector.
pub(crate) struct CollectorClient {
    last_failure: LastFailure,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl CollectorClient {
    pub(crate) fn new(is_https: bool, timeout: Duration, last_failure: LastFailure) -> Result<Self, ExportError> {
        let mut roots = RootCertStore::empty();
        if is_https {
            // What of them cannot be read vouches for nobody; the rest does.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(ExportError::NoCertificates);
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self { last_failure, client, timeout })
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = self.client.request(request.map(Full::new)).await?.into_parts();
        let body = match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            // It has taken them, whatever else it would say: asked again, it would have them twice.
            Err(_too_long) if parts.status.is_success() => Bytes::new(),
            Err(why) => return Err(why),
        };
        Ok(Response::from_parts(parts, body))
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let endpoint = shown(request.uri());
        let failed = |why: String| Some(Failed { endpoint: endpoint.clone(), why });
        // Said before: whoever waits for this may give up first, and then nothing more happens here.
        self.last_failure.set(failed(format!("no answer within {:?}", self.timeout)));
        let answer = tokio::time::timeout(self.timeout, self.post(request)).await?;
        self.last_failure.set(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => failed(format!("the answer is HTTP {}", answer.status())),
            Err(why) => failed(chain(&**why)),
        });
        answer
    }
}

fn shown(uri: &http::Uri) -> String {
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default(), uri.path())
}

/// An error and what is behind it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn failure(address: std::net::SocketAddr, timeout: Duration) -> Option<Failed> {
        let last = LastFailure::default();
        let client = CollectorClient::new(false, timeout, last.clone()).expect("it needs no certificates");
        let request = Request::post(format!("http://{address}/v1/traces?key=hunter2")).body(Bytes::new());
        let _ = client.send_bytes(request.expect("it is well-formed")).await;
        last.get()
    }

    #[tokio::test]
    async fn why_a_collector_takes_nothing_is_told_with_where_it_is() {
        const LONG: Duration = Duration::from_secs(60);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let address = listener.local_addr().expect("it listens");
        let endpoint = format!("http://{address}/v1/traces");
        // Nobody accepts: the kernel takes the connection, and nothing answers.
        let hanging = failure(address, Duration::from_millis(50)).await;
        assert_eq!(hanging, Some(Failed { endpoint: endpoint.clone(), why: "no answer within 50ms".into() }));

        drop(listener);
        let refused = failure(address, LONG).await.expect("nobody listens");
        assert!(refused.endpoint == endpoint && refused.why.contains("refused"), "{refused:?}");

        let long = "x".repeat(MAX_ANSWER_BYTES + 1);
        for (status, body, wanted) in [
            ("200 OK", "", None),
            ("200 OK", long.as_str(), None),
            ("500 No", "", Some("the answer is HTTP 500 Internal Server Error")),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
            let address = listener.local_addr().expect("it listens");
            let served = async {
                let (mut stream, _) = listener.accept().await.expect("it comes");
                let _ = stream.read(&mut [0; 1024]).await.expect("it asks");
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                // Who has heard enough of a long answer hangs up.
                let _ = stream.write_all(answer.as_bytes()).await;
                stream
            };
            let (failed, _stream) = tokio::join!(failure(address, LONG), served);
            assert_eq!(failed.map(|failed| failed.why).as_deref(), wanted);
        }
    }
}
