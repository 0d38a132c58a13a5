//! `/admin/v1/dead-letters`: messages that were given up: looked at, tried again, thrown away.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use streamfence_runtime::{ClientId, DeadLetter, MessageId, PublishError};

use super::OF_AN_ORDER;
use super::known::ensure_known;
use super::query::{MOST, Order, Params, by, client_id, limit};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};
use crate::route::Route;
use axum::http::StatusCode;

/// How many bytes of payloads an answer has at most; letters beyond come without.
const MOST_PAYLOAD_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    namespace: Option<String>,
    topic: Option<String>,
    client: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetters")]
pub(super) struct Letters {
    /// The newest first.
    dead_letters: Vec<Letter>,
    /// How many there are in all, whatever the limit.
    total: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetter")]
struct Letter {
    namespace: String,
    topic: String,
    id: String,
    client: String,
    reason: &'static str,
    attempts: u32,
    /// In milliseconds since 1970.
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    /// Whether it is not shown, because the answer is as large as it may be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    payload_omitted: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeadLetterChoice")]
pub(super) struct Chosen {
    namespace: String,
    topic: String,
    client: Option<String>,
    ids: Option<Vec<String>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLettersReplayed")]
pub(super) struct Replayed {
    /// How many are dead letters no more.
    count: u64,
    /// How many were tried.
    tried: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLettersPurged")]
pub(super) struct Purged {
    count: u64,
}

pub(super) fn routes() -> [Route; 3] {
    let order =
        |route: Route| route.needs(Scope::Admin).takes::<Chosen>().fails(OF_AN_ORDER).fails([Code::UnknownTopic]);
    [
        Route::get("/admin/v1/dead-letters", list, "Messages that were given up and are kept, the newest first")
            .needs(Scope::Read)
            .query::<String>("namespace", "Those of a namespace only.")
            .query::<String>("topic", "Those of a topic only.")
            .query::<String>("client", "Those for a client only.")
            .query::<u16>("limit", "How many at most, up to 1000; 100 if it is not said.")
            .answers::<Letters>(StatusCode::OK, "The first of them, and how many there are.")
            .fails([Code::BadRequest, Code::UnknownTopic]),
        order(Route::post("/admin/v1/dead-letters/replay", replay, "Publish dead letters anew, each to its client"))
            .answers::<Replayed>(StatusCode::OK, "What a lane admits is a dead letter no more.")
            .fails([Code::PublishRejected, Code::Internal, Code::ShuttingDown]),
        order(Route::post("/admin/v1/dead-letters/purge", purge, "Throw dead letters away"))
            .answers::<Purged>(StatusCode::OK, "They are gone."),
    ]
}

pub(super) async fn list(State(api): State<Api>, Params(wanted): Params<Wanted>) -> Result<Json<Letters>, Problem> {
    let limit = limit(wanted.limit)?;
    let client = wanted.client.as_deref().map(client_id).transpose()?;
    let catalog = api.fence.catalog();
    ensure_known(&catalog, wanted.namespace.as_deref(), wanted.topic.as_deref())?;
    let namespaces = catalog.namespaces().map(|(_, entry)| entry).filter(|entry| !entry.is_removed);
    let namespaces = namespaces.filter(|entry| wanted.namespace.as_ref().is_none_or(|path| *path == *entry.path));
    let mut letters = Vec::new();
    for entry in namespaces {
        // Not every namespace has a topic of the name, and a reload may have taken it away just now.
        let mut add = |topic: &str| letters.extend(api.fence.dead_letters(&entry.path, topic).unwrap_or_default());
        match &wanted.topic {
            Some(topic) => add(topic),
            None => entry.topics().iter().for_each(|topic| add(catalog.topic_name(*topic))),
        }
    }
    letters.retain(|letter| client.is_none_or(|client| letter.client == client));
    letters.sort_by_key(|letter| std::cmp::Reverse((letter.at, letter.id())));
    let total = letters.len() as u64;
    let mut left = MOST_PAYLOAD_BYTES;
    let dead_letters = letters.iter().take(limit).map(|letter| Letter::new(letter, &mut left)).collect();
    Ok(Json(Letters { dead_letters, total }))
}

pub(super) async fn replay(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Order(chosen): Order<Chosen>,
) -> Result<Json<Replayed>, Problem> {
    let is_chosen = chosen.choice()?;
    ensure_known(&api.fence.catalog(), Some(&chosen.namespace), Some(&chosen.topic))?;
    let replayed = api.fence.replay_dead_letters_that(&chosen.namespace, &chosen.topic, is_chosen).await;
    let replayed = replayed.map_err(unknown)?;
    let (count, tried) = (replayed.admitted, replayed.tried);
    let (namespace, topic) = (&chosen.namespace, &chosen.topic);
    tracing::info!(
        code = "dead_letters_replayed",
        by = by(&caller),
        namespace,
        topic,
        count,
        tried,
        "dead letters were tried again"
    );
    Ok(Json(Replayed { count, tried }))
}

pub(super) async fn purge(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Order(chosen): Order<Chosen>,
) -> Result<Json<Purged>, Problem> {
    let (namespace, topic) = (&chosen.namespace, &chosen.topic);
    ensure_known(&api.fence.catalog(), Some(namespace), Some(topic))?;
    let count = if chosen.client.is_none() && chosen.ids.is_none() {
        api.fence.purge_dead_letters(namespace, topic)
    } else {
        api.fence.purge_dead_letters_that(namespace, topic, chosen.choice()?)
    };
    let count = count.map_err(unknown)?;
    tracing::info!(
        code = "dead_letters_purged",
        by = by(&caller),
        namespace,
        topic,
        count,
        "dead letters were thrown away"
    );
    Ok(Json(Purged { count }))
}

impl Chosen {
    /// Which of the topic's dead letters are meant.
    fn choice(&self) -> Result<impl Fn(&DeadLetter) -> bool + use<>, Problem> {
        let client: Option<ClientId> = self.client.as_deref().map(client_id).transpose()?;
        let ids: Option<HashSet<MessageId>> = match &self.ids {
            None => None,
            Some(ids) if ids.len() > MOST => {
                let found = ids.len();
                return Err(Problem::bad_request(format!("ids names {found} messages; wanted at most {MOST}")));
            }
            Some(ids) => {
                let parse = |id: &String| id.parse().map_err(|why| Problem::bad_request(format!("id {id:?}: {why}")));
                Some(ids.iter().map(parse).collect::<Result<_, _>>()?)
            }
        };
        Ok(move |letter: &DeadLetter| {
            client.is_none_or(|client| letter.client == client)
                && ids.as_ref().is_none_or(|ids| ids.contains(&letter.id()))
        })
    }
}

impl Letter {
    fn new(letter: &DeadLetter, left: &mut u64) -> Self {
        let topic = letter.topic();
        let payload = letter.payload();
        let fits = payload.size_bytes() <= *left;
        if fits {
            *left -= payload.size_bytes();
        }
        // One that is binary alone is shown as it was published; of one that has attachments beside, the text is.
        let is_binary = payload.is_binary();
        let text = || RawValue::from_string(String::from_utf8_lossy(payload.json()).into_owned()).ok();
        Self {
            namespace: topic.class.path.to_string(),
            topic: topic.name.to_string(),
            id: letter.id().to_string(),
            client: letter.client.to_string(),
            reason: letter.reason.as_str(),
            attempts: letter.attempts,
            at: millis(letter.at),
            payload: if fits && !is_binary { text() } else { None },
            payload_base64: (fits && is_binary).then(|| STANDARD.encode(&payload.attachments()[0])),
            payload_omitted: !fits,
        }
    }
}

fn unknown(why: PublishError) -> Problem {
    match why {
        PublishError::UnknownNamespace { .. } | PublishError::UnknownTopic { .. } => {
            Problem::new(Code::UnknownTopic, why.to_string())
        }
        PublishError::ShuttingDown => Problem::new(Code::ShuttingDown, "the process is about to end"),
        PublishError::Vetoed { .. } => Problem::new(Code::PublishRejected, why.to_string()),
        why => Problem::new(Code::Internal, why.to_string()),
    }
}

/// In milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
