//! What came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::BenchArgs;
use super::counts::Counts;
use crate::table::bytes;

/// What came of it.
pub(super) struct Outcome<'a> {
    pub(super) args: &'a BenchArgs,
    pub(super) counts: &'a Counts,
    pub(super) took: Duration,
    pub(super) server: Server,
}

/// What the server says of itself.
pub(super) struct Server {
    /// What the policies of the topic did, of whatever was published to it meanwhile; `None` without metrics.
    pub(super) policies: Option<BTreeMap<String, u64>>,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) rss_bytes: Option<u64>,
}

impl Outcome<'_> {
    /// For programs.
    pub(super) fn json(&self) -> Value {
        let Self { args, counts, server, .. } = self;
        let seconds = self.took.as_secs_f64();
        json!({
            "namespace": args.namespace,
            "topic": args.topic,
            "seconds": seconds,
            "published": counts.published(),
            "publishedPerSecond": counts.published() as f64 / seconds,
            "wantedPerSecond": args.rate,
            "requests": counts.requests(),
            "reports": counts.reports(),
            "quick": counts.quick.json(args.clients, seconds),
            "slow": counts.slow.json(args.slow, seconds),
            "server": {
                "policies": server.policies,
                "cpuSeconds": server.cpu_seconds,
                "cpuCores": server.cpu_seconds.map(|cpu| cpu / seconds),
                "rssBytes": server.rss_bytes,
            },
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { args, counts, server, .. } = self;
        let seconds = self.took.as_secs_f64();
        let mut text = String::new();
        let mut line = |name: &str, said: String| {
            let _ = writeln!(text, "{name:<10} {said}");
        };
        let published = counts.published();
        let reached = published as f64 / seconds;
        let (rate, requests) = (args.rate, counts.requests());
        line(
            "published",
            format!("{published} in {seconds:.1} s, {reached:.1} a second; wanted {rate:.1}; {requests} requests"),
        );
        line("reports", listed(&counts.reports()));
        for (name, group, clients) in [("quick", &counts.quick, args.clients), ("slow", &counts.slow, args.slow)] {
            if clients == 0 {
                continue;
            }
            let received = group.received();
            let each = received as f64 / f64::from(clients);
            let latency = if received == 0 { "nothing heard".to_owned() } else { group.latency().to_string() };
            line(name, format!("{clients} clients, {received} received, {each:.1} each; {latency}"));
        }
        line("lost", format!("{} clients before the end", counts.lost()));
        match &server.policies {
            Some(policies) => line("policies", listed(policies)),
            None => line("policies", "unknown: the server shows no metrics".to_owned()),
        }
        if let Some(cpu) = server.cpu_seconds {
            line("cpu", format!("{cpu:.2} s, {:.2} cores", cpu / seconds));
        }
        if let Some(rss) = server.rss_bytes {
            line("memory", format!("{} at most", bytes(&rss.into())));
        }
        text
    }
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    let words: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}
