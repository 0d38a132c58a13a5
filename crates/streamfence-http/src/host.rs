//! Keeps a loopback address to programs of this machine, where nobody is asked for a key.
//!
//! A web page can have its own name resolve to 127.0.0.1 and then talk to whatever listens there (DNS rebinding). It
//! cannot choose the `Host` its browser sends, so a name that is not a loopback one gives it away. Nor can it choose the
//! `Origin` that its browser sends with whatever it posts elsewhere.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::keys::Keys;
use crate::problem::{Code, Problem};

/// Refuses, as long as there are no keys, every request whose `Host` is neither `localhost` nor a loopback address, or
/// that comes from a page of another origin.
///
/// With keys nobody is let in by where it is, and a page that has none learns nothing.
pub fn loopback_hosts_only(router: Router, keys: &Keys) -> Router {
    router.layer(from_fn_with_state(keys.clone(), check))
}

async fn check(State(keys): State<Keys>, request: Request, next: Next) -> Response {
    match if keys.is_empty() { refuse_foreign(request.headers()) } else { Ok(()) } {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn refuse_foreign(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).unwrap_or_default();
    if !is_loopback(host) {
        let detail = format!("host {host:?} is not a loopback name; wanted localhost, 127.0.0.1 or [::1]");
        return Err(Problem::new(Code::ForbiddenHost, detail));
    }
    match text(header::ORIGIN) {
        Some(origin) if origin.split_once("://").is_none_or(|(_, of)| !of.eq_ignore_ascii_case(host)) => {
            let detail = format!("origin {origin:?} is another; wanted http://{host}, or a request of no page");
            Err(Problem::new(Code::ForbiddenOrigin, detail))
        }
        _ => Ok(()),
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_pass() {
        for host in
            ["localhost", "localhost:9093", "127.0.0.1", "127.0.0.1:9093", "127.9.9.9:1", "[::1]:9093", "LOCALHOST"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]:1", "::1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn only_pages_of_this_address_pass() {
        let refused = |origin: Option<&str>| {
            let mut headers = HeaderMap::from_iter([(header::HOST, "127.0.0.1:9093".parse().expect("a header"))]);
            headers.extend(origin.map(|origin| (header::ORIGIN, origin.parse().expect("a header"))));
            refuse_foreign(&headers).err().map(|problem| problem.code())
        };
        assert_eq!((refused(None), refused(Some("http://127.0.0.1:9093"))), (None, None));
        for origin in ["null", "", "http://evil.example", "http://127.0.0.1:8080", "http://127.0.0.1", "127.0.0.1:9093"]
        {
            assert_eq!(refused(Some(origin)), Some("FORBIDDEN_ORIGIN"), "{origin}");
        }
    }
}
