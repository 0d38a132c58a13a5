//! `POST /admin/v1/disconnect`: a client has to go, or all sessions of a principal.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::query::{Order, client_id, unknown_client};
use crate::api::Api;
use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    client: Option<String>,
    principal: Option<String>,
    /// For the log.
    reason: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Disconnected {
    disconnected: u64,
}

pub(super) async fn disconnect(
    State(api): State<Api>,
    Order(wanted): Order<Wanted>,
) -> Result<Json<Disconnected>, Problem> {
    let Wanted { client, principal, reason } = wanted;
    let disconnected = match (&client, &principal) {
        (Some(client), None) => {
            let client = client_id(client)?;
            if !api.fence.disconnect(client).await {
                return Err(unknown_client(client));
            }
            1
        }
        // Nobody of that name is what was wished for.
        (None, Some(principal)) => api.fence.disconnect_principal(principal).await,
        _ => return Err(Problem::bad_request("wanted client or principal, one of the two")),
    };
    tracing::info!(
        code = "disconnected_by_admin",
        client,
        principal,
        reason,
        disconnected,
        "clients were disconnected"
    );
    Ok(Json(Disconnected { disconnected }))
}
