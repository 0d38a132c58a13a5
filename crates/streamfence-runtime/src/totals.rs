//! What has become of the messages of each topic since the fence began, gathered once a tick. Never a label.

use std::sync::{Mutex, PoisonError};

use streamfence_core::{LaneSurvey, TopicId, TopicStats};

/// The totals of every topic of the catalog, by class.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<Vec<Total>>);

#[derive(Debug, Default)]
struct Total {
    stats: TopicStats,
    /// How the lanes stood on each shard when it last said so.
    surveys: Vec<LaneSurvey>,
}

impl Totals {
    /// Takes in what has happened to a topic on one shard.
    pub(crate) fn add(&self, topic: TopicId, since_last: &TopicStats) {
        self.with(topic, |total| total.stats += since_last);
    }

    /// Takes in how the lanes of a topic stand on one shard.
    pub(crate) fn survey(&self, shard: usize, topic: TopicId, survey: &LaneSurvey) {
        self.with(topic, |total| {
            if total.surveys.len() <= shard {
                total.surveys.resize_with(shard + 1, LaneSurvey::default);
            }
            total.surveys[shard] = *survey;
        });
    }

    /// Over all shards.
    pub(crate) fn of(&self, topic: TopicId) -> (TopicStats, LaneSurvey) {
        self.with(topic, |total| {
            let mut lanes = LaneSurvey::default();
            total.surveys.iter().for_each(|survey| lanes.merge(survey));
            (total.stats, lanes)
        })
    }

    fn with<T>(&self, topic: TopicId, work: impl FnOnce(&mut Total) -> T) -> T {
        // Whole after every statement, so a panic elsewhere leaves nothing half done.
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = topic.index as usize;
        if totals.len() <= index {
            totals.resize_with(index + 1, Total::default);
        }
        work(&mut totals[index])
    }
}
