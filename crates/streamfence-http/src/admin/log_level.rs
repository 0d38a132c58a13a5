//! `POST /admin/v1/log-level`: from which level up lines are logged, until it is said otherwise.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::query::Order;
use crate::api::Api;
use crate::problem::Problem;
use crate::process::LogLevelError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    level: String,
}

#[derive(Serialize)]
pub(super) struct Level {
    level: String,
    before: String,
}

pub(super) async fn log_level(
    State(api): State<Api>,
    Order(Wanted { level }): Order<Wanted>,
) -> Result<Json<Level>, Problem> {
    match api.process.set_log_level(&level) {
        Ok(before) => Ok(Json(Level { level, before })),
        Err(why @ LogLevelError::Unknown { .. }) => Err(Problem::bad_request(why.to_string())),
        Err(LogLevelError::NotHere(why)) => Err(Problem::not_available(why.to_string())),
    }
}
