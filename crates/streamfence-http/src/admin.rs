//! `/admin/v1`: a running fence as somebody who operates it sees it, and what may be done to it. One file a resource.

mod clients;
pub(crate) mod dead_letters;
mod disconnect;
mod drain;
pub(crate) mod history;
mod info;
pub(crate) mod known;
mod log_level;
mod policy;
pub(crate) mod query;
mod reload;
mod servers;
mod topics;
mod totals;
mod unsubscribe;

use crate::problem::Code;
use crate::route::Route;

/// What can go wrong with anything that takes a body.
const OF_AN_ORDER: [Code; 3] = [Code::BadRequest, Code::PayloadTooLarge, Code::UnsupportedMediaType];

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![info::route(), servers::route(), topics::route(), history::route()];
    routes.extend(clients::routes());
    routes.extend(dead_letters::routes());
    routes.extend([disconnect::route(), unsubscribe::route(), reload::route(), drain::route(), log_level::route()]);
    routes
}
