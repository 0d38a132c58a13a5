//! What there is to see of a server at one moment.

use std::time::Instant;

use serde_json::{Value, json};
use streamfence_client::Api;

use crate::clients::{Sort, table as clients};
use crate::exit::Failure;
use crate::remote::{done, failure, query};
use crate::table::{Table, bytes, plain, time};

/// Clients that are asked for: more than a terminal has lines.
const MOST_CLIENTS: &str = "100";

/// What there is to see of a server at one moment.
pub(super) struct Frame {
    pub(super) at: Instant,
    pub(super) info: Value,
    topics: Value,
    clients: Value,
}

impl Frame {
    /// Asks the server.
    pub(super) async fn look(api: &mut Api, sort: Sort) -> Result<Self, Failure> {
        let mut ask = async |path: &str| done(api.get(path).await.map_err(failure)?);
        let info = ask("/admin/v1/info").await?;
        let topics = ask("/admin/v1/topics").await?;
        let wanted = [("sort", Some(sort.word())), ("limit", Some(MOST_CLIENTS))];
        let clients = ask(&query("/admin/v1/clients", &wanted)).await?;
        Ok(Self { at: Instant::now(), info, topics, clients })
    }

    /// A frame of these answers.
    #[cfg(test)]
    pub(super) fn of(info: Value, topics: Value, clients: Value) -> Self {
        Self { at: Instant::now(), info, topics, clients }
    }

    /// For programs: the answers beside each other.
    pub(super) fn json(&self) -> Value {
        json!({
            "info": self.info,
            "topics": self.topics["topics"],
            "clients": self.clients["clients"],
            "totalClients": self.clients["total"],
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        format!("{}\n\n{}\n{}", self.head(), self.topics(), clients(&self.clients))
    }

    /// What it is, and how it stands.
    pub(super) fn head(&self) -> String {
        let info = &self.info;
        let memory = &info["memory"];
        let memory = match memory["budgetBytes"].as_u64() {
            Some(budget) if budget > 0 => {
                format!("{} of {}", bytes(&memory["usedBytes"]), bytes(&memory["budgetBytes"]))
            }
            _ => bytes(&memory["usedBytes"]),
        };
        format!(
            "{} {}, up {}, generation {}, {} connections, {} sessions, {} slow, {} lanes, messages {memory}",
            plain(&info["version"]),
            plain(&info["state"]),
            time(&info["uptimeMs"]),
            plain(&info["generation"]),
            plain(&info["connections"]),
            plain(&info["sessions"]),
            plain(&info["slow"]),
            plain(&info["lanes"]),
        )
    }

    pub(super) fn topics(&self) -> Table {
        let mut table = Table::new(&[
            "NAMESPACE",
            "TOPIC",
            "OVERFLOW",
            "#CLIENTS",
            "#QUEUED",
            "#DEPTH",
            "#OLDEST",
            "#DELIVERED",
            "#DISPLACED",
            "#COALESCED",
            "#REJECTED",
            "#SPILLED",
            "#RETRIES",
            "#DEAD",
        ]);
        for topic in self.topics["topics"].as_array().into_iter().flatten() {
            let totals = &topic["totals"];
            table.row([
                plain(&topic["namespace"]),
                plain(&topic["topic"]),
                plain(&topic["overflow"]),
                plain(&topic["subscribers"]),
                plain(&topic["queued"]),
                plain(&topic["depthMax"]),
                time(&topic["oldestMs"]),
                plain(&totals["delivered"]),
                plain(&totals["displaced"]),
                plain(&totals["coalesced"]),
                plain(&totals["rejected"]),
                plain(&totals["spilled"]),
                plain(&totals["retries"]),
                plain(&topic["deadLetters"]),
            ]);
        }
        table
    }

    pub(super) fn clients(&self) -> Table {
        clients(&self.clients)
    }
}
