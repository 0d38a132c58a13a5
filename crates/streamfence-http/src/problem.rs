//! What went wrong, as `application/problem+json` (RFC 9457).

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// What can go wrong: each with its status, its name and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    BadRequest,
    Unauthorized,
    Forbidden,
    ForbiddenHost,
    ForbiddenOrigin,
    PublishRejected,
    NotFound,
    UnknownTopic,
    UnknownClient,
    MethodNotAllowed,
    RequestTimeout,
    IdempotencyConflict,
    IdempotencyInFlight,
    PayloadTooLarge,
    UnsupportedMediaType,
    ConfigInvalid,
    QueueFull,
    LimitExceeded,
    Internal,
    NotAvailable,
    ShuttingDown,
}

impl Code {
    pub(crate) const ALL: [Self; 21] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::ForbiddenHost,
        Self::ForbiddenOrigin,
        Self::PublishRejected,
        Self::NotFound,
        Self::UnknownTopic,
        Self::UnknownClient,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::IdempotencyConflict,
        Self::IdempotencyInFlight,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ConfigInvalid,
        Self::QueueFull,
        Self::LimitExceeded,
        Self::Internal,
        Self::NotAvailable,
        Self::ShuttingDown,
    ];

    pub(crate) fn status(self) -> StatusCode {
        self.row().0
    }

    pub(crate) fn as_str(self) -> &'static str {
        self.row().1
    }

    pub(crate) fn meaning(self) -> &'static str {
        self.row().2
    }

    #[rustfmt::skip]
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as Is;
        match self {
            Self::BadRequest => (Is::BAD_REQUEST, "BAD_REQUEST", "The request is not what this route takes; `detail` says where."),
            Self::Unauthorized => (Is::UNAUTHORIZED, "UNAUTHORIZED", "There is no key, or one that nobody has."),
            Self::Forbidden => (Is::FORBIDDEN, "FORBIDDEN", "The key is not for this."),
            Self::ForbiddenHost => (Is::FORBIDDEN, "FORBIDDEN_HOST", "Without keys, requests must name this machine as their host."),
            Self::ForbiddenOrigin => (Is::FORBIDDEN, "FORBIDDEN_ORIGIN", "Without keys, no page of another origin is served."),
            Self::PublishRejected => (Is::FORBIDDEN, "PUBLISH_REJECTED", "A hook of the application did not want the message."),
            Self::NotFound => (Is::NOT_FOUND, "NOT_FOUND", "There is no such resource."),
            Self::UnknownTopic => (Is::NOT_FOUND, "UNKNOWN_TOPIC", "There is no such namespace, or no such topic in it."),
            Self::UnknownClient => (Is::NOT_FOUND, "UNKNOWN_CLIENT", "There is no such client, or no more."),
            Self::MethodNotAllowed => (Is::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "The resource has another method."),
            Self::RequestTimeout => (Is::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "The body was not there within 30 seconds. Nothing was done."),
            Self::IdempotencyConflict => (Is::CONFLICT, "IDEMPOTENCY_CONFLICT", "The idempotency key came with another request before."),
            Self::IdempotencyInFlight => (Is::CONFLICT, "IDEMPOTENCY_IN_FLIGHT", "The first request with that idempotency key is not answered yet."),
            Self::PayloadTooLarge => (Is::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "The body is larger than the route takes."),
            Self::UnsupportedMediaType => (Is::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", "The route takes another content type."),
            Self::ConfigInvalid => (Is::UNPROCESSABLE_ENTITY, "CONFIG_INVALID", "The configuration is not valid and nothing was changed: `errors` has each mistake."),
            Self::QueueFull => (Is::TOO_MANY_REQUESTS, "QUEUE_FULL", "Lanes refused the message, and `onFull` is `fail`. The others have it: `report` says how many."),
            Self::LimitExceeded => (Is::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", "A limit is reached; a place may be free in a moment."),
            Self::Internal => (Is::INTERNAL_SERVER_ERROR, "INTERNAL", "A mistake of the server's."),
            Self::NotAvailable => (Is::NOT_IMPLEMENTED, "NOT_AVAILABLE", "The process around the fence has nothing of the kind."),
            Self::ShuttingDown => (Is::SERVICE_UNAVAILABLE, "SHUTTING_DOWN", "The server drains and takes no further messages."),
        }
    }
}

/// An error a caller can read and a program can tell by its `code`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// The name of the status.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong, for programs.
    code: &'static str,
    /// What went wrong, for people: where, what was found and what was wanted.
    detail: String,
    /// What some codes have beside, such as the `report` of a publish.
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let title = code.status().canonical_reason().unwrap_or("Error");
        let (status, code) = (code.status().as_u16(), code.as_str());
        Self { title, status, code, detail: detail.into(), more: Map::new() }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// The same with something beside it.
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.to_owned(), value);
        self
    }

    /// What stands beside it under this key.
    pub(crate) fn beside(&self, key: &str) -> Option<&Value> {
        self.more.get(key)
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// What keeping it takes, in bytes; more or less.
    pub(crate) fn size(&self) -> usize {
        let of_one = |(key, value): (&String, &Value)| key.len() + value.to_string().len();
        self.detail.len() + self.more.iter().map(of_one).sum::<usize>()
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Why a body could not be read.
pub(crate) fn unread(why: &BytesRejection) -> Problem {
    let code = if why.status() == StatusCode::PAYLOAD_TOO_LARGE { Code::PayloadTooLarge } else { Code::BadRequest };
    Problem::new(code, why.body_text())
}

/// What an answer with a problem is.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code);
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::TOO_MANY_REQUESTS || code == Code::IdempotencyInFlight.as_str() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_and_named_as_it_is_written() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert_eq!(code.as_str().replace('_', "").to_ascii_lowercase(), format!("{code:?}").to_ascii_lowercase());
        }
    }

    #[test]
    fn what_stands_beside_a_problem_stands_in_it() {
        let problem = Problem::new(Code::QueueFull, "why").with("report", 7.into());
        let json = serde_json::to_value(&problem).expect("it is JSON");
        let wanted = serde_json::json!({
            "title": "Too Many Requests", "status": 429, "code": "QUEUE_FULL", "detail": "why", "report": 7,
        });
        assert_eq!(json, wanted);
    }
}
