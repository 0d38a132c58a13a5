//! The routes, and what they share.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use streamfence_runtime::Fence;
use tokio::sync::Semaphore;

use crate::admin::history::History;
use crate::problem::Problem;
use crate::process::{Process, Unknown};
use crate::{admin, dashboard, events, health, metrics, publish};

/// What the routes work on.
#[derive(Clone)]
pub struct Api {
    pub(crate) fence: Fence,
    pub(crate) metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) process: Arc<dyn Process>,
    /// Places for those who read events along.
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) history: Arc<History>,
}

impl Api {
    /// An API of a fence. `metrics` renders the numbers as OpenMetrics text; it is called once per scrape, after the
    /// fence has handed over its latest.
    pub fn new(fence: Fence, metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { fence, metrics: Arc::new(metrics), process: Arc::new(Unknown::new()), readers: events::places(), history: Arc::default() }
    }

    /// The same with what the process around the fence tells of itself, and can be asked to do.
    #[must_use]
    pub fn process(self, process: impl Process) -> Self {
        Self { process: Arc::new(process), ..self }
    }

    /// The same with a memory of the last five minutes, a sample a second, so that a page that is opened is not empty.
    ///
    /// # Panics
    /// Outside a tokio runtime: a task takes the samples.
    #[must_use]
    pub fn keep_history(self) -> Self {
        self.history.keep(self.fence.clone());
        self
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("fence", &self.fence).finish_non_exhaustive()
    }
}

/// The largest request body, in bytes: a message as large as any lane holds by default, as base64, and its envelope.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The routes: `POST /v1/publish`, `GET /metrics`, `GET /healthz`, `GET /readyz`, and `/admin/v1`.
///
/// They ask for no key: mount them where only the backend can reach them, or behind
/// [`loopback_hosts_only`](crate::loopback_hosts_only) on a loopback address.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/publish", post(publish::publish))
        .route("/metrics", get(metrics::scrape))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/", get(dashboard::page))
        .route("/dashboard/{file}", get(dashboard::file))
        .merge(admin::questions())
        .merge(admin::orders())
        .fallback(async || Problem::not_found("no such resource; wanted POST /v1/publish or GET /metrics"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(api)
}
