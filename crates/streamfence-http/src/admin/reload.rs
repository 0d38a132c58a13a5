//! `POST /admin/v1/reload`: the configuration is read again, or only looked at.

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;

use super::OF_AN_ORDER;
use super::query::{Order, by};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};
use crate::process::{ReloadError, Reloaded};
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Reload {
    #[serde(default)]
    dry_run: bool,
}

pub(super) fn route() -> Route {
    Route::post("/admin/v1/reload", reload, "Read the configuration again, or look what that would change")
        .needs(Scope::Admin)
        .takes::<Reload>()
        .answers::<Reloaded>(StatusCode::OK, "Each key that is not what it was, and from when on it holds.")
        .fails(OF_AN_ORDER)
        .fails([Code::ConfigInvalid, Code::NotAvailable, Code::ShuttingDown])
}

pub(super) async fn reload(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Order(Reload { dry_run }): Order<Reload>,
) -> Result<Json<Reloaded>, Problem> {
    let outcome = api.process.reload(dry_run).await;
    // What was read, if only to be refused.
    if matches!(outcome, Ok(_) | Err(ReloadError::Invalid { .. })) {
        let is_valid = outcome.is_ok();
        tracing::info!(
            code = "reload_by_admin",
            by = by(&caller),
            dry_run,
            is_valid,
            "the configuration was read again"
        );
    }
    match outcome {
        Ok(reloaded) => Ok(Json(reloaded)),
        Err(ReloadError::Invalid { errors }) => {
            let problem = Problem::new(Code::ConfigInvalid, "the configuration is not valid; nothing was changed");
            Err(problem.with("errors", errors.into()))
        }
        Err(ReloadError::Stopping) => Err(Problem::new(Code::ShuttingDown, "the process is about to end")),
        Err(ReloadError::NotHere(why)) => Err(Problem::new(Code::NotAvailable, why.to_string())),
    }
}
