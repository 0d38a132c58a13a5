//! `POST /v1/publish/stream`: messages line by line for as long as it lasts, and a line of answer to each.
//!
//! Whoever does not read the answers is not read from: nothing waits here but one line and a few answers.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use streamfence_runtime::{Fence, TraceContext};
use tokio::sync::OwnedSemaphorePermit;

use super::idempotency::HEADER;
use super::request::PublishRequest;
use super::{refuse_unless, trace};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};

/// JSON, a value a line.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// How many streams there may be at once.
pub(crate) const MOST_STREAMS: usize = 256;
/// The most bytes of a line.
const MAX_LINE_BYTES: usize = 1024 * 1024;
/// How many bytes of answers are written at once, while lines are there already.
const ANSWERS_AT_ONCE: usize = 16 * 1024;
/// How often a stream that is silent looks whether the server drains.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn publish(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    refuse_unless(&headers, NDJSON)?;
    if headers.contains_key(HEADER) {
        return Err(Problem::bad_request("a stream has no idempotency key; wanted an `id` in each line"));
    }
    let place = api.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Code::LimitExceeded, format!("{MOST_STREAMS} streams are the most there may be at once"))
    })?;
    let lines = Lines { body: body.into_data_stream(), read: BytesMut::new(), is_over: false };
    let publishing =
        Publishing { api, caller, trace: trace::of_headers(&headers), lines, is_over: false, _place: place };
    let answers = stream::unfold(publishing, |mut publishing| async move {
        let answers = publishing.next().await?;
        Some((Ok::<_, std::convert::Infallible>(answers), publishing))
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(answers)).into_response())
}

/// A stream that lasts.
struct Publishing {
    api: Api,
    caller: Caller,
    /// What the request says, for lines that say nothing of a trace.
    trace: Option<TraceContext>,
    lines: Lines,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

impl Publishing {
    /// The next answers: at least one, and as many as there are lines for without waiting. `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let mut answers = BytesMut::new();
        while !self.is_over && answers.len() < ANSWERS_AT_ONCE {
            let line = match self.lines.at_hand() {
                Some(line) => line,
                None if !answers.is_empty() => break,
                None => match self.wait().await {
                    Some(line) => line,
                    None => break,
                },
            };
            let answer = match line {
                Ok(line) if line.trim_ascii().is_empty() => continue,
                Ok(line) => self.publish(&line).await,
                Err(problem) => self.end(&problem),
            };
            answers.extend_from_slice(&answer);
            answers.extend_from_slice(b"\n");
        }
        (!answers.is_empty()).then(|| answers.freeze())
    }

    /// The next line, or why there is none any more.
    async fn wait(&mut self) -> Option<Result<BytesMut, Problem>> {
        tokio::select! {
            // Whoever writes without a pause is told too.
            biased;
            problem = self.caller.revoked(Scope::Publish) => Some(Err(problem)),
            () = closing(&self.api.fence) => {
                Some(Err(Problem::new(Code::ShuttingDown, "the server drains; the stream ends here")))
            }
            line = self.lines.next() => line,
        }
    }

    async fn publish(&mut self, line: &[u8]) -> Vec<u8> {
        // A stream outlives reloads: a key that was taken away opens nothing more.
        match self.caller.renewed(Scope::Publish) {
            Ok(caller) => self.caller = caller,
            Err(problem) => return self.end(&problem),
        }
        let answer = PublishRequest::carry_out_entry(line, self.trace.as_ref(), &self.api, &self.caller).await;
        self.is_over |= self.api.fence.is_closing();
        answer.entry()
    }

    /// Says why nothing more is read.
    fn end(&mut self, problem: &Problem) -> Vec<u8> {
        self.is_over = true;
        serde_json::to_vec(problem).unwrap_or_default()
    }
}

/// Waits until the fence takes no more messages. It does not tell, so that it is asked now and then.
async fn closing(fence: &Fence) {
    let mut moments = tokio::time::interval(LOOK_EVERY);
    while !fence.is_closing() {
        moments.tick().await;
    }
}

/// A body, line by line.
struct Lines {
    body: BodyDataStream,
    /// What is read of it and no line yet, or several.
    read: BytesMut,
    /// Whether there is nothing more to read.
    is_over: bool,
}

impl Lines {
    /// The next line that is here already.
    fn at_hand(&mut self) -> Option<Result<BytesMut, Problem>> {
        let length = self.read.iter().position(|byte| *byte == b'\n');
        if length.unwrap_or(self.read.len()) > MAX_LINE_BYTES {
            let detail = format!("a line is longer than {MAX_LINE_BYTES} bytes; the stream ends here");
            return Some(Err(Problem::new(Code::PayloadTooLarge, detail)));
        }
        let mut line = self.read.split_to(length? + 1);
        line.truncate(line.len() - 1);
        Some(Ok(line))
    }

    /// The next line; the last one need not end.
    async fn next(&mut self) -> Option<Result<BytesMut, Problem>> {
        loop {
            if let Some(line) = self.at_hand() {
                return Some(line);
            }
            if self.is_over {
                return (!self.read.is_empty()).then(|| Ok(std::mem::take(&mut self.read)));
            }
            match self.body.next().await {
                Some(Ok(more)) => self.read.extend_from_slice(&more),
                // It was cut: what is there of a line is none.
                Some(Err(_)) => {
                    self.read.clear();
                    self.is_over = true;
                }
                None => self.is_over = true,
            }
        }
    }
}
