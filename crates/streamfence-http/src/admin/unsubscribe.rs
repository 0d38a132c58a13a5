//! `POST /admin/v1/unsubscribe`: a client is to get no more of a topic.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use streamfence_runtime::UnsubscribeReason;

use super::query::{Order, client_id, unknown_client};
use crate::api::Api;
use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    client: String,
    topic: String,
}

#[derive(Serialize)]
pub(super) struct Unsubscribed {
    /// `false` where it was not subscribed.
    unsubscribed: bool,
}

pub(super) async fn unsubscribe(
    State(api): State<Api>,
    Order(Wanted { client, topic }): Order<Wanted>,
) -> Result<Json<Unsubscribed>, Problem> {
    let client = client_id(&client)?;
    let unsubscribed = api.fence.unsubscribe(client, &topic, UnsubscribeReason::Admin).await;
    let unsubscribed = unsubscribed.ok_or_else(|| unknown_client(client))?;
    tracing::info!(code = "unsubscribed_by_admin", %client, topic, unsubscribed, "a subscription was ended");
    Ok(Json(Unsubscribed { unsubscribed }))
}
