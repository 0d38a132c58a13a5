//! The words of a script, and how its trace is written. Never what a word does.

use std::time::Duration;

use crate::{Gap, Transmit, UnsubscribeReason};

/// One command, taken apart: whose it is, its verb, its words and its `key=value` options.
pub(super) struct Command<'a> {
    pub(super) actor: &'a str,
    pub(super) verb: &'a str,
    pub(super) words: Vec<&'a str>,
    pub(super) options: Vec<(&'a str, &'a str)>,
}

impl<'a> Command<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let (actor, rest) = text.split_once(':').unwrap_or(("ann", text));
        let mut all = rest.split_whitespace();
        let verb = all.next().expect("a command has a verb");
        let (options, words): (Vec<_>, Vec<_>) = all.partition(|word| word.contains('='));
        let options = options.into_iter().filter_map(|option| option.split_once('=')).collect();
        Self { actor, verb, words, options }
    }

    pub(super) fn option(&self, wanted: &str) -> Option<&'a str> {
        self.options.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, wanted: &str) -> Option<T> {
        self.option(wanted).map(number)
    }
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

/// The names of messages: as they stand, and `1-40` for a series.
pub(super) fn names(words: &[&str]) -> Vec<String> {
    let series = |word: &&str| match word.split_once('-') {
        Some((from, to)) => (number::<u32>(from)..=number(to)).map(|n| n.to_string()).collect(),
        None => vec![(*word).to_owned()],
    };
    words.iter().flat_map(series).collect()
}

pub(super) fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(millis) => Duration::from_millis(number(millis)),
        None => Duration::from_secs(number(text.strip_suffix('s').unwrap_or(text))),
    }
}

/// Writes `sent 1`, `sent 2`, `sent 3` as `sent 1-3`, and so with what has spilled.
pub(super) fn fold_series(trace: &str) -> String {
    let mut folded: Vec<String> = Vec::new();
    let mut series: Option<(&str, u32, u32, &str)> = None;
    for line in trace.lines() {
        let verb = ["sent ", "spilled "].into_iter().find_map(|verb| Some(line.find(verb)? + verb.len()));
        let place = verb.map(|end| line.split_at(end)).and_then(|(before, after)| {
            let (name, rest) = after.split_once(' ').unwrap_or((after, ""));
            Some((before, name.parse::<u32>().ok()?, rest))
        });
        series = match (series, place) {
            (Some((before, first, last, rest)), Some((b, name, r))) if (before, last + 1, rest) == (b, name, r) => {
                folded.pop();
                folded.push(format!("{before}{first}-{name} {rest}").trim_end().to_owned());
                Some((before, first, name, rest))
            }
            (_, place) => {
                folded.push(line.to_owned());
                place.map(|(before, name, rest)| (before, name, name, rest))
            }
        };
    }
    folded.into_iter().map(|line| line + "\n").collect()
}

/// Writes `1`, `2`, `3`, `x` as `1-3 x`.
pub(super) fn fold_names(names: impl Iterator<Item = String>) -> String {
    let mut runs: Vec<(String, String)> = Vec::new();
    for name in names {
        let follows = |last: &str| last.parse::<u32>().is_ok_and(|last| name.parse() == Ok(last + 1));
        match runs.last_mut() {
            Some((_, last)) if follows(last) => *last = name,
            _ => runs.push((name.clone(), name)),
        }
    }
    let run = |(first, last): (String, String)| if first == last { first } else { format!("{first}-{last}") };
    runs.into_iter().map(run).collect::<Vec<_>>().join(" ")
}

/// What the trace says of an answer to a client.
pub(super) fn told(what: &Transmit) -> String {
    match what {
        Transmit::Message { .. } => unreachable!("a message is no answer"),
        Transmit::Subscribed { topic, position, .. } => {
            format!("told: subscribed to {} after {}", topic.name, position.offset.0)
        }
        Transmit::Unsubscribed { topic, reason: UnsubscribeReason::Client, .. } => {
            format!("told: unsubscribed from {}", topic.name)
        }
        Transmit::Unsubscribed { topic, reason, .. } => {
            format!("told: unsubscribed from {} ({})", topic.name, reason.as_str())
        }
        Transmit::Gap { topic, gap, .. } => {
            let Gap { from, to, count, reason } = gap;
            let topic = &topic.name;
            format!("told: missed {count} of {topic}, {} to {}: {}", from.0, to.0, reason.as_str())
        }
        Transmit::Session { .. } => "told: its session".to_owned(),
        Transmit::NoSession { .. } => "told: no session".to_owned(),
        Transmit::Authenticated { principal, .. } => format!("told: is {principal}"),
        Transmit::Done { .. } => "told: published".to_owned(),
        Transmit::Error { code, .. } => format!("told: {}", code.as_str()),
    }
}
