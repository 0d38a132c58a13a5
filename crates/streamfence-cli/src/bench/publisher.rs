//! One connection that publishes: what is due, in as few requests as it takes to keep up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use streamfence_client::{Answer, Api};
use tokio::time::{Instant, sleep_until};

use super::load::Load;
use crate::exit::Failure;
use crate::remote::{failure, refusal};

/// The most bytes of a batch, about; the server takes twice as many.
const BATCH_BYTES: usize = 2 * 1024 * 1024;

pub(super) struct Publisher {
    pub(super) load: Load,
    pub(super) api: Api,
    pub(super) begin: Instant,
}

/// What a batch is answered.
#[derive(Deserialize)]
struct Batch {
    /// In the order of the messages: a report or a problem, and the status it would have had alone.
    results: Vec<Value>,
}

impl Publisher {
    /// Publishes until the time is over.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        while let Some((first, rest)) = self.next().await {
            // Just before the request, for all of them: from now on it is the server's time.
            let at = self.load.now_us();
            self.load.counts.request();
            if rest.is_empty() {
                let body = self.load.message(first, at).into();
                let answer = self.api.post_with("/v1/publish", body, &[], Duration::ZERO).await.map_err(failure)?;
                self.hear(&answer)?;
            } else {
                let messages: Vec<_> =
                    std::iter::once(first).chain(rest).map(|number| self.load.message(number, at)).collect();
                self.publish_together(&messages).await?;
            }
        }
        Ok(())
    }

    /// A message that nobody has taken on, once it is due, and those that are due by then; `None` at the end.
    async fn next(&self) -> Option<(u64, std::ops::Range<u64>)> {
        let Load { args, taken, .. } = &self.load;
        let first = taken.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_secs_f64(first as f64 / args.rate);
        if due >= args.duration {
            return None;
        }
        sleep_until(self.begin + due).await;
        let elapsed = self.begin.elapsed();
        // Whoever is late is late: what was not published in time is not published.
        if elapsed >= args.duration && elapsed > due {
            return None;
        }
        let due = (elapsed.as_secs_f64() * args.rate) as u64 + 1;
        let most = u64::from(args.batch).min((BATCH_BYTES / self.load.message_bytes()) as u64);
        let end = |taken: u64| due.min(taken + most.saturating_sub(1)).max(taken);
        let start = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| Some(end(taken)));
        let start = start.unwrap_or_else(|start| start);
        Some((first, start..end(start)))
    }

    async fn publish_together(&mut self, messages: &[String]) -> Result<(), Failure> {
        let body = format!(r#"{{"messages":[{}]}}"#, messages.join(","));
        let answer =
            self.api.post_with("/v1/publish/batch", body.into(), &[], Duration::ZERO).await.map_err(failure)?;
        if !answer.is_ok() {
            return Err(refusal(&answer));
        }
        for mut result in answer.read::<Batch>().map_err(failure)?.results {
            let status = result.as_object_mut().and_then(|result| result.remove("status"));
            let status = status.and_then(|status| u16::try_from(status.as_u64()?).ok()).unwrap_or_default();
            self.hear(&Answer { route: String::new(), status, body: result.to_string().into() })?;
        }
        Ok(())
    }

    /// Counts what became of a message.
    fn hear(&self, answer: &Answer) -> Result<(), Failure> {
        let counts = &self.load.counts;
        if answer.is_ok() {
            counts.report(&answer.json().map_err(failure)?);
            return Ok(());
        }
        match (refusal(answer), answer.status) {
            (Failure::Rejected(_), _) | (Failure::Other(_), 429) => counts.report(&json!({ "refused": 1 })),
            (why, _) => return Err(why),
        }
        Ok(())
    }
}
