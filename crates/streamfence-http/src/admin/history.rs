//! `GET /admin/v1/history`: the last minutes, a sample a second, so that whoever comes sees how it came to this.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use streamfence_core::TopicStats;
use streamfence_runtime::Fence;
use tokio::time::MissedTickBehavior;

use super::dead_letters::millis;
use super::query::{Nothing, Params};
use super::totals::Totals;
use crate::api::Api;
use crate::keys::Scope;
use crate::problem::Code;
use crate::route::Route;

/// How many samples are kept; older ones are forgotten.
const SAMPLES: usize = 300;
const INTERVAL: Duration = Duration::from_secs(1);

/// The last samples, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Sample>>);

/// How it stood at one moment. Totals are since the fence began: two samples make a rate.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sample {
    /// In milliseconds since 1970.
    at: u64,
    connections: u64,
    sessions: u64,
    /// Clients that stay behind.
    slow: u64,
    lanes: u64,
    /// Messages in all lanes, those on disk included.
    queued: u64,
    memory_used_bytes: u64,
    totals: Totals,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recent {
    /// How far samples lie apart, about.
    interval_ms: u64,
    /// The oldest first.
    samples: Vec<Sample>,
}

pub(super) fn route() -> Route {
    Route::get("/admin/v1/history", history, "The last five minutes, a sample a second")
        .needs(Scope::Read)
        .answers::<Recent>(StatusCode::OK, "What was kept; nothing where the application keeps none.")
        .fails([Code::BadRequest])
}

async fn history(State(api): State<Api>, Params(Nothing {}): Params<Nothing>) -> Json<Recent> {
    Json(Recent { interval_ms: INTERVAL.as_millis() as u64, samples: api.history.samples() })
}

impl History {
    /// Takes a sample a second, for as long as somebody has this.
    ///
    /// What it shows of messages is what the shards told with their last tick, once a second too: nobody walks a lane for it.
    pub(crate) fn keep(self: &Arc<Self>, fence: Fence) {
        let history = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            // A late sample is no reason for two at once.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let sample = Sample::of(&fence).await;
                let Some(history) = history.upgrade() else { return };
                history.push(sample);
            }
        });
    }

    fn push(&self, sample: Sample) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn samples(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Sample {
    async fn of(fence: &Fence) -> Self {
        let (topics, counts) = (fence.topics_at_tick(), fence.counts().await);
        let totals: TopicStats = topics.iter().map(|topic| &topic.totals).sum();
        Self {
            at: millis(SystemTime::now()),
            connections: counts.connections,
            sessions: counts.sessions,
            slow: counts.slow,
            lanes: topics.iter().map(|topic| topic.lanes.lanes).sum(),
            queued: totals.resident(),
            memory_used_bytes: fence.memory().map_or(0, |memory| memory.used_bytes),
            totals: Totals::from(&totals),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use streamfence_core::{LaneSurvey, Observer, TopicId};
    use streamfence_runtime::{Namespace, Payload};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sample_a_second_is_kept_for_five_minutes_and_no_longer() {
        let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).build().expect("it is sound");
        let history = Arc::new(History::default());
        history.keep(fence.clone());
        tokio::time::sleep(INTERVAL * 3 / 2).await;
        assert_eq!(history.samples().len(), 2, "at once, and after a second");
        fence.publish("/feed", "tick", Payload::raw_json("1").expect("it is JSON")).await.expect("it is taken");
        tokio::time::sleep(INTERVAL * 2).await;
        let published: Vec<_> = history.samples().iter().map(|sample| sample.totals.published).collect();
        assert_eq!((published.len(), &published[..2], published[3]), (4, &[0, 0][..], 1), "as the last tick told");
        tokio::time::sleep(INTERVAL * 400).await;
        assert_eq!(history.samples().len(), SAMPLES);
    }

    /// Counts how often lanes were walked.
    #[derive(Default)]
    struct Walks(AtomicU64);

    impl Observer for Walks {
        fn on_survey(&self, _: usize, _: TopicId, _: &LaneSurvey) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_walks_the_lanes_for_it_but_the_tick_of_the_shard() {
        let walks = Arc::new(Walks::default());
        let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).shards(1);
        let fence = fence.observer(walks.clone()).build().expect("it is sound");
        let history = Arc::new(History::default());
        history.keep(fence.clone());
        tokio::time::sleep(INTERVAL * 10).await;
        assert!(history.samples().len() >= 10);
        let walked = walks.0.load(Ordering::Relaxed);
        assert!((9..=11).contains(&walked), "once a second, and not twice: {walked}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_whoever_wanted_it() {
        let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).build().expect("it is sound");
        let history = Arc::new(History::default());
        history.keep(fence);
        let kept = Arc::downgrade(&history);
        drop(history);
        tokio::time::sleep(INTERVAL * 2).await;
        assert!(kept.upgrade().is_none());
    }
}
