//! `/admin/v1`: a running fence as somebody who operates it sees it, and what may be done to it. One file a resource.

mod clients;
pub(crate) mod dead_letters;
mod disconnect;
mod drain;
pub(crate) mod history;
mod info;
mod log_level;
mod policy;
pub(crate) mod query;
mod reload;
mod servers;
mod topics;
mod totals;
mod unsubscribe;

use axum::Router;
use axum::routing::{get, post};

use crate::api::Api;
use crate::events;

/// What asks, and changes nothing.
pub(crate) fn questions() -> Router<Api> {
    Router::new()
        .route("/admin/v1/info", get(info::info))
        .route("/admin/v1/servers", get(servers::servers))
        .route("/admin/v1/topics", get(topics::topics))
        .route("/admin/v1/clients", get(clients::clients))
        .route("/admin/v1/clients/{id}", get(clients::client))
        .route("/admin/v1/slow", get(clients::slow))
        .route("/admin/v1/dead-letters", get(dead_letters::list))
        .route("/admin/v1/history", get(history::history))
        .route("/admin/v1/events", get(events::events))
}

/// What changes something.
pub(crate) fn orders() -> Router<Api> {
    Router::new()
        .route("/admin/v1/disconnect", post(disconnect::disconnect))
        .route("/admin/v1/unsubscribe", post(unsubscribe::unsubscribe))
        .route("/admin/v1/reload", post(reload::reload))
        .route("/admin/v1/drain", post(drain::drain))
        .route("/admin/v1/log-level", post(log_level::log_level))
        .route("/admin/v1/dead-letters/replay", post(dead_letters::replay))
        .route("/admin/v1/dead-letters/purge", post(dead_letters::purge))
}
