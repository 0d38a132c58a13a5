//! `POST /admin/v1/log-level`: from which level up lines are logged, until it is said otherwise.

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OF_AN_ORDER;
use super::query::{Order, by};
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};
use crate::process::LogLevelError;
use crate::route::Route;
use axum::http::StatusCode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLevel {
    level: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LogLevelChange {
    level: String,
    before: String,
}

pub(super) fn route() -> Route {
    Route::post("/admin/v1/log-level", log_level, "Log from another level up, at once")
        .needs(Scope::Admin)
        .takes::<LogLevel>()
        .answers::<LogLevelChange>(
            StatusCode::OK,
            "It holds until another is asked for, or the configuration names another.",
        )
        .fails(OF_AN_ORDER)
        .fails([Code::NotAvailable])
}

pub(super) async fn log_level(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Order(LogLevel { level }): Order<LogLevel>,
) -> Result<Json<LogLevelChange>, Problem> {
    match api.process.set_log_level(&level) {
        Ok(before) => {
            let (from, by) = (&before, by(&caller));
            tracing::warn!(code = "log_level_changed", from, to = level, by, "the log level has changed at once");
            Ok(Json(LogLevelChange { level, before }))
        }
        Err(why @ LogLevelError::Unknown { .. }) => Err(Problem::bad_request(why.to_string())),
        Err(LogLevelError::NotHere(why)) => Err(Problem::new(Code::NotAvailable, why.to_string())),
    }
}
