//! What went wrong, as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error a caller can read and a program can tell by its `code`.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
}

impl Problem {
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", detail)
    }

    pub(crate) fn unknown_topic(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "UNKNOWN_TOPIC", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "this resource has another method")
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", detail)
    }

    pub(crate) fn not_json() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", "wanted content-type application/json")
    }

    pub(crate) fn forbidden_host(host: &str) -> Self {
        let detail = format!("host {host:?} is not a loopback name; wanted localhost, 127.0.0.1 or [::1]");
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN_HOST", detail)
    }

    pub(crate) fn vetoed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "PUBLISH_REJECTED", detail)
    }

    pub(crate) fn shutting_down() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "SHUTTING_DOWN", "the server drains and takes no further messages")
    }

    pub(crate) fn unknown_client(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "UNKNOWN_CLIENT", detail)
    }

    pub(crate) fn config_invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "CONFIG_INVALID", detail)
    }

    /// This process has nothing of the kind.
    pub(crate) fn not_available(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NOT_AVAILABLE", detail)
    }

    /// A place may be free in a moment.
    pub(crate) fn limit_exceeded(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", detail)
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Says of an answer that it is a problem.
    pub(crate) fn mark(response: &mut Response) {
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }

    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { title, status: status.as_u16(), code, detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, axum::Json(self)).into_response();
        Self::mark(&mut response);
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
