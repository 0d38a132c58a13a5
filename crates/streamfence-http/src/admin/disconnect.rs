//! `POST /admin/v1/disconnect`: a client has to go, or all sessions of a principal.

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OF_AN_ORDER;
use super::query::{Order, by, client_id, unknown_client};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Disconnect {
    client: Option<String>,
    principal: Option<String>,
    /// For the log.
    reason: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Disconnected {
    disconnected: u64,
}

pub(super) fn route() -> Route {
    Route::post("/admin/v1/disconnect", disconnect, "Disconnect a client, or all sessions of a principal")
        .needs(Scope::Admin)
        .takes::<Disconnect>()
        .answers::<Disconnected>(StatusCode::OK, "They are gone.")
        .fails(OF_AN_ORDER)
        .fails([Code::UnknownClient])
}

pub(super) async fn disconnect(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Order(wanted): Order<Disconnect>,
) -> Result<Json<Disconnected>, Problem> {
    let Disconnect { client, principal, reason } = wanted;
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
    if disconnected > 0 {
        tracing::info!(
            code = "disconnected_by_admin",
            by = by(&caller),
            client,
            principal,
            reason,
            disconnected,
            "clients were disconnected"
        );
    }
    Ok(Json(Disconnected { disconnected }))
}
