//! Publishing: a message in, what became of it out.

mod audience;
mod one;
mod report;
mod request;

use axum::http::{HeaderMap, StatusCode, header};

use self::report::Report;
use self::request::PublishRequest;
use crate::keys::Scope;
use crate::problem::Code;
use crate::route::Route;

/// What can go wrong with any message.
const OF_A_MESSAGE: [Code; 7] = [
    Code::BadRequest,
    Code::UnknownTopic,
    Code::PublishRejected,
    Code::QueueFull,
    Code::LimitExceeded,
    Code::Internal,
    Code::ShuttingDown,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/publish", one::publish, "Publish a message, and learn what became of it")
            .needs(Scope::Publish)
            .takes::<PublishRequest>()
            .answers::<Report>(StatusCode::ACCEPTED, "It is published.")
            .fails(OF_A_MESSAGE)
            .fails([Code::PayloadTooLarge, Code::UnsupportedMediaType]),
    ]
}

/// Whether a body says that it is of this kind. Asking for one that no form can send is what makes a browser ask before it
/// lets a foreign page publish.
fn is_of_kind(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}
