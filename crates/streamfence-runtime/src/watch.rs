//! Everyone who wants to know, told from one place: observers at once, listeners on tasks of their own.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use streamfence_core::{
    Catalog, Event, LaneSurvey, MemoryUse, Observer, SlowCounts, SpillHealth, SpillStats, StoreId, Tier, TopicId,
    TopicStats,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::events::{Events, Telling};
use crate::listener::Listener;
use crate::totals::Totals;

/// How many events may wait for a listener; then it misses some, and the log says how many.
const LISTENER_SLOTS: usize = 1_024;

/// How often it says so at most.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// The observers and listeners of a fence.
#[derive(Default)]
pub(crate) struct Watchers {
    observers: Vec<Arc<dyn Observer>>,
    totals: Totals,
    telling: Telling,
    listeners: RwLock<Vec<Subscription>>,
    /// Who serves what the catalog has; gone with its adapter.
    reload_hooks: RwLock<Vec<Weak<ReloadHook>>>,
    /// How each store stood when it was told last: all shards hear of it, and it is told once.
    store_health: Mutex<BTreeMap<StoreId, SpillHealth>>,
}

/// What an adapter does when there is another catalog.
type ReloadHook = dyn Fn(&Catalog) + Send + Sync;

struct Subscription {
    events: mpsc::Sender<Event>,
    missed: Arc<AtomicU64>,
}

/// A listener, and what it has not heard yet. When the runtime ends and drops its tasks, it hears that.
struct Hearing {
    listener: Arc<dyn Listener>,
    inbox: mpsc::Receiver<Event>,
}

impl Hearing {
    fn hear(&self, event: &Event) {
        if catch_unwind(AssertUnwindSafe(|| self.listener.hear(event))).is_err() {
            tracing::error!(code = "listener_panicked", ?event, "a listener panicked and missed this event");
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.inbox.close();
        while let Ok(event) = self.inbox.try_recv() {
            self.hear(&event);
        }
    }
}

impl Watchers {
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self { observers, ..Self::default() }
    }

    /// Gives a listener a task of its own. A listener that panics is logged and goes on with the next event.
    pub(crate) fn add_listener(&self, listener: Arc<dyn Listener>) {
        let (events, inbox) = mpsc::channel::<Event>(LISTENER_SLOTS);
        let missed = Arc::new(AtomicU64::new(0));
        let mut hearing = Hearing { listener, inbox };
        let missed_there = missed.clone();
        tokio::spawn(async move {
            let mut told: Option<Instant> = None;
            while let Some(event) = hearing.inbox.recv().await {
                hearing.hear(&event);
                // At most once a second: who misses some misses many.
                if told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
                    continue;
                }
                let missed = missed_there.swap(0, Ordering::Relaxed);
                if missed > 0 {
                    told = Some(Instant::now());
                    tracing::warn!(code = "listener_slow", missed, "a listener was too slow and missed events");
                }
            }
        });
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Subscription { events, missed });
    }

    pub(crate) fn event(&self, event: &Event) {
        if let Event::SpillHealthChanged { store, health } = event {
            let mut known = self.store_health.lock().unwrap_or_else(PoisonError::into_inner);
            if known.insert(*store, *health).unwrap_or(SpillHealth::Healthy) == *health {
                return;
            }
        }
        for observer in &self.observers {
            observer.on_event(event);
        }
        self.telling.tell(event);
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if listener.events.try_send(event.clone()).is_err() {
                listener.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn read_along(&self) -> Events {
        self.telling.read_along()
    }

    pub(crate) fn reload(&self, catalog: &Catalog) {
        for observer in &self.observers {
            observer.on_reload(catalog);
        }
        let hooks: Vec<_> = {
            let mut hooks = self.reload_hooks.write().unwrap_or_else(PoisonError::into_inner);
            hooks.retain(|hook| hook.strong_count() > 0);
            hooks.iter().filter_map(Weak::upgrade).collect()
        };
        for hook in hooks {
            hook(catalog);
        }
    }

    pub(crate) fn on_reload(&self, hook: Weak<ReloadHook>) {
        self.reload_hooks.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// What has become of all messages of a topic, and how its lanes stand, as far as the shards have said.
    pub(crate) fn totals(&self, topic: TopicId) -> (TopicStats, LaneSurvey) {
        self.totals.of(topic)
    }

    pub(crate) fn stats(&self, topic: TopicId, since_last: &TopicStats) {
        self.totals.add(topic, since_last);
        for observer in &self.observers {
            observer.on_stats(topic, since_last);
        }
    }

    pub(crate) fn memory(&self, memory: &MemoryUse) {
        for observer in &self.observers {
            observer.on_memory(memory);
        }
    }

    pub(crate) fn spill(&self, store: StoreId, stats: &SpillStats) {
        for observer in &self.observers {
            observer.on_spill(store, stats);
        }
    }

    pub(crate) fn slow(&self, shard: usize, namespace: &Arc<str>, slow: &SlowCounts) {
        for observer in &self.observers {
            observer.on_slow(shard, namespace, slow);
        }
    }

    pub(crate) fn links(&self, shard: usize, links: [u64; Tier::ALL.len()]) {
        for observer in &self.observers {
            observer.on_links(shard, links);
        }
    }

    pub(crate) fn survey(&self, shard: usize, topic: TopicId, survey: &LaneSurvey) {
        self.totals.survey(shard, topic, survey);
        for observer in &self.observers {
            observer.on_survey(shard, topic, survey);
        }
    }
}
