//! The commands that change something about a server that runs.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use streamfence_config::LogLevel;

use crate::exit::Failure;
use crate::remote::{OperatorArgs, client, query};
use crate::say;
use crate::table::{Table, plain, time};

#[derive(Debug, clap::Args)]
pub(crate) struct DisconnectArgs {
    /// The client
    #[arg(required_unless_present = "principal", allow_hyphen_values = true, value_parser = client)]
    client: Option<String>,
    /// All clients of this principal
    #[arg(long, conflicts_with = "client")]
    principal: Option<String>,
    /// Why, for the log of the server
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) fn disconnect(args: &DisconnectArgs) -> Result<(), Failure> {
    let mut order = match (&args.client, &args.principal) {
        (Some(client), _) => json!({ "client": client }),
        (None, principal) => json!({ "principal": principal }),
    };
    if let Some(reason) = &args.reason {
        order["reason"] = reason.as_str().into();
    }
    let principal = args.principal.as_deref().unwrap_or_default();
    args.operator.order_unless(
        "/admin/v1/disconnect",
        &order,
        |answer| (answer["disconnected"] == 0).then(|| say::visible(&format!("no client of {principal:?} is here"))),
        |answer| format!("{} disconnected", plain(&answer["disconnected"])),
    )
}

#[derive(Debug, clap::Args)]
pub(crate) struct UnsubscribeArgs {
    /// The client
    #[arg(allow_hyphen_values = true, value_parser = client)]
    client: String,
    /// The topic it is to hear no more of
    topic: String,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) fn unsubscribe(args: &UnsubscribeArgs) -> Result<(), Failure> {
    let order = json!({ "client": args.client, "topic": args.topic });
    let UnsubscribeArgs { client, topic, .. } = args;
    args.operator.order_unless(
        "/admin/v1/unsubscribe",
        &order,
        |answer| {
            (answer["unsubscribed"] == false).then(|| say::visible(&format!("{client} is not subscribed to {topic}")))
        },
        |_| say::visible(&format!("{client} unsubscribed from {topic}")),
    )
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReloadArgs {
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) fn reload(args: &ReloadArgs) -> Result<(), Failure> {
    args.operator.order("/admin/v1/reload", &json!({ "dryRun": args.dry_run }), |answer| {
        let changes = answer["changes"].as_array().into_iter().flatten();
        let (waiting, applied): (Vec<_>, Vec<_>) = changes.partition(|change| change["effect"] == "needs restart");
        let generation = plain(&answer["generation"]);
        let head = match (&applied[..], &waiting[..], args.dry_run) {
            ([], [], _) => format!("nothing has changed; generation {generation}"),
            ([], _, true) => format!("would change nothing of generation {generation}"),
            ([], _, false) => format!("nothing of generation {generation} has changed"),
            (_, _, true) => format!("would change, from generation {generation}:\n{}", table(&applied)),
            (_, _, false) => format!("applied as generation {generation}:\n{}", table(&applied)),
        };
        match &waiting[..] {
            [] => head,
            _ => format!("{}\nnot before a restart:\n{}", head.trim_end(), table(&waiting)),
        }
    })
}

/// Keys of a configuration that have another value.
fn table(changes: &[&Value]) -> Table {
    let mut table = Table::new(&["KEY", "FROM", "TO", "EFFECT"]);
    changes.iter().for_each(|change| table.row(["key", "from", "to", "effect"].map(|word| plain(&change[word]))));
    table
}

#[derive(Debug, clap::Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) fn drain(args: &DrainArgs) -> Result<(), Failure> {
    args.operator.order("/admin/v1/drain", &json!({}), |_| "draining".to_owned())
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogLevelArgs {
    /// Which logs are written from now on: error, warn, info, debug, trace; without it the level is shown
    #[arg(value_parser = level)]
    level: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

fn level(text: &str) -> Result<String, String> {
    let words = LogLevel::ALL.map(LogLevel::as_str);
    let wanted = || format!("found {text:?}; wanted one of {}", words.join(", "));
    if words.contains(&text) { Ok(text.to_owned()) } else { Err(wanted()) }
}

pub(crate) fn log_level(args: &LogLevelArgs) -> Result<(), Failure> {
    match &args.level {
        None => args.operator.show("/admin/v1/info", |info| plain(&info["logLevel"])),
        Some(level) => args.operator.order("/admin/v1/log-level", &json!({ "level": level }), |answer| {
            format!("{}, before {}", plain(&answer["level"]), plain(&answer["before"]))
        }),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Debug, Subcommand)]
enum DlqCommand {
    /// Show messages that were given up
    List {
        /// Only of this namespace
        #[arg(long)]
        namespace: Option<String>,
        /// Only of this topic
        #[arg(long)]
        topic: Option<String>,
        /// Only those for this client
        #[arg(long, allow_hyphen_values = true, value_parser = client)]
        client: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u16,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Send them again
    Replay(LettersArgs),
    /// Forget them
    Purge(LettersArgs),
}

#[derive(Debug, clap::Args)]
struct LettersArgs {
    /// The namespace
    namespace: String,
    /// The topic
    topic: String,
    /// Only those for this client
    #[arg(long, allow_hyphen_values = true, value_parser = client)]
    client: Option<String>,
    /// Only the message of this id; may be given several times
    #[arg(long = "id", value_name = "MESSAGE")]
    ids: Vec<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl LettersArgs {
    fn order(&self, path: &str, done: &str) -> Result<(), Failure> {
        let mut order = json!({ "namespace": self.namespace, "topic": self.topic });
        if let Some(client) = &self.client {
            order["client"] = client.as_str().into();
        }
        if !self.ids.is_empty() {
            order["ids"] = json!(self.ids);
        }
        self.operator.order(path, &order, |answer| match answer["tried"].as_u64() {
            Some(tried) => format!("{} of {tried} {done}", plain(&answer["count"])),
            None => format!("{} {done}", plain(&answer["count"])),
        })
    }
}

pub(crate) fn dead_letters(args: &DlqArgs) -> Result<(), Failure> {
    match &args.command {
        DlqCommand::List { namespace, topic, client, limit, operator } => {
            let limit = limit.to_string();
            let path = query(
                "/admin/v1/dead-letters",
                &[
                    ("namespace", namespace.as_deref()),
                    ("topic", topic.as_deref()),
                    ("client", client.as_deref()),
                    ("limit", Some(&limit)),
                ],
            );
            operator.show_as(&path, letters)
        }
        DlqCommand::Replay(letters) => letters.order("/admin/v1/dead-letters/replay", "sent again"),
        DlqCommand::Purge(letters) => letters.order("/admin/v1/dead-letters/purge", "forgotten"),
    }
}

/// The letters of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letters {
    dead_letters: Vec<Letter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    namespace: Value,
    #[serde(default)]
    topic: Value,
    #[serde(default)]
    client: Value,
    #[serde(default)]
    reason: Value,
    #[serde(default)]
    attempts: Value,
    #[serde(default)]
    at: Value,
    /// As it was published, however deep it nests.
    payload: Option<Box<RawValue>>,
    payload_base64: Option<String>,
}

fn letters(answer: &Letters) -> String {
    let mut table = Table::new(&["MESSAGE", "NAMESPACE", "TOPIC", "CLIENT", "WHY", "#ATTEMPTS", "#AGO", "PAYLOAD"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    for letter in &answer.dead_letters {
        let ago = letter.at.as_u64().map(|at| now.saturating_sub(at));
        let payload =
            letter.payload.as_deref().map(RawValue::get).or(letter.payload_base64.as_deref()).unwrap_or("null");
        let mut shown: String = payload.chars().take(SHOWN).collect();
        if shown.len() < payload.len() {
            shown += "..";
        }
        table.row([
            plain(&letter.id),
            plain(&letter.namespace),
            plain(&letter.topic),
            plain(&letter.client),
            plain(&letter.reason),
            plain(&letter.attempts),
            time(&ago.into()),
            shown,
        ]);
    }
    table.to_string()
}

/// How much of a payload stands in a table.
const SHOWN: usize = 40;
