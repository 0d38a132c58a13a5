//! `POST /admin/v1/reload`: the configuration is read again, or only looked at.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::query::Order;
use crate::api::Api;
use crate::problem::Problem;
use crate::process::ReloadError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(default)]
    dry_run: bool,
}

/// Why nothing was changed, each mistake for itself.
#[derive(Serialize)]
struct Invalid {
    #[serde(flatten)]
    problem: Problem,
    errors: Vec<String>,
}

pub(super) async fn reload(
    State(api): State<Api>,
    Order(Wanted { dry_run }): Order<Wanted>,
) -> Result<Response, Problem> {
    match api.process.reload(dry_run).await {
        Ok(reloaded) => Ok(Json(reloaded).into_response()),
        Err(ReloadError::Invalid { errors }) => {
            let problem = Problem::config_invalid("the configuration is not valid; nothing was changed");
            let status = problem.status();
            let mut response = (status, Json(Invalid { problem, errors })).into_response();
            Problem::mark(&mut response);
            Ok(response)
        }
        Err(ReloadError::Stopping) => Err(Problem::shutting_down()),
        Err(ReloadError::NotHere(why)) => Err(Problem::not_available(why.to_string())),
    }
}
