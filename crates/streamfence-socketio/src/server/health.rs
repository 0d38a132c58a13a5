//! What a load balancer asks, and nothing else.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use streamfence_runtime::Fence;
use tower::Service;

/// Answers `/healthz` and `/readyz` with constant bodies and everything else with 404.
#[derive(Clone, Debug)]
pub struct Health {
    is_ready: Arc<AtomicBool>,
    /// Whose memory counts too, where it is known.
    fence: Option<Fence>,
}

impl Health {
    /// Ready as long as the flag says so.
    #[must_use]
    pub fn new(is_ready: Arc<AtomicBool>) -> Self {
        Self { is_ready, fence: None }
    }

    /// Not ready either while the fence is over its memory budget.
    #[must_use]
    pub fn with_fence(self, fence: Fence) -> Self {
        Self { fence: Some(fence), ..self }
    }

    fn readiness(&self) -> (StatusCode, &'static str) {
        if !self.is_ready.load(Ordering::SeqCst) {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        } else if self.fence.as_ref().is_some_and(Fence::is_over_budget) {
            (StatusCode::SERVICE_UNAVAILABLE, "over budget\n")
        } else {
            (StatusCode::OK, "ready\n")
        }
    }
}

impl<B> Service<Request<B>> for Health {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (status, body) = match request.uri().path() {
            "/healthz" => (StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            _ => (StatusCode::NOT_FOUND, "not found\n"),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        ready(Ok(response))
    }
}
