//! Whom a message is for, as the body of a publish says it.

use schemars::JsonSchema;
use serde::Deserialize;
use streamfence_runtime::{ClientId, To};

use crate::problem::Problem;

/// How many clients a list may name.
const MOST_CLIENTS: usize = 1_000;

/// One client, several, or whoever connected as a principal.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "to: wanted a client id, a list of them, or {\"principal\": \"..\"}")]
pub(crate) enum Recipients {
    /// The `clientId` of one.
    Client(String),
    /// Those of several, at most 1,000.
    Clients(Vec<String>),
    /// All connections of somebody.
    Principal(Principal),
}

/// Somebody, on however many connections.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Principal {
    /// Whom a token or a certificate names, or the application.
    principal: String,
}

/// Everyone subscribed without either.
pub(crate) fn audience(to: Option<&Recipients>, except: Option<&[String]>) -> Result<To, Problem> {
    let to = match to {
        None => To::everyone(),
        Some(Recipients::Client(client)) => client_id("to", client)?.into(),
        Some(Recipients::Clients(clients)) => client_ids("to", clients)?.into(),
        Some(Recipients::Principal(Principal { principal })) => To::principal(principal.as_str()),
    };
    Ok(to.except(client_ids("except", except.unwrap_or_default())?))
}

fn client_ids(key: &str, clients: &[String]) -> Result<Vec<ClientId>, Problem> {
    if clients.len() > MOST_CLIENTS {
        let found = clients.len();
        return Err(Problem::bad_request(format!("{key} names {found} clients; wanted at most {MOST_CLIENTS}")));
    }
    clients.iter().map(|client| client_id(key, client)).collect()
}

fn client_id(key: &str, client: &str) -> Result<ClientId, Problem> {
    client.parse().map_err(|why| Problem::bad_request(format!("{key} {client:?}: {why}")))
}
