//! The routes, and what they share.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use serde_json::Value;
use streamfence_runtime::Fence;
use tokio::sync::{Semaphore, watch};

use crate::admin::history::History;
use crate::keys::{Keys, Scope};
use crate::problem::{Code, Problem};
use crate::process::{Process, Unknown};
use crate::route::Route;
use crate::{admin, dashboard, events, health, metrics, openapi, publish};

/// What the routes work on.
#[derive(Clone)]
pub struct Api {
    pub(crate) fence: Fence,
    pub(crate) metrics: Arc<dyn Fn() -> String + Send + Sync>,
    keys: Keys,
    pub(crate) history: Arc<History>,
    pub(crate) idempotency: publish::Idempotency,
    /// Places for streams.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) process: Arc<dyn Process>,
    /// Places for those who read events along.
    pub(crate) readers: Arc<Semaphore>,
    /// Whether those who read events along are to be left.
    pub(crate) ending: watch::Sender<bool>,
}

impl Api {
    /// An API of a fence that asks nobody for a key. `metrics` renders the numbers as OpenMetrics text; it is called once
    /// per scrape, after the fence has handed over its latest.
    pub fn new(fence: Fence, metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let streams = Arc::new(Semaphore::new(publish::MOST_STREAMS));
        let (idempotency, process) = (publish::Idempotency::default(), Arc::new(Unknown::new()));
        let (keys, readers, history) = (Keys::none(), events::places(), Arc::default());
        Self {
            fence,
            metrics: Arc::new(metrics),
            keys,
            idempotency,
            streams,
            process,
            readers,
            history,
            ending: watch::Sender::new(false),
        }
    }

    /// The same with what the process around the fence tells of itself, and can be asked to do.
    #[must_use]
    pub fn process(mut self, process: impl Process) -> Self {
        self.process = Arc::new(process);
        self
    }

    /// The same, open only to those who have one of these keys, as long as there are any.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Ends what those read who read events along, of this and of its clones: for a process that has nothing more to tell.
    /// Streams of messages end by themselves when the fence [shuts down](Fence::shutdown).
    pub fn end_events(&self) {
        self.ending.send_replace(true);
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
        f.debug_struct("Api").field("fence", &self.fence).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The largest request body, in bytes: a message as large as any lane holds by default, as base64, and its envelope.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The routes that [`document`](crate::document) describes.
///
/// Without [keys](Api::keys) they ask for none: mount them where only the backend can reach them, or behind
/// [`loopback_hosts_only`](crate::loopback_hosts_only) on a loopback address.
pub fn router(api: Api) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| route.mount(router, &api.keys))
        .fallback(async || Problem::new(Code::NotFound, "no such resource; `/openapi.json` lists those there are"))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "this resource has another method; `/openapi.json` says which")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(api)
}

/// Every route there is.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/healthz", health::healthz, "Whether the process lives").answers_as::<String>(
            StatusCode::OK,
            "text/plain",
            "It does.",
        ),
        Route::get("/readyz", health::readyz, "Whether the process wants traffic")
            .answers_as::<String>(StatusCode::OK, "text/plain", "It does.")
            .answers_as::<String>(
                StatusCode::SERVICE_UNAVAILABLE,
                "text/plain",
                "It drains, is over its memory budget, or has failed: the body says which.",
            ),
        Route::get("/metrics", metrics::scrape, "The numbers, as Prometheus reads them")
            .needs(Scope::Read)
            .answers_as::<String>(StatusCode::OK, metrics::OPEN_METRICS, "The numbers as they are now."),
        Route::get("/openapi.json", openapi::serve, "This document").answers::<Value>(StatusCode::OK, "The document."),
    ];
    routes.extend(publish::routes());
    routes.extend(admin::routes());
    routes.push(events::route());
    routes.extend(dashboard::routes());
    routes
}
