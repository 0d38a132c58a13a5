//! Which web pages may connect.
//!
//! An origin is checked on the polling requests and on the upgrade alike: browsers let any page open a websocket, and
//! CORS only keeps a page from reading a poll's answer. Clients that are no browsers send no origin and are let in.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;

/// The origins a server accepts now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origins<'a>(pub(crate) &'a [String]);

impl Origins<'_> {
    /// Whether a request's origin is accepted: exactly one of the list, or anything where there is no list.
    pub(crate) fn allows(self, headers: &HeaderMap) -> bool {
        self.0.is_empty() || headers.get_all(header::ORIGIN).iter().all(|origin| self.has_any() || self.lists(origin))
    }

    /// The answer to a browser that asks before it polls.
    pub(crate) fn preflight<B>(self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        if request.method() != Method::OPTIONS || self.0.is_empty() || !is_polling(request) {
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

    /// Lets the page of an accepted origin read an answer; with what the browser knows of us only where the origin is on
    /// the list by its name.
    pub(crate) fn open(self, origin: Option<HeaderValue>, response: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        response.append(header::VARY, HeaderValue::from(HeaderName::from_static("origin")));
        match origin {
            Some(origin) if self.lists(&origin) => {
                response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            Some(_) if self.has_any() => {
                response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            _ => {}
        }
    }

    fn lists(self, origin: &HeaderValue) -> bool {
        origin != "*" && self.0.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }

    fn has_any(self) -> bool {
        self.0.iter().any(|allowed| allowed == "*")
    }
}

/// Whether a request polls: what a websocket says is no business of CORS.
pub(crate) fn is_polling<B>(request: &Request<B>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "transport=polling"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIST: &[&str] = &["https://example.com", "http://localhost:8080"];

    fn list(origins: &[&str]) -> Vec<String> {
        origins.iter().map(|origin| (*origin).to_owned()).collect()
    }

    fn from(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_str(origin).expect("a header"))])
    }

    #[test]
    fn only_the_listed_origin_and_no_origin_are_allowed() {
        let list = list(LIST);
        let origins = Origins(&list);
        assert!(origins.allows(&HeaderMap::new()));
        assert!(origins.allows(&from("https://example.com")));
        for origin in [
            "https://evil.example",
            "https://evil-example.com",
            "https://example.com.evil.example",
            "https://sub.example.com",
            "https://example.com:443",
            "https://example.com/",
            "https://example.com@evil.example",
            "https://EXAMPLE.com",
            "http://example.com",
            "http://localhost:80801",
            "http://localhost",
            "null",
            "*",
            "",
        ] {
            assert!(!origins.allows(&from(origin)), "{origin}");
        }
        let mut two = from("https://example.com");
        two.append(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert!(!origins.allows(&two), "each of two");
        let null = vec!["null".to_owned()];
        assert!(Origins(&null).allows(&from("null")), "where it is listed");
    }

    proptest! {
        /// Whatever is put before or behind a listed origin makes it another one.
        #[test]
        fn nothing_but_the_listed_text_is_allowed(before in "[!-~]{0,8}", which in 0_usize..2, after in "[!-~]{0,8}") {
            let (list, origin) = (list(LIST), format!("{before}{}{after}", LIST[which]));
            prop_assert_eq!(Origins(&list).allows(&from(&origin)), LIST.contains(&origin.as_str()));
        }
    }

    #[test]
    fn no_list_checks_nothing_and_a_star_allows_all() {
        for list in [vec![], list(&["*"])] {
            assert!(Origins(&list).allows(&from("https://anything.example")));
        }
    }

    #[test]
    fn an_answer_is_open_to_its_own_origin_and_to_any_without_credentials() {
        let list = list(&["https://example.com", "*"]);
        let opened = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            Origins(&list).open(Some(HeaderValue::from_static(origin)), &mut headers);
            assert_eq!(headers["vary"], "origin");
            headers
        };
        let known = opened("https://example.com");
        assert_eq!(known["access-control-allow-origin"], "https://example.com");
        assert_eq!(known["access-control-allow-credentials"], "true");
        let anybody = opened("https://anything.example");
        assert_eq!(anybody["access-control-allow-origin"], "*");
        assert!(!anybody.contains_key("access-control-allow-credentials"));
    }
}
