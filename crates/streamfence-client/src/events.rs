//! What happens at a server, as it happens.

use std::collections::VecDeque;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::error::ClientError;
use crate::sse::{Reader, Told};

/// What happens at a server, as it happens.
#[derive(Debug)]
pub struct Events {
    target: String,
    body: Incoming,
    reader: Reader,
    /// Told and not yet asked for: what came with one read.
    told: VecDeque<Told>,
}

impl Events {
    pub(crate) fn new(target: String, body: Incoming) -> Self {
        Self { target, body, reader: Reader::default(), told: VecDeque::new() }
    }

    /// The next thing that happens; `None` when the server has said that there is no more. Nothing is lost when this is
    /// dropped before it is done.
    ///
    /// # Errors
    /// The connection ended, or what comes is no event.
    pub async fn next(&mut self) -> Result<Option<Told>, ClientError> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(Some(told));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let lost = |why: String| ClientError::Lost { target: self.target.clone(), why };
            let Ok(bytes) = frame.map_err(|why| lost(why.to_string()))?.into_data() else { continue };
            self.told.extend(self.reader.take(&bytes).map_err(|_too_long| lost("an event of over 1 MiB".to_owned()))?);
        }
    }
}
