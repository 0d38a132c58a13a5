//! Every query that is shipped, of the dashboard and of the alert rules, asks for what is there: for series that a scrape
//! has, by labels that they have.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail wherever it likes")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use streamfence_core::{Catalog, Event, Namespace, Observer, SpillStats, StoreId};
use streamfence_metrics::{FAMILIES, Metrics};

/// Labels that Prometheus adds when it scrapes.
const OF_THE_SCRAPE: [&str; 2] = ["instance", "job"];

#[test]
fn the_dashboard_asks_for_what_is_there_and_shows_all_of_it() {
    let scrape = Scrape::new();
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/streamfence.json")).unwrap();
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    texts(&dashboard["templating"], "definition", &mut queries);
    assert!(queries.len() > 60, "{}", queries.len());
    let asked: BTreeSet<String> = queries.iter().flat_map(|query| scrape.check(query)).collect();
    for family in FAMILIES {
        let name = family.exposed_name();
        assert!(asked.iter().any(|asked| asked.starts_with(&name)), "no panel shows {name}");
    }
}

#[test]
fn the_alerts_ask_for_what_is_there_and_each_is_played_and_explained() {
    let scrape = Scrape::new();
    let rules: Value = serde_saphyr::from_str(&file("deploy/prometheus/alerts.yaml")).unwrap();
    let (manual, plays) = (file("docs/operating.md"), file("deploy/prometheus/alerts.test.yaml"));
    let groups = rules["groups"].as_array().unwrap();
    let rules: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 10, "{}", rules.len());
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let query = rule["expr"].as_str().unwrap();
        assert!(!scrape.check(query).is_empty() || query.starts_with("up{"), "{name} asks for nothing of ours");
        assert!(plays.contains(name), "alerts.test.yaml does not play {name}");
        assert!(manual.contains(&format!("\n### {name}\n")), "docs/operating.md does not explain {name}");
        let anchor = format!("docs/operating.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], anchor.as_str(), "{name}");
    }
}

#[test]
fn what_is_not_there_is_found() {
    let scrape = Scrape::new();
    let wrong = |query: &str| std::panic::catch_unwind(|| scrape.check(query)).is_err();
    for query in [
        "streamfence_nothing",
        "streamfence_lanes{client=\"a\"}",
        "sum by (reason) (streamfence_lanes)",
        "sum by (le) (rate(streamfence_publish_to_sent_seconds_count[5m]))",
        "rate(streamfence_lanes[5m])",
        "streamfence_messages_published",
        "streamfence_publish_to_sent_seconds",
        "streamfence_refused_total{reason=\"mood\"}",
        "label_values(streamfence_build_info, topic)",
    ] {
        assert!(wrong(query), "{query}");
    }
    assert!(!wrong("sum by (instance, le) (rate(streamfence_publish_to_sent_seconds_bucket{topic=~\"$topic\"}[5m]))"));
}

/// The series of a scrape: their names, the labels of each, and the pairs of label and value that stand in them.
struct Scrape(BTreeMap<String, BTreeSet<(String, String)>>);

impl Scrape {
    /// One of a fence in which everything has happened that makes a series.
    fn new() -> Self {
        let catalog = Catalog::builder().namespace(Namespace::new("/feed").topic("tick")).build().unwrap();
        let metrics = Metrics::new(&catalog);
        metrics.on_event(&Event::TlsLoaded { server: "main".into(), expires: UNIX_EPOCH });
        metrics.on_spill(StoreId(0), &SpillStats::default());
        let mut series: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for line in metrics.encode().lines().filter(|line| !line.starts_with('#')) {
            let (name, labels) = line.rsplit_once(' ').unwrap().0.split_once('{').unwrap_or((line, ""));
            let name = name.split(' ').next().unwrap().to_owned();
            series.entry(name).or_default().extend(pairs(labels.trim_end_matches('}')));
        }
        Self(series)
    }

    /// The names of ours in a query, which are all there, with labels they have.
    fn check(&self, query: &str) -> BTreeSet<String> {
        for (inner, labels) in groupings(query) {
            for (name, _) in names(inner) {
                labels.iter().for_each(|label| self.check_label(name, label, query));
            }
        }
        if let Some((inner, label)) = query.strip_prefix("label_values(").and_then(|query| query.rsplit_once(", ")) {
            names(inner).for_each(|(name, _)| self.check_label(name, label.trim_end_matches(')'), query));
        }
        names(query)
            .map(|(name, after)| {
                assert!(self.0.contains_key(name), "{name} is not scraped: {query}");
                let before = query[..query.len() - after.len() - name.len()].trim_end();
                let is_rate = before.ends_with("rate(") || before.ends_with("increase(");
                let is_total = ["_total", "_bucket", "_count", "_sum"].iter().any(|end| name.ends_with(end));
                assert!(is_total || !is_rate, "{name} is no counter: {query}");
                let matchers =
                    after.strip_prefix('{').and_then(|after| after.split_once('}')).map_or("", |(inside, _)| inside);
                for (label, value) in pairs(matchers) {
                    self.check_label(name, &label, query);
                    let is_variable = value.starts_with('$') || OF_THE_SCRAPE.contains(&label.as_str());
                    let is_there = is_variable || self.0[name].contains(&(label.clone(), value.clone()));
                    assert!(is_there, "{name} has no {label}={value:?}: {query}");
                }
                name.to_owned()
            })
            .collect()
    }

    fn check_label(&self, name: &str, label: &str, query: &str) {
        let is_of_ours = self.0.get(name).is_some_and(|pairs| pairs.iter().any(|(known, _)| known == label));
        assert!(is_of_ours || OF_THE_SCRAPE.contains(&label), "{name} has no label {label}: {query}");
    }
}

/// The names of ours in a query, and what follows each.
fn names(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.match_indices("streamfence_").map(|(at, _)| {
        let rest = &query[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.split_at(end)
    })
}

/// What a query groups, and by which labels: `sum by (a, b) (inner)`.
fn groupings(query: &str) -> Vec<(&str, Vec<&str>)> {
    let parts = query.match_indices(" by (").map(|(at, by)| {
        let (labels, rest) = query[at + by.len()..].split_once(") (").unwrap_or_else(|| panic!("by what? {query}"));
        let mut depth = 1;
        let end = rest.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        (&rest[..end.unwrap_or_else(|| panic!("no end: {query}"))], labels.split(", ").collect())
    });
    parts.collect()
}

/// Labels and their values, as they stand between braces: `a="b", c=~"d"`.
fn pairs(labels: &str) -> impl Iterator<Item = (String, String)> {
    labels.split("\",").filter_map(|pair| {
        let (label, value) = pair.split_once('=')?;
        let value = value.trim_start_matches('~').trim_matches('"');
        Some((label.trim().trim_end_matches('!').to_owned(), value.to_owned()))
    })
}

/// All texts under a key, however deep.
fn texts(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| texts(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}
