//! What a publish is answered, as it is kept for whoever asks again.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::report::Report;
use crate::problem::{Code, Problem};
use crate::route::JSON;

/// An answer that may be given again.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) body: AnswerBody,
    /// Whether clients have got something of it, so that doing it again would be doing it twice.
    pub(crate) is_final: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum AnswerBody {
    /// The status, and JSON.
    Fine(StatusCode, Bytes),
    Problem(Problem),
}

impl Answer {
    /// Something was done.
    pub(super) fn done(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => Self { body: AnswerBody::Fine(status, json.into()), is_final: true },
            Err(why) => Problem::new(Code::Internal, format!("the answer is no JSON: {why}")).into(),
        }
    }

    /// The same, to be kept only if clients have got something of it.
    pub(super) fn kept_if(mut self, is_final: bool) -> Self {
        self.is_final &= is_final;
        self
    }

    /// One entry of several: what it would be alone, with its status.
    pub(super) fn entry(&self) -> Vec<u8> {
        match &self.body {
            AnswerBody::Problem(problem) => serde_json::to_vec(problem).unwrap_or_else(|_| b"{}".to_vec()),
            AnswerBody::Fine(status, json) => {
                let mut entry = format!("{{\"status\":{},", status.as_u16()).into_bytes();
                entry.extend_from_slice(json.strip_prefix(b"{").unwrap_or(json));
                entry
            }
        }
    }

    /// What keeping it takes, in bytes; more or less.
    pub(crate) fn size(&self) -> usize {
        match &self.body {
            AnswerBody::Fine(_, json) => json.len(),
            AnswerBody::Problem(problem) => problem.size(),
        }
    }

    /// The answer to whoever asks again. It will be the same the next time: there is nothing to try later for.
    pub(crate) fn replayed(self) -> Response {
        let mut response = self.into_response();
        response.headers_mut().remove(header::RETRY_AFTER);
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        // Of all problems this one alone may come after others have the message; if nobody has it, nothing was done.
        let admitted = problem.beside("report").and_then(|report| report["admitted"].as_u64());
        let is_final = problem.code() == Code::QueueFull.as_str() && admitted != Some(0);
        Self { body: AnswerBody::Problem(problem), is_final }
    }
}

impl From<Result<Report, Problem>> for Answer {
    fn from(outcome: Result<Report, Problem>) -> Self {
        match outcome {
            Ok(report) => Self::done(report.status(), &report),
            Err(problem) => problem.into(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self.body {
            AnswerBody::Fine(status, json) => (status, [(header::CONTENT_TYPE, JSON)], json).into_response(),
            AnswerBody::Problem(problem) => problem.into_response(),
        }
    }
}
