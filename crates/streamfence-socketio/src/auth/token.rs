//! Where a client's token stands, and where the client is. Never whether the token is good.

use std::fmt;
use std::net::IpAddr;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Request, Uri};
use serde::Deserialize;
use serde_json::value::RawValue;
use streamfence_auth::Token;

use crate::link::LinkState;

/// Whose failures are counted: where the client is, as far as that is known.
pub(crate) fn client_address(link: &LinkState) -> Option<IpAddr> {
    link.client()
}

/// The token a client shows when it enters a namespace: in the auth of its CONNECT, in the head of its first request, or
/// in the query of that where it was taken from there. The first of these that there is counts.
///
/// # Errors
/// When it is there and is no text.
pub(crate) fn of_connect(auth: Option<&str>, first: &Parts) -> Result<Option<Token>, NoText> {
    let auth = auth.and_then(|auth| serde_json::from_str::<Auth<'_>>(auth).ok());
    if let Some(token) = auth.and_then(|auth| auth.token).map(TokenField::read).transpose()?.flatten() {
        return Ok(Some(token));
    }
    let of_query = || first.extensions.get::<QueryToken>().map(|QueryToken(token)| token.clone());
    Ok(bearer(&first.headers).or_else(of_query))
}

/// The token that a later request of a session shows: in its head, or in its query where one is taken from there.
pub(crate) fn of_request<B>(request: &Request<B>, token_query: bool) -> Option<Token> {
    let of_query = || in_query(request.uri().query().filter(|_| token_query)?).map(Token::from);
    bearer(request.headers()).or_else(of_query)
}

/// Takes the token out of the query of a request, so that it is not kept with it where anybody may look.
pub(crate) fn take_from_query(parts: &mut Parts) {
    let Some(query) = parts.uri.query() else { return };
    let Some(token) = in_query(query) else { return };
    let rest: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(IN_QUERY)).collect();
    let path_and_query = format!("{}?{}", parts.uri.path(), rest.join("&"));
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = path_and_query.parse().ok();
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
    parts.extensions.insert(QueryToken(Token::from(token)));
}

/// The auth of a CONNECT, as far as it is about tokens.
#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    token: Option<TokenField<'a>>,
}

/// A token as it stands in what a client says. Read by itself, because an error of a parser may hold what it has found.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(crate) struct TokenField<'a>(#[serde(borrow)] &'a RawValue);

impl TokenField<'_> {
    /// The token; none where there is `null`.
    pub(crate) fn read(self) -> Result<Option<Token>, NoText> {
        let token: Option<String> = serde_json::from_str(self.0.get()).map_err(|_| NoText)?;
        Ok(token.map(Token::from))
    }
}

impl fmt::Debug for TokenField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenField(..)")
    }
}

/// A token that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoText;

/// A token that stood in the query.
#[derive(Clone)]
struct QueryToken(Token);

const IN_QUERY: &str = "token=";

fn in_query(query: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix(IN_QUERY).map(decoded))
}

fn bearer(headers: &HeaderMap) -> Option<Token> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token::from(token.trim()))
}

/// A value of a query as its client meant it. What is no UTF-8 is no token of ours.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
        rest = after;
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                rest = &after[2..];
            }
            (b'+', ..) => bytes.push(b' '),
            (byte, ..) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, authorization: &str) -> Parts {
        let request = Request::builder().uri(uri).header(AUTHORIZATION, authorization);
        request.body(()).expect("it is valid").into_parts().0
    }

    fn found(auth: Option<&str>, first: &Parts) -> Option<String> {
        of_connect(auth, first).expect("it is a text").map(|token| token.expose().to_owned())
    }

    #[test]
    fn the_first_of_its_places_counts() {
        let mut all = parts("/socket.io/?EIO=4&token=in-query", "Bearer in-head");
        take_from_query(&mut all);
        assert_eq!(found(Some(r#"{"token":"in-auth"}"#), &all).as_deref(), Some("in-auth"));
        for none in [None, Some("{}"), Some(r#"{"token":null}"#), Some("7")] {
            assert_eq!(found(none, &all).as_deref(), Some("in-head"), "{none:?}");
        }
        for scheme in ["Basic", "Bearerish"] {
            let mut query = parts("/socket.io/?EIO=4&token=in-query", &format!("{scheme} in-head"));
            assert_eq!(found(None, &query), None, "not before it was taken from there");
            take_from_query(&mut query);
            assert_eq!(found(None, &query).as_deref(), Some("in-query"));
        }
        assert_eq!(found(Some(r#"{"token":""}"#), &all).as_deref(), Some(""), "nothing is a token too, if a bad one");
        assert_eq!(of_connect(Some(r#"{"token":7}"#), &all).err(), Some(NoText));
    }

    #[test]
    fn a_token_in_the_query_is_read_as_it_was_meant_and_is_kept_nowhere_else() {
        for (query, token, rest) in [
            ("EIO=4&token=a%20b%2Bc+d&x=1", "a b+c d", "EIO=4&x=1"),
            ("token=t", "t", ""),
            ("token=first&EIO=4&token=second", "first", "EIO=4"),
            ("EIO=4&token=%zz%4", "%zz%4", "EIO=4"),
            ("EIO=4&token=%ff", "", "EIO=4"),
        ] {
            let mut parts = parts(&format!("/socket.io/?{query}"), "none");
            take_from_query(&mut parts);
            assert_eq!(parts.uri.query(), Some(rest));
            assert_eq!(parts.uri.path(), "/socket.io/");
            assert_eq!(found(None, &parts).as_deref(), Some(token));
        }
        let mut other = parts("/socket.io/?EIO=4&mytoken=a", "none");
        take_from_query(&mut other);
        assert_eq!((other.uri.query(), found(None, &other)), (Some("EIO=4&mytoken=a"), None));
    }

    #[test]
    fn nothing_shows_a_token() {
        let field = serde_json::from_str::<Auth<'_>>(r#"{"token":"hunter2"}"#).expect("it is JSON").token;
        assert_eq!(format!("{field:?}"), "Some(TokenField(..))");
    }
}
