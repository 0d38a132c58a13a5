//! Someone to ask about a token, over HTTP.

mod answer;
mod cache;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::revision;
use crate::validator::{Asked, AuthDecision, TokenValidator, Validating};
use cache::Cache;
pub use tls::HookCertificates;

/// Whom to ask, and how patiently.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpHookOptions {
    /// The URL that is posted to: `http://` or `https://`, a host and a path. Its query is not shown, because it may hold a secret.
    pub url: String,
    /// How long an answer may take, the wait for a turn included.
    pub timeout: Duration,
    /// How many questions may be open at once. Sixteen times as many may wait for their turn; what comes beyond is
    /// refused at once. At least 1.
    pub max_concurrent: u16,
    /// How long an answer holds for the same token and wish; a refusal for a fifth of it. Zero asks every time.
    pub cache: Duration,
    /// How long who was let in stays before the hook is asked again about it, and about what it is subscribed to; `None`
    /// waits for its next wish.
    pub recheck: Option<Duration>,
    /// The file of certificates in PEM that vouch for an `https` server; without it those that the system trusts.
    pub ca_certificates: Option<PathBuf>,
}

impl HttpHookOptions {
    /// This URL, with 2 s for an answer, 64 questions at once, answers that hold for 2 s, and who is let in asked about
    /// again every minute.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let seconds = Duration::from_secs(2);
        Self {
            url: url.into(),
            timeout: seconds,
            max_concurrent: 64,
            cache: seconds,
            recheck: Some(Duration::from_secs(60)),
            ca_certificates: None,
        }
    }
}

impl fmt::Debug for HttpHookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHookOptions")
            .field("url", &self.url.split('?').next().unwrap_or_default())
            .field("timeout", &self.timeout)
            .field("max_concurrent", &self.max_concurrent)
            .field("cache", &self.cache)
            .field("recheck", &self.recheck)
            .field("ca_certificates", &self.ca_certificates)
            .finish()
    }
}

/// Why there is nobody to ask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpHookError {
    /// The URL is none that can be posted to. It is not shown, because it may hold a secret.
    #[error("the URL cannot be posted to; wanted `http://` or `https://`, a host and a path, without a user")]
    BadUrl,
    /// The file of certificates does not hold what it should.
    #[error("{} cannot be used: {why}; wanted certificates in PEM", file.display())]
    BadCertificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody could vouch for the server.
    #[error("the system trusts no certificates; wanted a file of some")]
    NoCertificates,
}

/// Asks a server over HTTP about each token and each wish.
///
/// It posts `{"token", "namespace", "topic", "action"}`, where `topic` is null unless the wish is about one, and takes
/// two answers: status 200 with `{"allow": true, "principal": "alice"}`, to which `"expires"` may be added, in seconds
/// since 1970; and status 200 with `{"allow": false}`, to which a `"reason"` for the operator may be added, or status 401
/// or 403 with whatever body. Anything else is no answer, and without one everything is refused: another status, a body
/// of more than 16 KiB, JSON of another shape, a connection that fails, a server that takes too long. Redirects are not
/// followed.
///
/// Answers are kept for a short time, 8,192 of them at most, under a digest of token and wish. It is asked again for each
/// wish of a client ([`Access::Ask`](crate::Access::Ask)), and about who is there now and then.
///
/// ```
/// use streamfence_auth::{HttpHook, HttpHookOptions};
///
/// let hook = HttpHook::new(HttpHookOptions::new("http://127.0.0.1:8080/authorize?key=hunter2"))?;
/// assert!(!format!("{hook:?}").contains("hunter2"));
/// # Ok::<(), streamfence_auth::HttpHookError>(())
/// ```
pub struct HttpHook {
    options: HttpHookOptions,
    uri: Uri,
    asker: ArcSwap<Asker>,
    /// Those that are open.
    turns: Semaphore,
    /// Those that are open or wait.
    places: Semaphore,
    cache: Cache,
    revision: u64,
}

/// What asks, and who vouches for the other side.
struct Asker {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Those of the file; none where the URL needs none, or the system has them.
    certificates: Option<HookCertificates>,
}

/// How many may wait for each that is asked.
const WAITING: usize = 16;
/// The most bytes of an answer: it is a line.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// The most bytes of the head of an answer.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(30);

impl HttpHook {
    /// Asks there.
    ///
    /// # Errors
    /// The URL is none that can be posted to, or there are no certificates that could vouch for who is there.
    pub fn new(options: HttpHookOptions) -> Result<Self, HttpHookError> {
        let uri: Uri = options.url.parse().map_err(|_| HttpHookError::BadUrl)?;
        let has_host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let is_https = uri.scheme_str() == Some("https");
        if !(is_https || uri.scheme_str() == Some("http")) || !has_host {
            return Err(HttpHookError::BadUrl);
        }
        let certificates = certificates_of(&uri, &options)?;
        let connector = match &certificates {
            Some(certificates) => certificates.connector(),
            None => tls::connector_of_system(is_https)?,
        };
        let open = usize::from(options.max_concurrent.max(1));
        Ok(Self {
            uri,
            asker: ArcSwap::from_pointee(Asker { client: client(open, connector), certificates }),
            turns: Semaphore::new(open),
            places: Semaphore::new(open * (1 + WAITING)),
            cache: Cache::new(options.cache),
            revision: revision::next(),
            options,
        })
    }

    /// Reads the file of certificates again; `None` where none is of use.
    ///
    /// # Errors
    /// It does not hold what it should.
    pub fn read_certificates(&self) -> Result<Option<HookCertificates>, HttpHookError> {
        certificates_of(&self.uri, &self.options)
    }

    /// Lets these certificates vouch for the other side, from the next question on, and no others. Says whether they are
    /// others than before.
    pub fn set_certificates(&self, certificates: HookCertificates) -> bool {
        let has_changed = self.asker.load().certificates.as_ref() != Some(&certificates);
        if has_changed {
            let open = usize::from(self.options.max_concurrent.max(1));
            let client = client(open, certificates.connector());
            self.asker.store(Arc::new(Asker { client, certificates: Some(certificates) }));
        }
        has_changed
    }

    async fn decide(&self, asked: &Asked<'_>) -> AuthDecision {
        let key = digest(asked);
        if let Some(known) = self.cache.find(&key, Instant::now()) {
            return known;
        }
        let Ok(_place) = self.places.try_acquire() else {
            return AuthDecision::unavailable("too many questions wait for the authorisation hook");
        };
        match tokio::time::timeout(self.options.timeout, self.ask(asked)).await {
            Ok(Ok(decision)) => {
                self.cache.keep(key, &decision, Instant::now());
                decision
            }
            Ok(Err(why)) => AuthDecision::unavailable(why),
            Err(_) => AuthDecision::unavailable("the authorisation hook did not answer in time"),
        }
    }

    /// A decision, or why there is none.
    async fn ask(&self, asked: &Asked<'_>) -> Result<AuthDecision, &'static str> {
        let _turn = self.turns.acquire().await.map_err(|_| "the authorisation hook is closed")?;
        let question = Question {
            token: asked.token.expose(),
            namespace: asked.namespace,
            topic: asked.topic,
            action: asked.action.as_str(),
        };
        let body = serde_json::to_vec(&question).map_err(|_| "the question cannot be written")?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::from(body))
            .map_err(|_| "the question cannot be written")?;
        // What the client says of a failure may name the URL.
        let client = self.asker.load().client.clone();
        let response = client.request(request).await.map_err(|_| "the authorisation hook cannot be reached")?;
        let (parts, body) = response.into_parts();
        if let Some(refusal) = answer::by_status(parts.status)? {
            return Ok(refusal);
        }
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| "the answer of the authorisation hook is longer than 16384 bytes or ends early")?;
        answer::read(&body.to_bytes(), asked.token, self.options.recheck)
    }
}

impl TokenValidator for HttpHook {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        Box::pin(async move { self.decide(&asked).await })
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn spare(&self) -> usize {
        self.turns.available_permits()
    }
}

impl fmt::Debug for HttpHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpHook").field(&self.options).finish()
    }
}

fn client(open: usize, connector: HttpsConnector<HttpConnector>) -> Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(open)
        .http1_max_buf_size(MAX_HEAD_BYTES)
        .build(connector)
}

/// Those of the file of the options, where the URL needs any.
fn certificates_of(uri: &Uri, options: &HttpHookOptions) -> Result<Option<HookCertificates>, HttpHookError> {
    match &options.ca_certificates {
        Some(file) if uri.scheme_str() == Some("https") => HookCertificates::read(file).map(Some),
        _ => Ok(None),
    }
}

#[derive(Serialize)]
struct Question<'a> {
    token: &'a str,
    namespace: &'a str,
    topic: Option<&'a str>,
    action: &'static str,
}

/// What an answer is kept under: no token stays in memory for it.
fn digest(asked: &Asked<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    let topic = asked.topic.map_or("", |topic| topic);
    for part in [asked.action.as_str(), asked.namespace, topic, asked.token.expose()] {
        // Lengths first, so that no two wishes read the same.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.update([u8::from(asked.topic.is_some())]);
    digest.finalize().into()
}
