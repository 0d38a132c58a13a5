//! `GET /admin/v1/events`: what happens, as it happens, as server-sent events.
//!
//! A reader that is too slow misses events and is told how many; it delays nobody.

mod record;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use streamfence_runtime::{Events, Next};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub use self::record::KINDS as EVENT_KINDS;
use self::record::{KINDS, Record};
use crate::admin::known::ensure_known;
use crate::admin::query::{Params, client_id};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};
use crate::route::Route;
use axum::http::StatusCode;

/// How many may read along at once.
const READERS: usize = 64;
/// How often a reader hears that nothing has happened.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The places of those who read along.
pub(crate) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(READERS))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    kind: Option<String>,
    namespace: Option<String>,
    topic: Option<String>,
    client: Option<String>,
}

/// What a reader wants to hear of; what is not said is not asked for.
struct Filter {
    kinds: Option<Vec<String>>,
    namespace: Option<String>,
    topic: Option<String>,
    client: Option<String>,
}

/// One who reads along.
struct Reader {
    events: Events,
    filter: Filter,
    has_begun: bool,
    caller: Caller,
    ending: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

pub(crate) fn route() -> Route {
    Route::get("/admin/v1/events", events, "What happens, as it happens, as server-sent events")
        .needs(Scope::Read)
        .query::<String>("kind", "Some kinds only, with commas between them.")
        .query::<String>("namespace", "Those in a namespace only.")
        .query::<String>("topic", "Those of a topic only, or of all topics made from the pattern of this name.")
        .query::<String>("client", "Those of a client only.")
        .answers_as::<String>(
            StatusCode::OK,
            "text/event-stream",
            "`event` is the kind, `data` is JSON: `kind`, `at` in milliseconds since 1970, and what there is to say. \
             Whoever reads too slowly is told `event: missed` and `{\"count\": n}`.",
        )
        .fails([Code::BadRequest, Code::UnknownTopic, Code::LimitExceeded])
}

pub(crate) async fn events(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    ensure_known(&api.fence.catalog(), wanted.namespace.as_deref(), wanted.topic.as_deref())?;
    let filter = Filter::new(wanted)?;
    let place = api.readers.clone().try_acquire_owned();
    let place =
        place.map_err(|_| Problem::new(Code::LimitExceeded, format!("{READERS} readers of events are the most")))?;
    let (events, ending) = (api.fence.events(), api.ending.subscribe());
    let reader = Reader { events, filter, has_begun: false, caller, ending, _place: place };
    let events = stream::unfold(reader, async |mut reader| Some((Ok::<_, Infallible>(reader.next().await?), reader)));
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(events.into_response())
}

impl Reader {
    async fn next(&mut self) -> Option<Sent> {
        if !self.has_begun {
            self.has_begun = true;
            // Whoever reads this knows that everything from now on is heard.
            return Some(Sent::default().comment("reading along"));
        }
        loop {
            let next = tokio::select! {
                // Neither a key that is gone nor the end of the process waits for an event.
                biased;
                _why = self.caller.revoked(Scope::Read) => return None,
                // Without anybody who could say so it goes on.
                Ok(_ended) = self.ending.wait_for(|is_ending| *is_ending) => return None,
                next = self.events.next() => next?,
            };
            match next {
                Next::Missed(count) => {
                    return Some(Sent::default().event("missed").data(format!(r#"{{"count":{count}}}"#)));
                }
                Next::Event(told) => {
                    let record = Record::new(&told);
                    if self.filter.takes(&record) {
                        let sent = Sent::default().event(record.kind).id(told.number.to_string());
                        return Some(sent.data(record.to_json()));
                    }
                }
            }
        }
    }
}

impl Filter {
    fn new(Wanted { kind, namespace, topic, client }: Wanted) -> Result<Self, Problem> {
        let kinds = kind.map(|kinds| kinds.split(',').map(|kind| kind.trim().to_owned()).collect::<Vec<_>>());
        if let Some(unknown) = kinds.iter().flatten().find(|kind| !KINDS.contains(&kind.as_str())) {
            let known = KINDS.join(", ");
            return Err(Problem::bad_request(format!("kind {unknown:?} is unknown; wanted some of {known}")));
        }
        let client = client.map(|client| client_id(&client)).transpose()?;
        Ok(Self { kinds, namespace, topic, client: client.map(|client| client.to_string()) })
    }

    fn takes(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, key| {
            wanted.as_ref().is_none_or(|wanted| record.text(key).is_some_and(|found| found == wanted))
        };
        // Events have the names of topics, which hold no `*`.
        let prefix = self.topic.as_ref().and_then(|topic| topic.strip_suffix('*'));
        let is_made = prefix.is_some_and(|prefix| record.text("topic").is_some_and(|topic| topic.starts_with(prefix)));
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind == record.kind))
            && is(&self.namespace, "namespace")
            && (is_made || is(&self.topic, "topic"))
            && is(&self.client, "client")
    }
}
