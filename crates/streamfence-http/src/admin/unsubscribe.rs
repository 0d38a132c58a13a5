//! `POST /admin/v1/unsubscribe`: a client is to get no more of a topic.

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamfence_runtime::UnsubscribeReason;

use super::OF_AN_ORDER;
use super::query::{Order, by, client_id, unknown_client};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unsubscribe {
    client: String,
    topic: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Unsubscribed {
    /// `false` where it was not subscribed.
    unsubscribed: bool,
}

pub(super) fn route() -> Route {
    Route::post("/admin/v1/unsubscribe", unsubscribe, "End a client's subscription")
        .needs(Scope::Admin)
        .takes::<Unsubscribe>()
        .answers::<Unsubscribed>(StatusCode::OK, "The client is told, with the reason `admin`.")
        .fails(OF_AN_ORDER)
        .fails([Code::UnknownClient])
}

pub(super) async fn unsubscribe(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Order(Unsubscribe { client, topic }): Order<Unsubscribe>,
) -> Result<Json<Unsubscribed>, Problem> {
    let client = client_id(&client)?;
    let unsubscribed = api.fence.unsubscribe(client, &topic, UnsubscribeReason::Admin).await;
    let unsubscribed = unsubscribed.ok_or_else(|| unknown_client(client))?;
    tracing::info!(code = "unsubscribed_by_admin", by = by(&caller), %client, topic, unsubscribed, "a subscription was ended");
    Ok(Json(Unsubscribed { unsubscribed }))
}
