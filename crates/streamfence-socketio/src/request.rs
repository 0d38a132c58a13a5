//! What a request to the Socket.IO path wants, and whether it is well-formed.
//!
//! Nothing is answered with a 101 that would be closed right after: all checks of an upgrade are here.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Full;
use streamfence_core::RefusalReason;

use crate::auth::take_from_query;

/// What a well-formed request wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// A session that begins with polling.
    Handshake,
    /// The packets for a polling session.
    Poll { sid: &'a str },
    /// To hand in packets of a polling session.
    Post { sid: &'a str },
    /// A websocket, for a new session or for one that polls.
    WebSocket { sid: Option<&'a str>, key: &'a HeaderValue },
}

/// Why a request is refused, with the codes of Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    UnsupportedProtocol,
    ForbiddenOrigin,
    /// The session is somebody else's.
    ForeignSession,
    UnsupportedEncoding,
    TooLarge,
    TooSlow,
    TooMuch,
    TooManyConnections,
    /// So many of the address live already.
    TooManyFromAddress,
    /// So many of the address came of late; there is a place again after this.
    TooManyHandshakes(Duration),
    /// So many have joined nothing yet.
    TooManyPending,
    /// So many of the address have joined nothing, or ended so of late.
    TooManyPendingFromAddress,
    /// So many have ended of late without having joined anything.
    TooManyDeparted,
    /// The server takes no more clients.
    ShuttingDown,
}

impl Refusal {
    pub(crate) fn response(self) -> Response<Full<Bytes>> {
        let (status, body) = match self {
            Self::UnknownTransport => (StatusCode::BAD_REQUEST, r#"{"code":0,"message":"Transport unknown"}"#),
            Self::UnknownSession => (StatusCode::BAD_REQUEST, r#"{"code":1,"message":"Session ID unknown"}"#),
            Self::BadMethod => (StatusCode::BAD_REQUEST, r#"{"code":2,"message":"Bad handshake method"}"#),
            Self::BadRequest => (StatusCode::BAD_REQUEST, r#"{"code":3,"message":"Bad request"}"#),
            Self::ForbiddenOrigin | Self::ForeignSession => {
                (StatusCode::FORBIDDEN, r#"{"code":4,"message":"Forbidden"}"#)
            }
            Self::UnsupportedProtocol => {
                (StatusCode::BAD_REQUEST, r#"{"code":5,"message":"Unsupported protocol version"}"#)
            }
            Self::UnsupportedEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ""),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, ""),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, ""),
            Self::TooMuch => (StatusCode::TOO_MANY_REQUESTS, ""),
            Self::TooManyFromAddress => {
                let body = r#"{"code":"LIMIT_EXCEEDED","message":"too many connections from this address"}"#;
                (StatusCode::TOO_MANY_REQUESTS, body)
            }
            Self::TooManyHandshakes(_) => {
                let body = r#"{"code":"RATE_LIMITED","message":"too many new connections from this address"}"#;
                (StatusCode::TOO_MANY_REQUESTS, body)
            }
            Self::TooManyPendingFromAddress => {
                let body =
                    r#"{"code":"LIMIT_EXCEEDED","message":"too many connections from this address that join nothing"}"#;
                (StatusCode::TOO_MANY_REQUESTS, body)
            }
            Self::TooManyConnections | Self::TooManyPending | Self::TooManyDeparted | Self::ShuttingDown => {
                (StatusCode::SERVICE_UNAVAILABLE, "")
            }
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        if !body.is_empty() {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let retry_after = match self {
            Self::TooManyFromAddress
            | Self::TooManyPending
            | Self::TooManyPendingFromAddress
            | Self::TooManyDeparted
            | Self::ShuttingDown => Some(RETRY_AFTER_SECS),
            Self::TooManyHandshakes(wait) => Some(wait.as_secs() + 1),
            _ => None,
        };
        if let Some(secs) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, secs.into());
        }
        response
    }

    /// What it is counted as, if it is.
    pub(crate) fn reason(self) -> Option<RefusalReason> {
        Some(match self {
            Self::ForbiddenOrigin => RefusalReason::Origin,
            Self::UnknownSession => RefusalReason::UnknownSession,
            Self::ForeignSession => RefusalReason::ForeignSession,
            Self::TooLarge => RefusalReason::BodyTooLarge,
            Self::TooSlow => RefusalReason::BodyTimeout,
            Self::TooMuch => RefusalReason::Unread,
            Self::TooManyConnections => RefusalReason::Full,
            Self::TooManyFromAddress => RefusalReason::ConnectionsPerIp,
            Self::TooManyHandshakes(_) => RefusalReason::HandshakeRate,
            Self::TooManyPending => RefusalReason::Pending,
            Self::TooManyPendingFromAddress => RefusalReason::PendingPerIp,
            Self::TooManyDeparted => RefusalReason::Departed,
            Self::UnknownTransport
            | Self::BadMethod
            | Self::BadRequest
            | Self::UnsupportedProtocol
            | Self::UnsupportedEncoding => RefusalReason::BadRequest,
            Self::ShuttingDown => return None,
        })
    }
}

/// When whoever finds no place is to come again: also when a server stops, since those that were told to go come back then.
const RETRY_AFTER_SECS: u64 = 5;

/// Reads what a request wants.
pub(crate) fn wanted<B>(request: &Request<B>, allow_polling: bool) -> Result<Wanted<'_>, Refusal> {
    let query = request.uri().query().ok_or(Refusal::UnknownTransport)?;
    let value_of = |key: &str| {
        query.split('&').find_map(|pair| pair.split_once('=').and_then(|(name, value)| (name == key).then_some(value)))
    };
    if value_of("EIO") != Some("4") {
        return Err(Refusal::UnsupportedProtocol);
    }
    let sid = value_of("sid");
    match (value_of("transport"), request.method(), sid) {
        (Some("websocket"), &Method::GET, sid) => {
            let key = websocket_key(request).ok_or(Refusal::BadRequest)?;
            Ok(Wanted::WebSocket { sid, key })
        }
        (Some("polling"), _, _) if !allow_polling => Err(Refusal::BadRequest),
        (Some("polling"), &Method::GET, None) => Ok(Wanted::Handshake),
        (Some("polling"), &Method::GET, Some(sid)) => Ok(Wanted::Poll { sid }),
        (Some("polling"), &Method::POST, Some(sid)) => Ok(Wanted::Post { sid }),
        (Some("polling" | "websocket"), _, None) => Err(Refusal::BadMethod),
        (Some("polling" | "websocket"), _, Some(_)) => Err(Refusal::BadRequest),
        _ => Err(Refusal::UnknownTransport),
    }
}

/// Whether a path is this one or lies below it: `/socket.io` is not the home of `/socket.io-admin`.
pub(crate) fn is_below(path: &str, root: &str) -> bool {
    let rest = path.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || root.ends_with('/'))
}

/// The same head in memory of its own.
///
/// A session keeps the head of its first request for as long as it lives; hyper's slices of it would keep a whole read
/// buffer. What only the handshake needed is left out, and what came beside the headers is kept.
///
/// A token never shows in it: a header that may hold one is marked, and where the query may, it is taken out of there.
pub(crate) fn detached(mut parts: Parts, token_query: bool) -> Parts {
    if token_query {
        take_from_query(&mut parts);
    }
    let mut own = Request::new(()).into_parts().0;
    own.method = parts.method;
    own.version = parts.version;
    own.uri = parts.uri.to_string().parse().unwrap_or_default();
    let is_kept = |name: &HeaderName| !LEFT_OUT.contains(name);
    own.headers = HeaderMap::with_capacity(parts.headers.keys().filter(|name| is_kept(name)).count());
    for (name, value) in parts.headers.iter().filter(|(name, _)| is_kept(name)) {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            value.set_sensitive(SENSITIVE.contains(&name));
            own.headers.append(name, value);
        }
    }
    own.extensions = parts.extensions;
    own
}

/// The head of a request the layer makes itself.
pub(crate) fn own_post(path: &str, sid: &str) -> Option<Request<Full<Bytes>>> {
    let uri: Uri = format!("{path}/?EIO=4&transport=polling&sid={sid}").parse().ok()?;
    let mut request = Request::new(Full::from("1"));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    Some(request)
}

fn websocket_key<B>(request: &Request<B>) -> Option<&HeaderValue> {
    let headers = request.headers();
    let has_token = |name: HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    let is_upgrade = request.version() == Version::HTTP_11
        && has_token(header::CONNECTION, "upgrade")
        && has_token(header::UPGRADE, "websocket")
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_upgrade && !key.is_empty())
}

/// Headers that `Debug` does not show.
const SENSITIVE: [HeaderName; 2] = [header::AUTHORIZATION, header::COOKIE];
/// Headers that mean nothing once the handshake is done.
const LEFT_OUT: [HeaderName; 14] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::PRAGMA,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_VERSION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::UPGRADE_INSECURE_REQUESTS,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str) -> Request<()> {
        Request::builder().method(method).uri(uri).body(()).expect("a valid request")
    }

    fn upgrade(uri: &str) -> Request<()> {
        let mut request = request("GET", uri);
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("authorization", "Bearer token"),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn each_request_is_what_it_wants() {
        let polling = "/socket.io/?EIO=4&transport=polling";
        assert_eq!(wanted(&request("GET", polling), true), Ok(Wanted::Handshake));
        let poll = format!("{polling}&t=x&sid=abc");
        assert_eq!(wanted(&request("GET", &poll), true), Ok(Wanted::Poll { sid: "abc" }));
        assert_eq!(wanted(&request("POST", &poll), true), Ok(Wanted::Post { sid: "abc" }));
        let websocket = upgrade("/socket.io/?EIO=4&transport=websocket");
        assert!(matches!(wanted(&websocket, true), Ok(Wanted::WebSocket { sid: None, .. })));
    }

    #[test]
    fn what_is_malformed_is_refused_before_it_is_upgraded() {
        for (method, uri, refusal) in [
            ("GET", "/socket.io/", Refusal::UnknownTransport),
            ("GET", "/socket.io/?EIO=4", Refusal::UnknownTransport),
            ("GET", "/socket.io/?EIO=4&transport=carrier-pigeon", Refusal::UnknownTransport),
            ("GET", "/socket.io/?EIO=3&transport=polling", Refusal::UnsupportedProtocol),
            ("GET", "/socket.io/?transport=polling", Refusal::UnsupportedProtocol),
            ("POST", "/socket.io/?EIO=4&transport=polling", Refusal::BadMethod),
            ("PUT", "/socket.io/?EIO=4&transport=polling&sid=abc", Refusal::BadRequest),
            ("POST", "/socket.io/?EIO=4&transport=websocket&sid=abc", Refusal::BadRequest),
        ] {
            assert_eq!(wanted(&request(method, uri), true), Err(refusal), "{method} {uri}");
        }
        for header in ["connection", "upgrade", "sec-websocket-version", "sec-websocket-key"] {
            let mut websocket = upgrade("/socket.io/?EIO=4&transport=websocket");
            websocket.headers_mut().remove(header);
            assert_eq!(wanted(&websocket, true), Err(Refusal::BadRequest), "without {header}");
        }
    }

    #[test]
    fn polling_is_refused_where_it_is_not_offered() {
        let polling = request("GET", "/socket.io/?EIO=4&transport=polling");
        assert_eq!(wanted(&polling, false), Err(Refusal::BadRequest));
        assert!(wanted(&upgrade("/?EIO=4&transport=websocket"), false).is_ok());
    }

    #[test]
    fn a_path_is_its_own_and_what_lies_below_it() {
        for path in ["/socket.io", "/socket.io/", "/socket.io/x"] {
            assert!(is_below(path, "/socket.io"), "{path}");
        }
        for path in ["/", "/socket.io-admin", "/x/socket.io"] {
            assert!(!is_below(path, "/socket.io"), "{path}");
        }
    }

    #[test]
    fn a_kept_head_has_what_an_application_may_ask_for() {
        let (mut parts, ()) = upgrade("/socket.io/?EIO=4&transport=websocket&room=1").into_parts();
        parts.extensions.insert(7_u8);
        let own = detached(parts, false);
        assert_eq!(own.uri.query(), Some("EIO=4&transport=websocket&room=1"));
        assert_eq!(own.headers.len(), 1);
        assert_eq!(own.headers["authorization"], "Bearer token");
        assert_eq!(own.extensions.get::<u8>(), Some(&7));
        assert!(!format!("{own:?}").contains("Bearer"), "{own:?}");
    }

    #[test]
    fn a_kept_head_has_no_token_in_its_query_where_one_may_stand_there() {
        let uri = "/socket.io/?EIO=4&token=hunter2&transport=websocket";
        let kept = |token_query| detached(upgrade(uri).into_parts().0, token_query);
        assert_eq!(kept(true).uri.query(), Some("EIO=4&transport=websocket"));
        assert!(!format!("{:?}", kept(true)).contains("hunter2"));
        assert_eq!(kept(false).uri.query(), Some("EIO=4&token=hunter2&transport=websocket"), "it is no token there");
    }
}
