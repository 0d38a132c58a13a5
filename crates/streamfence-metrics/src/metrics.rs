//! Keeps the totals an observer is told of and shows them to a scrape.
//!
//! Labels are the names of the catalog and closed enums, never what a client says. A shard comes by once per tick and
//! topic; nothing here runs once per message.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::UNIX_EPOCH;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::registry::Registry;
use streamfence_core::{
    Catalog, CloseReason, DELAY_BUCKETS_S, Event, HandshakeFailure, LaneSurvey, MemoryUse, Observer, RefusalReason,
    SlowCounts, SlowReason, SpillStats, StoreId, Tier, TopicId, TopicStats,
};

use crate::disk::Disk;
use crate::families::{FAMILIES, Family, PREFIX, Source, acks, overflows, spill_refusals, worst};

/// The metrics of one fence. Clones share the numbers. An application that has a registry of its own shows them there:
/// `examples/own_registry.rs`.
///
/// ```
/// use streamfence_core::{Catalog, Namespace};
/// use streamfence_metrics::Metrics;
///
/// let catalog = Catalog::builder().namespace(Namespace::new("/feed").topic("snapshot")).build()?;
/// let metrics = Metrics::new(&catalog);
/// assert!(metrics.encode().contains("streamfence_messages_published_total{namespace=\"/feed\",topic=\"snapshot\"} 0"));
/// # Ok::<(), streamfence_core::CatalogError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Metrics {
    totals: Arc<Totals>,
}

impl Metrics {
    /// Metrics of the topics of a catalog, all at zero.
    #[must_use]
    pub fn new(catalog: &Catalog) -> Self {
        let totals = Totals::default();
        totals.know(catalog);
        Self { totals: Arc::new(totals) }
    }

    /// The same, shown by a registry of the application's as well, under `streamfence_`.
    #[must_use]
    pub fn register(registry: &mut Registry, catalog: &Catalog) -> Self {
        let metrics = Self::new(catalog);
        metrics.show_in(registry);
        metrics
    }

    /// Calls a store by a name, such as its directory, in place of its number.
    pub fn name_store(&self, store: StoreId, name: &str) {
        self.totals.write().disks.entry(store).or_default().name = Some(name.into());
    }

    /// Asks this, with every scrape, how many spans were exported and how many were dropped so far.
    pub fn count_spans(&self, counts: impl Fn() -> [u64; 2] + Send + Sync + 'static) {
        // The first one stays: there is one export.
        let _ = self.totals.spans.set(SpanCounter(Box::new(counts)));
    }

    /// All of them as OpenMetrics text, and nothing of what else a registry may hold.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut registry = Registry::default();
        self.show_in(&mut registry);
        let mut page = String::new();
        text::encode(&mut page, &registry).expect("writing to a string cannot fail");
        page
    }

    fn show_in(&self, registry: &mut Registry) {
        registry.sub_registry_with_prefix(PREFIX).register_collector(Box::new(Arc::clone(&self.totals)));
    }
}

impl Observer for Metrics {
    fn on_reload(&self, catalog: &Catalog) {
        self.totals.know(catalog);
    }

    fn on_stats(&self, topic: TopicId, since_last: &TopicStats) {
        if let Some(topic) = self.totals.topic(topic) {
            topic.numbers().stats += since_last;
        }
    }

    fn on_survey(&self, shard: usize, topic: TopicId, survey: &LaneSurvey) {
        if let Some(known) = self.totals.topic(topic) {
            known.numbers().surveys.insert((shard, topic), *survey);
        }
    }

    fn on_memory(&self, memory: &MemoryUse) {
        self.totals.write().memory = *memory;
    }

    fn on_spill(&self, store: StoreId, stats: &SpillStats) {
        self.totals.write().disks.entry(store).or_default().stats = *stats;
    }

    fn on_links(&self, shard: usize, links: [u64; Tier::ALL.len()]) {
        self.totals.write().links.insert(shard, links);
    }

    fn on_slow(&self, shard: usize, namespace: &Arc<str>, slow: &SlowCounts) {
        if let Some(namespace) = self.totals.namespace(namespace) {
            namespace.slow().insert(shard, *slow);
        }
    }

    fn on_event(&self, event: &Event) {
        match event {
            Event::Connected { namespace, .. } => {
                if let Some(namespace) = self.totals.namespace(namespace) {
                    namespace.connected.fetch_add(1, Relaxed);
                }
            }
            Event::Disconnected { namespace, reason, .. } => {
                let index = CloseReason::ALL.iter().position(|known| known == reason);
                if let (Some(namespace), Some(index)) = (self.totals.namespace(namespace), index) {
                    namespace.disconnected[index].fetch_add(1, Relaxed);
                }
            }
            Event::AuthRejected { namespace, .. } => {
                if let Some(namespace) = self.totals.namespace(namespace) {
                    namespace.auth_rejected.fetch_add(1, Relaxed);
                }
            }
            Event::AuthRateLimited { namespace, .. } => {
                if let Some(namespace) = self.totals.namespace(namespace) {
                    namespace.auth_rate_limited.fetch_add(1, Relaxed);
                }
            }
            Event::HandshakeFailed { reason, .. } => {
                if let Some(index) = HandshakeFailure::ALL.iter().position(|known| known == reason) {
                    self.totals.handshakes_failed[index].fetch_add(1, Relaxed);
                }
            }
            Event::Refused { reason, count, .. } => {
                if let Some(index) = RefusalReason::ALL.iter().position(|known| known == reason) {
                    self.totals.refused[index].fetch_add(*count, Relaxed);
                }
            }
            Event::TlsLoaded { server, expires } => {
                let expires = expires.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                self.totals.write().certificates.insert(server.clone(), expires);
                self.totals.count_certificate(server, 0);
            }
            Event::TlsReloadRefused { server, .. } => self.totals.count_certificate(server, 1),
            Event::Reloaded => self.totals.count_reload(true),
            Event::ReloadRefused { .. } => self.totals.count_reload(false),
            Event::SessionDetached { namespace, .. } => self.count_session(namespace, 0),
            Event::SessionResumed { namespace, .. } => self.count_session(namespace, 1),
            Event::SessionExpired { namespace, .. } => self.count_session(namespace, 2),
            _ => {}
        }
    }
}

impl Metrics {
    fn count_session(&self, namespace: &str, outcome: usize) {
        if let Some(namespace) = self.totals.namespace(namespace) {
            namespace.sessions[outcome].fetch_add(1, Relaxed);
        }
    }
}

/// What becomes of certificate and key that are read.
const CERTIFICATE_OUTCOMES: [&str; 2] = ["loaded", "refused"];
/// What becomes of a session whose connection was lost.
const SESSION_OUTCOMES: [&str; 3] = ["detached", "resumed", "expired"];

#[derive(Debug, Default)]
struct Totals {
    known: RwLock<Known>,
    /// In the order of [`HandshakeFailure::ALL`].
    handshakes_failed: [AtomicU64; HandshakeFailure::ALL.len()],
    /// In the order of [`RefusalReason::ALL`].
    refused: [AtomicU64; RefusalReason::ALL.len()],
    reloads: Mutex<Reloads>,
    spans: OnceLock<SpanCounter>,
}

/// What knows how many spans there were, in the order of [`SPAN_OUTCOMES`].
struct SpanCounter(Box<dyn Fn() -> [u64; 2] + Send + Sync>);

impl fmt::Debug for SpanCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SpanCounter").field(&(self.0)()).finish()
    }
}

/// What becomes of spans.
const SPAN_OUTCOMES: [&str; 2] = ["exported", "dropped"];

/// What became of configurations that were read again.
#[derive(Clone, Copy, Debug, Default)]
struct Reloads {
    applied: u64,
    refused: u64,
    /// What became of the last one.
    is_last_refused: bool,
}

/// What there is to count. It only grows: what a reload took away keeps its totals.
#[derive(Clone, Debug, Default)]
struct Known {
    /// In the order of the catalog.
    namespaces: Vec<Arc<Namespace>>,
    /// By class: topics made from one pattern share a series.
    topics: Vec<Arc<Topic>>,
    /// What each shard said last.
    links: BTreeMap<usize, [u64; Tier::ALL.len()]>,
    /// As it was told last; all zero without a budget.
    memory: MemoryUse,
    /// When the certificate of each server that has one expires, in Unix seconds, by the server's name.
    certificates: BTreeMap<Arc<str>, u64>,
    /// How often each server has loaded one, and refused one.
    certificate_loads: BTreeMap<Arc<str>, [u64; CERTIFICATE_OUTCOMES.len()]>,
    /// What there is on disk.
    disks: BTreeMap<StoreId, Disk>,
}

#[derive(Debug, Default)]
struct Namespace {
    path: Arc<str>,
    connected: AtomicU64,
    /// In the order of [`CloseReason::ALL`].
    disconnected: [AtomicU64; CloseReason::ALL.len()],
    /// Refusals for want of a good token, and those by which nobody looked.
    auth_rejected: AtomicU64,
    auth_rate_limited: AtomicU64,
    /// Clients that are slow, as each shard said last.
    slow: Mutex<BTreeMap<usize, SlowCounts>>,
    /// In the order of [`SESSION_OUTCOMES`].
    sessions: [AtomicU64; SESSION_OUTCOMES.len()],
}

#[derive(Debug)]
struct Topic {
    path: Arc<str>,
    name: Arc<str>,
    numbers: Mutex<Numbers>,
}

#[derive(Clone, Debug, Default)]
struct Numbers {
    stats: TopicStats,
    /// What each shard said last.
    surveys: BTreeMap<(usize, TopicId), LaneSurvey>,
}

impl Topic {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        // Numbers are whole after every statement, so a panic elsewhere leaves nothing half done.
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Totals {
    /// Counts from now on for everything that is in the catalog, which follows the last one.
    fn know(&self, catalog: &Catalog) {
        let mut known = self.write();
        for (_, entry) in catalog.namespaces().skip(known.namespaces.len()) {
            known.namespaces.push(Arc::new(Namespace { path: entry.path.clone(), ..Namespace::default() }));
        }
        for topic in catalog.topics().skip(known.topics.len()) {
            let class = catalog.class(topic);
            let (path, name) = (class.path.clone(), class.name.clone());
            known.topics.push(Arc::new(Topic { path, name, numbers: Mutex::default() }));
        }
    }

    fn count_certificate(&self, server: &Arc<str>, outcome: usize) {
        self.write().certificate_loads.entry(Arc::clone(server)).or_default()[outcome] += 1;
    }

    fn count_reload(&self, is_applied: bool) {
        let mut reloads = self.reloads();
        if is_applied {
            reloads.applied += 1;
        } else {
            reloads.refused += 1;
        }
        reloads.is_last_refused = !is_applied;
    }

    fn reloads(&self) -> MutexGuard<'_, Reloads> {
        self.reloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Known {
        self.read().clone()
    }

    fn topic(&self, id: TopicId) -> Option<Arc<Topic>> {
        self.read().topics.get(id.index as usize).cloned()
    }

    fn namespace(&self, path: &str) -> Option<Arc<Namespace>> {
        self.read().namespaces.iter().find(|namespace| &*namespace.path == path).cloned()
    }
}

impl Collector for Totals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Taken once per scrape, so that the families of a topic agree with each other.
        let known = self.known();
        let reloads = *self.reloads();
        let numbers: Vec<Numbers> = known.topics.iter().map(|topic| topic.numbers().clone()).collect();
        for family in FAMILIES {
            let mut metric = encoder.encode_descriptor(
                family.name,
                &family.plain_help(),
                family.unit.as_ref(),
                family.metric_type(),
            )?;
            match family.source {
                Source::Memory(level) => metric.encode_gauge(&level(&known.memory))?,
                Source::HandshakesFailed => {
                    for (reason, count) in HandshakeFailure::ALL.into_iter().zip(&self.handshakes_failed) {
                        counter(&mut metric, &[("reason", reason.as_str())], count.load(Relaxed))?;
                    }
                }
                Source::Refused => {
                    for (reason, count) in RefusalReason::ALL.into_iter().zip(&self.refused) {
                        counter(&mut metric, &[("reason", reason.as_str())], count.load(Relaxed))?;
                    }
                }
                Source::CertificateExpiry => {
                    for (server, expires) in &known.certificates {
                        metric.encode_family(&[("server", &**server)])?.encode_gauge(expires)?;
                    }
                }
                Source::CertificateLoads => {
                    for (server, loads) in &known.certificate_loads {
                        for (outcome, count) in CERTIFICATE_OUTCOMES.into_iter().zip(loads) {
                            counter(&mut metric, &[("server", &**server), ("outcome", outcome)], *count)?;
                        }
                    }
                }
                Source::ConfigReloads => {
                    counter(&mut metric, &[("outcome", "applied")], reloads.applied)?;
                    counter(&mut metric, &[("outcome", "refused")], reloads.refused)?;
                }
                Source::ConfigReloaded => metric.encode_gauge(&u64::from(!reloads.is_last_refused))?,
                Source::ConfigGeneration => metric.encode_gauge(&(1 + reloads.applied))?,
                Source::Links => {
                    for (index, tier) in Tier::ALL.into_iter().enumerate() {
                        let links: u64 = known.links.values().map(|links| links[index]).sum();
                        metric.encode_family(&[("tier", tier.as_str())])?.encode_gauge(&links)?;
                    }
                }
                Source::StoreLevel(_) | Source::StoreTotal(_) | Source::StoreTimes => {
                    for (store, disk) in &known.disks {
                        disk.encode(*store, family, &mut metric)?;
                    }
                }
                Source::Spans => {
                    let counts = self.spans.get().map_or([0; 2], |spans| (spans.0)());
                    for (outcome, count) in SPAN_OUTCOMES.into_iter().zip(counts) {
                        counter(&mut metric, &[("outcome", outcome)], count)?;
                    }
                }
                Source::Build => metric.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?,
                Source::Connected
                | Source::Disconnected
                | Source::Active
                | Source::SlowClients
                | Source::Sessions
                | Source::AuthRejected
                | Source::AuthRateLimited => {
                    for namespace in &known.namespaces {
                        namespace.encode(family, &mut metric)?;
                    }
                }
                _ => {
                    for (topic, numbers) in known.topics.iter().zip(&numbers) {
                        topic.encode(numbers, family, &mut metric)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Namespace {
    fn slow(&self) -> MutexGuard<'_, BTreeMap<usize, SlowCounts>> {
        // Whole after every statement, so a panic elsewhere leaves nothing half done.
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn encode(&self, family: &Family, metric: &mut MetricEncoder<'_>) -> fmt::Result {
        let labels = [("namespace", &*self.path)];
        let disconnected = self.disconnected.each_ref().map(|count| count.load(Relaxed));
        match family.source {
            Source::Connected => counter(metric, &labels, self.connected.load(Relaxed)),
            Source::AuthRejected => counter(metric, &labels, self.auth_rejected.load(Relaxed)),
            Source::AuthRateLimited => counter(metric, &labels, self.auth_rate_limited.load(Relaxed)),
            Source::Disconnected => {
                for (reason, count) in CloseReason::ALL.into_iter().zip(disconnected) {
                    counter(metric, &[labels[0], ("reason", reason.as_str())], count)?;
                }
                Ok(())
            }
            Source::Sessions => SESSION_OUTCOMES.into_iter().zip(&self.sessions).try_for_each(|(outcome, count)| {
                counter(metric, &[labels[0], ("outcome", outcome)], count.load(Relaxed))
            }),
            Source::Active => {
                // A client may leave between the two readings: none is the fewest there can be.
                let active = self.connected.load(Relaxed).saturating_sub(disconnected.iter().sum());
                metric.encode_family(&labels)?.encode_gauge(&active)
            }
            Source::SlowClients => {
                let shards = self.slow();
                SlowReason::ALL.into_iter().enumerate().try_for_each(|(index, reason)| {
                    let slow: u64 = shards.values().map(|slow| slow[index]).sum();
                    metric.encode_family(&[labels[0], ("reason", reason.as_str())])?.encode_gauge(&slow)
                })
            }
            _ => Ok(()),
        }
    }
}

impl Topic {
    fn encode(&self, numbers: &Numbers, family: &Family, metric: &mut MetricEncoder<'_>) -> fmt::Result {
        let labels = [("namespace", &*self.path), ("topic", &*self.name)];
        let [namespace, topic] = labels;
        match family.source {
            Source::Stats(total) => counter(metric, &labels, total(&numbers.stats)),
            Source::Overflow => overflows(&numbers.stats)
                .into_iter()
                .try_for_each(|(reason, count)| counter(metric, &[namespace, topic, ("reason", reason)], count)),
            Source::SpillRefused => spill_refusals(&numbers.stats)
                .try_for_each(|(reason, count)| counter(metric, &[namespace, topic, ("reason", reason)], count)),
            Source::Delay(of) => {
                let delays = of(&numbers.stats);
                histogram(metric, &labels, &DELAY_BUCKETS_S, &delays.counts, delays.sum_us)
            }
            Source::Acks => acks(&numbers.stats)
                .try_for_each(|(outcome, count)| counter(metric, &[namespace, topic, ("outcome", outcome)], count)),
            Source::Survey(level) => {
                metric.encode_family(&labels)?.encode_gauge(&level(&worst(numbers.surveys.values())))
            }
            Source::Age => {
                let oldest = worst(numbers.surveys.values()).oldest;
                metric.encode_family(&labels)?.encode_gauge(&oldest.as_secs_f64())
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn counter<const N: usize>(
    metric: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    count: u64,
) -> fmt::Result {
    metric.encode_family(labels)?.encode_counter::<[(&str, &str); 0], u64, u64>(&count, None)
}

/// Shows how often something took how long: by the ends of the buckets, one more for what took longer, and in all.
pub(crate) fn histogram<const N: usize>(
    metric: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    ends: &[f64],
    counts: &[u64],
    sum_us: u64,
) -> fmt::Result {
    let ends = ends.iter().copied().chain([f64::INFINITY]);
    let buckets: Vec<_> = ends.zip(counts.iter().copied()).collect();
    let (seconds, count) = (sum_us as f64 / 1e6, counts.iter().sum());
    metric.encode_family(labels)?.encode_histogram::<[(&str, &str); 0]>(seconds, count, &buckets, None)
}
