//! Every metric there is: name, help, unit, labels, and which number it shows.
//!
//! The one source of truth: the scrape walks this table, and the reference page is written from it.

use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use streamfence_core::{AckOutcome, Delays, LaneSurvey, MemoryUse, SpillRefusal, SpillStats, TopicStats};

use Source::{
    Acks, Active, Age, AuthRateLimited, AuthRejected, Build, CertificateExpiry, CertificateLoads, ConfigGeneration,
    ConfigReloaded, ConfigReloads, Connected, Delay, Disconnected, HandshakesFailed, Links, Memory, Overflow, Refused,
    Sessions, SlowClients, Spans, SpillRefused, Stats, StoreLevel, StoreTimes, StoreTotal, Survey,
};

/// What all names begin with.
pub(crate) const PREFIX: &str = "streamfence";

/// One family of metrics.
#[derive(Debug)]
pub struct Family {
    /// What stands between `streamfence_` and what [`Family::exposed_name`] adds.
    pub name: &'static str,
    /// What it counts, in one line of Markdown.
    pub help: &'static str,
    /// The unit, which ends the name.
    pub unit: Option<Unit>,
    pub(crate) source: Source,
}

/// Which number a family shows.
#[derive(Debug)]
pub(crate) enum Source {
    /// A total of a topic.
    Stats(fn(&TopicStats) -> u64),
    /// What a topic's full lanes did, by reason.
    Overflow,
    /// What a topic's lanes that spill refused, by reason.
    SpillRefused,
    /// A topic's acknowledgements, by outcome.
    Acks,
    /// How a topic's lanes stand now.
    Survey(fn(&LaneSurvey) -> u64),
    /// How long something of a topic took.
    Delay(fn(&TopicStats) -> &Delays),
    /// How old a topic's oldest message is.
    Age,
    /// Clients that joined a namespace.
    Connected,
    /// Clients that left it, by reason.
    Disconnected,
    /// Clients that are in it.
    Active,
    /// Those of them that are slow, by reason.
    SlowClients,
    /// Its sessions that survived a connection, by what became of them.
    Sessions,
    /// Clients that showed no good token where it takes one.
    AuthRejected,
    /// Tokens nobody looked at.
    AuthRateLimited,
    /// Connections that came to nothing for want of TLS, by reason.
    HandshakesFailed,
    /// What limits did not let in, by reason.
    Refused,
    /// When the certificate of a server expires.
    CertificateExpiry,
    /// How often one was taken up, or not, by outcome.
    CertificateLoads,
    /// How often the configuration was read again, by outcome.
    ConfigReloads,
    /// Whether it was taken the last time.
    ConfigReloaded,
    /// How many configurations there were.
    ConfigGeneration,
    /// Connections, by tier.
    Links,
    /// What the messages of all topics take.
    Memory(fn(&MemoryUse) -> u64),
    /// How a directory that lanes spill to stands.
    StoreLevel(fn(&SpillStats) -> u64),
    /// What it has done.
    StoreTotal(fn(&SpillStats) -> u64),
    /// How long its calls to the disk took, by operation.
    StoreTimes,
    /// What has become of spans, by outcome.
    Spans,
    /// What is running.
    Build,
}

impl Family {
    /// What it counts, without the links that [`Family::help`] has for the documentation: who scrapes cannot follow them.
    #[must_use]
    pub fn plain_help(&self) -> String {
        let mut plain = String::new();
        let mut rest = self.help;
        while let Some((before, link)) = rest.split_once('[') {
            let parts = link.split_once("](").and_then(|(text, target)| Some((text, target.split_once(')')?.1)));
            let Some((text, behind)) = parts else { break };
            plain.extend([before, text]);
            rest = behind;
        }
        plain + rest
    }

    /// The name as it is scraped.
    #[must_use]
    pub fn exposed_name(&self) -> String {
        let mut name = format!("{PREFIX}_{}", self.name);
        if let Some(unit) = &self.unit {
            name = format!("{name}_{}", unit.as_str());
        }
        match self.metric_type() {
            MetricType::Counter => name + "_total",
            MetricType::Info => name + "_info",
            _ => name,
        }
    }

    /// The labels of each of its series.
    #[must_use]
    pub fn labels(&self) -> &'static [&'static str] {
        match self.source {
            Stats(_) | Survey(_) | Delay(_) | Age => &["namespace", "topic"],
            Overflow | SpillRefused => &["namespace", "topic", "reason"],
            Acks => &["namespace", "topic", "outcome"],
            Connected | Active | AuthRejected | AuthRateLimited => &["namespace"],
            Disconnected | SlowClients => &["namespace", "reason"],
            Sessions => &["namespace", "outcome"],
            HandshakesFailed | Refused => &["reason"],
            CertificateExpiry => &["server"],
            CertificateLoads => &["server", "outcome"],
            ConfigReloads | Spans => &["outcome"],
            ConfigReloaded | ConfigGeneration => &[],
            Links => &["tier"],
            Memory(_) => &[],
            StoreLevel(_) | StoreTotal(_) => &["store"],
            StoreTimes => &["store", "operation"],
            Build => &["version"],
        }
    }

    pub(crate) fn metric_type(&self) -> MetricType {
        match self.source {
            Stats(_) | Overflow | SpillRefused | Acks | Connected | Disconnected | Sessions | AuthRejected
            | AuthRateLimited | Refused | HandshakesFailed | CertificateLoads | ConfigReloads | StoreTotal(_)
            | Spans => MetricType::Counter,
            Survey(_) | Age | Active | SlowClients | CertificateExpiry | ConfigReloaded | ConfigGeneration | Links
            | Memory(_) | StoreLevel(_) => MetricType::Gauge,
            Delay(_) | StoreTimes => MetricType::Histogram,
            Build => MetricType::Info,
        }
    }
}

const fn family(name: &'static str, source: Source, help: &'static str) -> Family {
    Family { name, help, unit: None, source }
}

const fn measured(name: &'static str, unit: Unit, source: Source, help: &'static str) -> Family {
    Family { name, help, unit: Some(unit), source }
}

/// Every family, in the order in which they are scraped.
#[rustfmt::skip]
pub static FAMILIES: &[Family] = &[
    family("connections", Connected, "Clients that joined a namespace."),
    family("disconnections", Disconnected, "Clients that left a namespace, by reason."),
    family("connections_active", Active, "Clients that are in a namespace."),
    family("links", Links, "Connections of fenced clients, by how messages reach them: `splice` below the websocket, `emit` by the Socket.IO library."),
    family("slow_clients", SlowClients, "Clients that stay behind, by what that is seen by ([slow-clients.md](slow-clients.md#what-slow-is)): those of the slow list, as counted within the last second."),
    family("sessions", Sessions, "Sessions that were kept for a client that lost its connection, by what became of them."),

    family("auth_rejected", AuthRejected, "Clients that showed no token where a namespace or topic wants one, or a wrong one."),
    family("auth_rate_limited", AuthRateLimited, "Tokens that nobody looked at, because too many wrong ones had come from the same address."),

    family("refused", Refused, "Connections, requests and wishes of clients that a limit did not let in, by which one ([limits.md](limits.md)); counted within a second."),
    family("tls_handshakes_failed", HandshakesFailed, "Connections that came to nothing because no TLS came about, by reason."),
    measured("tls_certificate_expiry_timestamp", Unit::Seconds, CertificateExpiry, "When the certificate of a server, by the name the file gives it, expires, in Unix time."),
    family("tls_certificate_loads", CertificateLoads, "How often a server has taken up certificate and key (`loaded`, with its start or a reload), or found them unusable and kept what it had (`refused`)."),

    family("config_reloads", ConfigReloads, "How often the configuration was read again, by outcome: `applied` as a whole, or `refused` as a whole."),
    family("config_last_reload_success", ConfigReloaded, "1 where the last reload was applied, or there was none; 0 where it was refused, and the configuration before it holds."),
    family("config_generation", ConfigGeneration, "Which configuration holds: 1 for that of the start, and one more with each reload that was applied."),

    family("messages_published", Stats(|s| s.published), "Messages published, whatever the number of clients."),
    measured("messages_published", Unit::Bytes, Stats(|s| s.published_bytes), "Bytes published, encoded."),
    family("messages_received", Stats(|s| s.received), "Messages taken from clients."),
    measured("messages_received", Unit::Bytes, Stats(|s| s.received_bytes), "Bytes taken from clients."),

    family("messages_delivered", Stats(|s| s.delivered), "Messages taken by a client's transport, or acked where an ack is wanted."),
    family("messages_dropped", Stats(TopicStats::dropped), "Messages lost to a client: displaced, rejected, too large, without memory, expired, lost on disk or given up after the last retry."),
    family("messages_expired", Stats(|s| s.expired), "Messages whose time was over before they could be sent, or acked."),
    family("messages_coalesced", Stats(|s| s.coalesced), "Queued messages replaced by a newer value."),
    family("messages_abandoned", Stats(|s| s.abandoned), "Messages queued or unacked when their client left."),
    family("queue_overflow", Overflow, "Messages that did not fit a client's lane, or the memory budget, by what became of them."),

    family("messages_spilled", Stats(|s| s.spilled), "Messages that a client's full lane has on disk, each counted once a client."),
    family("spill_refused", SpillRefused, "Messages for which a lane that spills had no place on disk either, by why; they are rejected messages, too."),
    family("messages_lost_on_disk", Stats(|s| s.lost_on_disk), "Messages that lay on disk and could not be read."),

    family("retries", Stats(|s| s.retries), "Messages sent again."),
    family("retries_exhausted", Stats(|s| s.exhausted), "Messages given up after the last retry."),
    family("dead_letters", Survey(|s| s.dead_letters), "Messages that were given up and are kept."),
    family("dead_letters_evicted", Stats(|s| s.dead_letters_evicted), "Messages that were kept and gave way to newer ones."),
    family("acks", Acks, "Acknowledgements, by what they did."),
    measured("publish_to_sent", Unit::Seconds, Delay(|s| &s.sent_after), "How long after they were published messages were first handed to a client's transport; without the last values a newcomer gets."),
    measured("sent_to_acked", Unit::Seconds, Delay(|s| &s.acked_after), "How long after that clients acked them, where an ack is wanted; retries are part of it."),

    family("lanes", Survey(|s| s.lanes), "Subscriptions."),
    family("spilled_lanes", Survey(|s| s.spilled_lanes), "Those of them that have more on disk than they have taken in."),
    family("spilled_messages", Survey(|s| s.spilled_messages), "Messages that lanes have there, each counted once a lane."),
    measured("spilled", Unit::Bytes, Survey(|s| s.spilled_bytes), "Their bytes, likewise: what is written once counts for each lane that needs it."),
    family("lane_depth_max", Survey(|s| s.depth_max), "The most messages one lane holds, queued and in flight."),
    family("lane_bytes_max", Survey(|s| s.bytes_max), "The most bytes one lane holds."),
    measured("oldest_message_age", Unit::Seconds, Age, "How long ago the oldest message still held was published."),

    measured("memory_budget", Unit::Bytes, Memory(|m| m.budget_bytes), "How much memory messages may take; 0 is no limit."),
    measured("memory_used", Unit::Bytes, Memory(|m| m.used_bytes), "How much of that they take: each message once, whatever the number of lanes that hold it, and each entry of a lane."),

    measured("spill", Unit::Bytes, StoreLevel(|s| s.bytes), "How much disk a directory that lanes spill to takes, written or kept for what comes."),
    family("spill_segments", StoreLevel(|s| s.segments), "How many segments lie in it."),
    measured("spill_written", Unit::Bytes, StoreTotal(|s| s.written_bytes), "Bytes written to it, framing and all."),
    family("spill_refills", StoreTotal(|s| s.refills), "How often something was read back from it."),
    family("spill_refills_cached", StoreTotal(|s| s.cached_refills), "Of those, how often without a call to the disk."),
    family("spill_failures", StoreTotal(|s| s.failures), "How often a call to the disk failed."),
    family("spill_damaged_blocks", StoreTotal(|s| s.damaged_blocks), "Blocks that could not be read as they were written; what lay in them is lost."),
    measured("spill_io", Unit::Seconds, StoreTimes, "How long calls to the disk took, by operation: `write`, `read`."),

    family("trace_spans", Spans, "Spans of OpenTelemetry traces, by what became of them: `exported` to the collector, or `dropped` because too many waited or the collector did not take them ([tracing.md](tracing.md))."),

    family("build", Build, "The version that is running."),
];

/// What became of messages that did not fit: a closed set, because it is a label.
pub(crate) fn overflows(stats: &TopicStats) -> [(&'static str, u64); 4] {
    [
        ("displaced", stats.displaced),
        ("rejected", stats.rejected),
        ("too_large", stats.too_large),
        ("budget", stats.over_budget),
    ]
}

/// Why messages had no place on disk.
pub(crate) fn spill_refusals(stats: &TopicStats) -> impl Iterator<Item = (&'static str, u64)> {
    SpillRefusal::ALL.into_iter().map(SpillRefusal::as_str).zip(stats.spill_refusals)
}

pub(crate) fn acks(stats: &TopicStats) -> impl Iterator<Item = (&'static str, u64)> {
    AckOutcome::ALL.into_iter().map(AckOutcome::as_str).zip(stats.acks)
}

/// How the lanes of a topic stand over all shards: numbers are sums, everything else is the worst of them.
pub(crate) fn worst<'a>(surveys: impl Iterator<Item = &'a LaneSurvey>) -> LaneSurvey {
    surveys.fold(LaneSurvey::default(), |all, shard| LaneSurvey {
        lanes: all.lanes + shard.lanes,
        depth_max: all.depth_max.max(shard.depth_max),
        bytes_max: all.bytes_max.max(shard.bytes_max),
        oldest: Duration::max(all.oldest, shard.oldest),
        spilled_lanes: all.spilled_lanes + shard.spilled_lanes,
        spilled_messages: all.spilled_messages + shard.spilled_messages,
        spilled_bytes: all.spilled_bytes + shard.spilled_bytes,
        dead_letters: all.dead_letters + shard.dead_letters,
    })
}

/// The table of all metrics in Markdown, as `docs/metrics.md` shows it.
#[must_use]
pub fn reference() -> String {
    let mut page = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for family in FAMILIES {
        let labels: Vec<_> = family.labels().iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (family.exposed_name(), family.metric_type());
        let _ = writeln!(page, "| `{name}` | {} | {} | {} |", kind.as_str(), labels.join(", "), family.help);
    }
    page
}
