//! Clients that hide nothing of the protocol.

pub(crate) mod http;
pub(crate) mod polling;
pub(crate) mod websocket;

pub(crate) use http::{Answer, Http};
pub(crate) use polling::Polling;
pub(crate) use websocket::{Heard, Socket};

/// What separates the packets of a payload.
pub(crate) const SEPARATOR: char = '\u{1e}';

/// The first argument of a namespace's packets: `/custom,`, and nothing for the main namespace.
pub(crate) fn head(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}
