//! Which web pages may connect.
//!
//! An origin is checked on the polling requests and on the upgrade alike: browsers let any page open a websocket, and
//! CORS only keeps a page from reading a poll's answer. Clients that are no browsers send no origin and are let in.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;

/// The origins a server accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origins<'a> {
    allowed: &'a [String],
}

impl<'a> Origins<'a> {
    pub(crate) fn new(allowed: &'a [String]) -> Self {
        Self { allowed }
    }

    /// Whether a request's origin is accepted: exactly one of the list, or anything where there is no list.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        match headers.get(header::ORIGIN) {
            Some(origin) => {
                self.allowed.is_empty()
                    || self.allowed.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
            }
            None => true,
        }
    }

    /// The answer to a browser that asks before it polls.
    pub(crate) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        if request.method() != Method::OPTIONS || self.allowed.is_empty() {
            return None;
        }
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        if let Some(wanted) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        Some(response)
    }

    /// Lets the page of an accepted origin read an answer.
    pub(crate) fn open(&self, origin: Option<HeaderValue>, response: &mut HeaderMap) {
        if self.allowed.is_empty() {
            return;
        }
        response.append(header::VARY, HeaderValue::from(HeaderName::from_static("origin")));
        if let Some(origin) = origin {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: Option<&'static str>) -> HeaderMap {
        origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))).into_iter().collect()
    }

    #[test]
    fn only_the_listed_origin_and_no_origin_are_allowed() {
        let allowed = ["https://example.com".to_owned()];
        let origins = Origins::new(&allowed);
        for (origin, is_allowed) in [
            (None, true),
            (Some("https://example.com"), true),
            (Some("https://evil.example"), false),
            (Some("https://evil-example.com"), false),
            (Some("https://example.com.evil.example"), false),
            (Some("http://example.com"), false),
            (Some("null"), false),
        ] {
            assert_eq!(origins.allows(&from(origin)), is_allowed, "{origin:?}");
        }
    }

    #[test]
    fn no_list_checks_nothing_and_a_star_allows_all() {
        for list in [vec![], vec!["*".into()]] {
            assert!(Origins::new(&list).allows(&from(Some("https://anything.example"))));
        }
    }

    #[test]
    fn an_answer_is_open_to_its_own_origin() {
        let mut headers = HeaderMap::new();
        let allowed = ["https://example.com".to_owned()];
        let origins = Origins::new(&allowed);
        origins.open(Some(HeaderValue::from_static("https://example.com")), &mut headers);
        assert_eq!(headers["access-control-allow-origin"], "https://example.com");
        assert_eq!(headers["vary"], "origin");
    }
}
