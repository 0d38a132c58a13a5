//! `streamfence clients` and `streamfence inspect`: who is connected, who is slow, and why.

use std::fmt::Write as _;
use std::num::NonZeroU16;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::Value;
use streamfence_client::encoded;
use streamfence_core::ClientOrder;

use crate::exit::Failure;
use crate::remote::{OperatorArgs, client, query};
use crate::table::{Table, bytes, per_second, plain, time};

#[derive(Debug, clap::Args)]
pub(crate) struct ClientsArgs {
    /// Those with the most of it come first
    #[arg(long, value_name = "BY", default_value = "depth")]
    sort: Sort,
    /// Only those in this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Only those subscribed to this topic
    #[arg(long)]
    topic: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "100")]
    limit: NonZeroU16,
    /// Only those that stay behind, and since when and why
    #[arg(long)]
    slow: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// What clients are sorted by, by the server's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort(pub(crate) ClientOrder);

impl Sort {
    const ALL: [Self; ClientOrder::ALL.len()] = {
        let mut all = [Self(ClientOrder::Depth); ClientOrder::ALL.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = Self(ClientOrder::ALL[at]);
            at += 1;
        }
        all
    };

    /// As it is said to the server.
    pub(crate) fn word(self) -> &'static str {
        self.0.as_str()
    }

    /// The one after it; the first after the last.
    pub(crate) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).expect("all are there");
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    fn meaning(self) -> &'static str {
        match self.0 {
            ClientOrder::Depth => "Messages that wait",
            ClientOrder::Bytes => "Bytes that wait",
            ClientOrder::Age => "How long the oldest has waited",
            ClientOrder::Drops => "Messages lost",
            ClientOrder::Rate => "Messages delivered a second",
            ClientOrder::Connected => "How long they have been connected",
        }
    }
}

impl ValueEnum for Sort {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.meaning()))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The id of a client, as `clients` shows it and the client is told with `subscribed`
    #[arg(allow_hyphen_values = true, value_parser = client)]
    client: String,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) fn list(args: &ClientsArgs) -> Result<(), Failure> {
    let limit = args.limit.to_string();
    let path = query(
        if args.slow { "/admin/v1/slow" } else { "/admin/v1/clients" },
        &[
            ("sort", Some(args.sort.word())),
            ("namespace", args.namespace.as_deref()),
            ("topic", args.topic.as_deref()),
            ("limit", Some(&limit)),
        ],
    );
    args.operator.show(&path, |answer| {
        let shown = answer["clients"].as_array().map_or(0, Vec::len) as u64;
        let mut text = if args.slow { slow(answer) } else { table(answer) }.to_string();
        if let Some(total) = answer["total"].as_u64().filter(|total| *total > shown) {
            let _ = write!(text, "{shown} of {total} clients; --limit shows more");
        }
        text
    })
}

pub(crate) fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    args.operator.show(&format!("/admin/v1/clients/{}", encoded(&args.client)), one)
}

/// The clients of an answer, for `top` as well.
pub(crate) fn table(answer: &Value) -> Table {
    let mut table = Table::new(&[
        "CLIENT",
        "NAMESPACE",
        "PRINCIPAL",
        "#LANES",
        "#DEPTH",
        "#BYTES",
        "#OLDEST",
        "#DROPPED",
        "#RATE",
        "STATE",
    ]);
    for client in answer["clients"].as_array().into_iter().flatten() {
        table.row([
            plain(&client["id"]),
            plain(&client["namespace"]),
            plain(&client["principal"]),
            plain(&client["lanes"]),
            plain(&client["depth"]),
            bytes(&client["bytes"]),
            time(&client["oldestMs"]),
            plain(&client["dropped"]),
            per_second(&client["deliveredPerSecond"]),
            state(client),
        ]);
    }
    table
}

/// Those that stay behind, and since when and why.
pub(crate) fn slow(answer: &Value) -> Table {
    let mut table =
        Table::new(&["CLIENT", "NAMESPACE", "PRINCIPAL", "#DEPTH", "#BYTES", "#OLDEST", "#DROPPED", "#SINCE", "WHY"]);
    for client in answer["clients"].as_array().into_iter().flatten() {
        table.row([
            plain(&client["id"]),
            plain(&client["namespace"]),
            plain(&client["principal"]),
            plain(&client["depth"]),
            bytes(&client["bytes"]),
            time(&client["oldestMs"]),
            plain(&client["dropped"]),
            time(&client["sinceMs"]),
            plain(&client["reason"]),
        ]);
    }
    table
}

/// Whether it is there, and whether it is slow and by what that is seen.
fn state(client: &Value) -> String {
    match (client["detachedMs"].is_null(), client["slow"] == true, client["reason"].as_str()) {
        (false, ..) => "away".to_owned(),
        (true, true, Some(reason)) => format!("slow: {reason}"),
        (true, true, None) => "slow".to_owned(),
        (true, false, _) => String::new(),
    }
}

/// A client in full.
fn one(client: &Value) -> String {
    let mut facts = Table::new(&["", ""]);
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    fact("client", plain(&client["id"]));
    fact("namespace", plain(&client["namespace"]));
    fact("principal", plain(&client["principal"]));
    fact("address", plain(&client["address"]));
    fact("transport", format!("{}, tier {}", plain(&client["transport"]), plain(&client["tier"])));
    fact("connected for", time(&client["connectedMs"]));
    if !client["detachedMs"].is_null() {
        fact("away for", time(&client["detachedMs"]));
    }
    match client["reason"].as_str() {
        Some(reason) => fact("slow", format!("{reason}, for {} at least", time(&client["sinceMs"]))),
        None => fact("slow", plain(&client["slow"])),
    }
    fact("waiting", format!("{} messages, {}", plain(&client["depth"]), bytes(&client["bytes"])));
    fact("in flight", plain(&client["inFlight"]));
    fact("oldest", time(&client["oldestMs"]));
    fact("delivered", format!("{}, {}", plain(&client["delivered"]), per_second(&client["deliveredPerSecond"])));
    fact("dropped", plain(&client["dropped"]));
    if client["blockedMs"].is_u64() {
        fact("blocked for", time(&client["blockedMs"]));
    } else if client["room"].is_object() {
        let room = &client["room"];
        fact("room", format!("{} frames, {}", plain(&room["frames"]), bytes(&room["bytes"])));
    }
    let mut lanes = Table::new(&[
        "TOPIC",
        "DELIVERY",
        "OVERFLOW",
        "#DEPTH",
        "#LIMIT",
        "#BYTES",
        "#IN FLIGHT",
        "#OLDEST",
        "#SPILLED",
        "#DELIVERED",
        "#RETRIES",
        "#COALESCED",
        "DROPPED",
    ]);
    for lane in client["lanes"].as_array().into_iter().flatten() {
        lanes.row([
            plain(&lane["topic"]),
            plain(&lane["delivery"]),
            plain(&lane["overflow"]),
            plain(&lane["depth"]),
            plain(&lane["limits"]["messages"]),
            bytes(&lane["bytes"]),
            plain(&lane["inFlight"]),
            time(&lane["oldestMs"]),
            spilled(&lane["spilled"]),
            plain(&lane["delivered"]),
            plain(&lane["retries"]),
            plain(&lane["coalesced"]),
            dropped(&lane["dropped"]),
        ]);
    }
    format!("{}\n{lanes}", facts.to_string().trim_start_matches('\n'))
}

/// What of a lane lies on disk, where anything does.
fn spilled(spilled: &Value) -> String {
    match spilled["messages"].as_u64() {
        Some(messages) => format!("{messages}, {}", bytes(&spilled["bytes"])),
        None => "-".to_owned(),
    }
}

/// Why messages were dropped, where any were.
fn dropped(reasons: &Value) -> String {
    let Some(reasons) = reasons.as_object() else { return plain(reasons) };
    let counted = reasons.iter().filter(|(_, count)| count.as_u64() != Some(0));
    let words: Vec<_> = counted.map(|(reason, count)| format!("{reason} {count}")).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_client_is_shown_with_its_lanes() {
        let shown = one(&json!({
            "id": "abc", "namespace": "/feed", "principal": null, "address": "127.0.0.1", "transport": "websocket",
            "tier": "splice", "connectedMs": 65_000, "slow": true, "reason": "blocked", "sinceMs": 1_200, "depth": 3, "bytes": 2_048, "inFlight": 0,
            "oldestMs": 1_500, "dropped": 4, "delivered": 9, "deliveredPerSecond": 1.5, "blockedMs": 1_200,
            "lanes": [{"topic": "tick", "delivery": "BEST_EFFORT", "overflow": "DROP_OLDEST",
                "limits": {"messages": 16, "bytes": 1_000}, "depth": 3, "bytes": 2_048, "inFlight": 0,
                "spilled": {"messages": 7, "bytes": 3_072},
                "delivered": 9, "dropped": {"displaced": 4, "expired": 0}, "retries": 0, "coalesced": 0}],
        }));
        for wanted in [
            "client         abc",
            "connected for  1 min 5 s",
            "waiting        3 messages, 2.0 KiB",
            "slow           blocked, for 1.2 s at least",
            "blocked for    1.2 s",
            "  SPILLED  ",
            "  7, 3.0 KiB  ",
            "displaced 4",
        ] {
            assert!(shown.contains(wanted), "{wanted}\n{shown}");
        }
        assert!(!shown.contains("away") && !shown.contains("room") && !shown.contains("expired"), "{shown}");
    }

    #[test]
    fn every_way_to_sort_has_its_turn() {
        let mut sort = Sort(ClientOrder::Depth);
        for wanted in Sort::value_variants() {
            assert_eq!(
                (sort, sort.word().to_owned()),
                (*wanted, wanted.to_possible_value().expect("it is shown").get_name().to_owned())
            );
            sort = sort.next();
        }
        assert_eq!(sort, Sort(ClientOrder::Depth));
    }

    #[test]
    fn a_client_that_is_away_is_no_slow_one() {
        assert_eq!(state(&json!({"detachedMs": 5, "slow": true})), "away");
        assert_eq!(state(&json!({"slow": true, "reason": "unacked"})), "slow: unacked");
        assert_eq!(state(&json!({"slow": false})), "");
    }
}
