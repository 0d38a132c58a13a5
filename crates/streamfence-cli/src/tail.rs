//! `streamfence tail`: what happens at a server, as it happens.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use streamfence_client::Told;
use streamfence_http::EVENT_KINDS;

use crate::exit::Failure;
use crate::remote::{OperatorArgs, client, failure, query, refusal, run as run_remote, seconds};
use crate::say;
use crate::table::plain;

#[derive(Debug, clap::Args)]
pub(crate) struct TailArgs {
    /// Only these kinds, separated by commas
    #[arg(long, value_name = "KINDS", value_parser = kinds)]
    kind: Option<String>,
    /// Only what happens in this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Only what happens to this topic
    #[arg(long)]
    topic: Option<String>,
    /// Only what happens to this client
    #[arg(long, allow_hyphen_values = true, value_parser = client)]
    client: Option<String>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds; with --count that is too late, and the exit code 8
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    operator: OperatorArgs,
}

fn kinds(text: &str) -> Result<String, String> {
    match text.split(',').map(str::trim).find(|kind| !EVENT_KINDS.contains(kind)) {
        Some(unknown) => Err(format!("found the kind {unknown:?}; wanted some of {}", EVENT_KINDS.join(", "))),
        None => Ok(text.to_owned()),
    }
}

pub(crate) fn run(args: &TailArgs) -> Result<(), Failure> {
    run_remote(async {
        let Some(timeout) = args.timeout else { return tail(args).await };
        match (tokio::time::timeout(timeout, tail(args)).await, args.count) {
            (Ok(outcome), _) => outcome,
            (Err(_elapsed), None) => Ok(()),
            (Err(_elapsed), Some(1)) => Err(Failure::TimedOut("no event came in time".into())),
            (Err(_elapsed), Some(count)) => Err(Failure::TimedOut(format!("fewer than {count} events came in time"))),
        }
    })
}

async fn tail(args: &TailArgs) -> Result<(), Failure> {
    let mut api = args.operator.api()?;
    let path = query(
        "/admin/v1/events",
        &[
            ("kind", args.kind.as_deref()),
            ("namespace", args.namespace.as_deref()),
            ("topic", args.topic.as_deref()),
            ("client", args.client.as_deref()),
        ],
    );
    let mut events = match api.events(&path).await.map_err(failure)? {
        Ok(events) => events,
        Err(answer) => return Err(refusal(&answer)),
    };
    // Whoever reads this knows that nothing is missed from now on.
    say::aside("reading along");
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(told) = events.next().await.map_err(failure)? else {
            return Err(Failure::Unreachable("the server tells no more: it has stopped".into()));
        };
        let (kind, mut event) = read(&told);
        if !say::one_of_many(if args.operator.json {
            event.insert("kind".to_owned(), kind.into());
            Value::Object(event).to_string()
        } else {
            text(&kind, &event)
        })? {
            return Ok(());
        }
        left -= 1;
    }
    Ok(())
}

/// The kind of an event, and all the server says of it.
fn read(told: &Told) -> (String, Map<String, Value>) {
    let event: Map<String, Value> = serde_json::from_str(&told.data).unwrap_or_default();
    let kind =
        if told.event.is_empty() { plain(&event.get("kind").cloned().unwrap_or_default()) } else { told.event.clone() };
    (kind, event)
}

/// When, what, where, and whatever else there is to say of it.
fn text(kind: &str, event: &Map<String, Value>) -> String {
    let at = event.get("at").and_then(Value::as_u64);
    let mut line = format!("{} {kind}", clock(at.unwrap_or_else(now_ms)));
    for (key, value) in event {
        if !matches!(key.as_str(), "at" | "kind") && !value.is_null() {
            line += &format!(" {key}={}", plain(value));
        }
    }
    say::visible(&line)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The time of the day in UTC, of milliseconds since 1970.
fn clock(at: u64) -> String {
    let (seconds, ms) = (at / 1_000, at % 1_000);
    format!("{:02}:{:02}:{:02}.{ms:03}Z", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let data = r#"{"at": 1700000000123, "kind": "gap", "client": "c\u001b", "count": 3, "topic": null}"#;
        let told = Told { event: "gap".into(), data: data.into(), id: None };
        let (kind, event) = read(&told);
        assert_eq!(text(&kind, &event), "22:13:20.123Z gap client=c\\u{1b} count=3");
        let unnamed = Told { event: String::new(), ..told };
        assert_eq!(read(&unnamed).0, "gap");
    }
}
