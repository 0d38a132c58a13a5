//! Keeps a loopback address to programs of this machine.
//!
//! A web page can have its own name resolve to 127.0.0.1 and then talk to whatever listens there (DNS rebinding). It
//! cannot choose the `Host` its browser sends, so a name that is not a loopback one gives it away.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Refuses every request whose `Host` is neither `localhost` nor a loopback address.
pub fn loopback_hosts_only(router: Router) -> Router {
    router.layer(from_fn(check))
}

async fn check(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_loopback(host) { next.run(request).await } else { Problem::forbidden_host(host).into_response() }
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
    use super::is_loopback;

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
}
