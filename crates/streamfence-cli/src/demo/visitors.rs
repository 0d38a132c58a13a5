//! Clients of the demo's own, over real connections to it: some that keep up, and those that one can start and watch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use streamfence_client::Connector;
use streamfence_runtime::Fence;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::role::{Role, Watched};

/// How many that are watched may be there at once.
pub(super) const MOST: usize = 6;
/// After which time one ends by itself: a demo that is forgotten comes to rest.
const STAY: Duration = Duration::from_secs(5 * 60);
/// Those that keep up, so that one sees what the others do not cost them.
const COMPANY: [Role; 5] = [Role::Reader, Role::Reader, Role::Reader, Role::Acker, Role::Acker];
/// How long after its end one of these comes back.
const RETURN: Duration = Duration::from_secs(1);

/// The clients of the demo. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Visitors(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// To the demo's server, once it listens.
    connector: OnceLock<Connector>,
    here: Mutex<Visits>,
}

#[derive(Default)]
struct Visits {
    next: u64,
    by_id: BTreeMap<u64, Visit>,
}

struct Visit {
    kind: Watched,
    client: Option<String>,
    ends: Instant,
    task: AbortHandle,
}

/// One that is watched, as it is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Visitor {
    id: u64,
    kind: Watched,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    ends_in_ms: u64,
}

/// Why none was started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotNow {
    /// The server does not listen yet.
    TooEarly,
    /// So many are there already.
    TooMany,
}

impl Visitors {
    /// Lets those in who keep up, and from now on whoever is started.
    pub(crate) fn open(&self, connector: Connector, fence: &Fence) {
        for role in COMPANY {
            let (connector, fence) = (connector.clone(), fence.clone());
            tokio::spawn(async move {
                while !fence.is_closing() {
                    // Why it ended does not matter: it comes back, as clients do.
                    let _ = role.play(&connector, |_| {}).await;
                    tokio::time::sleep(RETURN).await;
                }
            });
        }
        // Only the first is meant: there is one demo.
        let _ = self.0.connector.set(connector);
    }

    pub(super) fn start(&self, kind: Watched) -> Result<(), NotNow> {
        let connector = self.0.connector.get().ok_or(NotNow::TooEarly)?.clone();
        let mut visits = self.lock();
        if visits.by_id.len() >= MOST {
            return Err(NotNow::TooMany);
        }
        let id = visits.next;
        visits.next += 1;
        let visitors = self.clone();
        let task = tokio::spawn(async move {
            let entered = |client: &str| {
                if let Some(visit) = visitors.lock().by_id.get_mut(&id) {
                    visit.client.get_or_insert_with(|| client.to_owned());
                }
            };
            // Whether it was time, or the server sent it away: it is gone.
            let _ = tokio::time::timeout(STAY, Role::Watched(kind).play(&connector, entered)).await;
            visitors.lock().by_id.remove(&id);
        });
        let visit = Visit { kind, client: None, ends: Instant::now() + STAY, task: task.abort_handle() };
        visits.by_id.insert(id, visit);
        Ok(())
    }

    /// Ends one, if it is there.
    pub(super) fn stop(&self, id: u64) {
        if let Some(visit) = self.lock().by_id.remove(&id) {
            visit.task.abort();
        }
    }

    pub(super) fn list(&self) -> Vec<Visitor> {
        let now = Instant::now();
        let told = |(id, visit): (&u64, &Visit)| Visitor {
            id: *id,
            kind: visit.kind,
            client_id: visit.client.clone(),
            ends_in_ms: visit.ends.saturating_duration_since(now).as_millis() as u64,
        };
        self.lock().by_id.iter().map(told).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Visits> {
        self.0.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
