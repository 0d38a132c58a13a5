//! What the other side says, and what is made of it.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde::Deserialize;

use crate::principal::is_principal;
use crate::token::Token;
use crate::validator::{Access, AuthDecision, Grant};

#[derive(Deserialize)]
struct Answer {
    allow: bool,
    principal: Option<String>,
    /// In seconds since 1970.
    expires: Option<u64>,
    reason: Option<String>,
}

/// A refusal that the status alone says; nothing where the body says the rest.
pub(super) fn by_status(status: StatusCode) -> Result<Option<AuthDecision>, &'static str> {
    match status {
        StatusCode::OK => Ok(None),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Some(AuthDecision::reject(REFUSED))),
        _ => Err("the status of the authorisation hook's answer is none of 200, 401 and 403"),
    }
}

const REFUSED: &str = "the authorisation hook says no";

/// What a body says; who is let in is asked about again after so long.
pub(super) fn read(body: &[u8], token: &Token, ask_again: Option<Duration>) -> Result<AuthDecision, &'static str> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| "the answer of the authorisation hook is not what it should be")?;
    if !answer.allow {
        return Ok(AuthDecision::reject(match answer.reason {
            Some(reason) => format!("{REFUSED}: {}", told(&reason, token)),
            None => REFUSED.to_owned(),
        }));
    }
    let principal = answer.principal.filter(|name| is_principal(name));
    let principal =
        principal.ok_or("the authorisation hook names no principal of 1 to 128 bytes without control characters")?;
    // Beyond what the clock can tell, it is for ever.
    let expires = answer.expires.and_then(|end| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(end)));
    if expires.is_some_and(|end| end <= SystemTime::now()) {
        return Ok(AuthDecision::reject("what the authorisation hook grants has expired"));
    }
    Ok(AuthDecision::Accept(Grant { principal: principal.into(), expires, ask_again, access: Access::Ask }))
}

/// The most characters of a reason that go to a log.
const MAX_REASON_CHARS: usize = 200;

/// A reason as the operator reads it: on one line, short, and without the token that it may have been told.
fn told(reason: &str, token: &Token) -> String {
    if reason.contains(token.expose()) {
        return "(a reason that holds the token)".to_owned();
    }
    let line = |c: char| if c.is_control() { ' ' } else { c };
    reason.chars().take(MAX_REASON_CHARS).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(body: &str) -> String {
        match read(body.as_bytes(), &Token::from("hunter2"), None) {
            Ok(AuthDecision::Accept(Grant { principal, expires, .. })) => format!("accepted {principal} {expires:?}"),
            Ok(AuthDecision::Reject(why)) => format!("rejected: {why}"),
            Ok(AuthDecision::Unavailable(why)) => panic!("that is no answer: {why}"),
            Err(why) => format!("none: {why}"),
        }
    }

    #[test]
    fn an_answer_is_yes_with_a_name_or_no() {
        assert_eq!(outcome(r#"{"allow": true, "principal": "alice"}"#), "accepted alice None");
        assert_eq!(outcome(r#"{"allow": true, "principal": "alice", "more": 1}"#), "accepted alice None");
        let far = outcome(r#"{"allow": true, "principal": "alice", "expires": 18446744073709551615}"#);
        assert_eq!(far, "accepted alice None");
        let late = r#"{"allow": true, "principal": "alice", "expires": 1}"#;
        assert_eq!(outcome(late), "rejected: what the authorisation hook grants has expired");
        assert_eq!(outcome(r#"{"allow": false}"#), "rejected: the authorisation hook says no");
        let no = r#"{"allow": false, "principal": "alice", "reason": "not\nin the list"}"#;
        assert_eq!(outcome(no), "rejected: the authorisation hook says no: not in the list");
        let long = format!(r#"{{"allow": false, "reason": "{}"}}"#, "x".repeat(9000));
        assert_eq!(outcome(&long).len(), "rejected: the authorisation hook says no: ".len() + 200);
    }

    #[test]
    fn a_token_that_comes_back_is_not_told() {
        let echo = outcome(r#"{"allow": false, "reason": "no hunter2 here"}"#);
        assert_eq!(echo, "rejected: the authorisation hook says no: (a reason that holds the token)");
    }

    #[test]
    fn anything_else_is_no_answer() {
        for body in [
            "",
            "true",
            "{}",
            r#"{"allow": "true", "principal": "a"}"#,
            r#"{"allow": 1, "principal": "a"}"#,
            r#"{"allow": true, "principal": 7}"#,
            r#"{"allow": true, "principal": "a", "expires": -1}"#,
            r#"{"allow": true, "principal": "a", "expires": "never"}"#,
            r#"{"allow": true, "principal": "a"} {"#,
            r#"{"allow": true, "allow": false, "principal": "a"}"#,
        ] {
            assert_eq!(outcome(body), "none: the answer of the authorisation hook is not what it should be", "{body}");
        }
        for body in
            [r#"{"allow": true}"#, r#"{"allow": true, "principal": ""}"#, r#"{"allow": true, "principal": "a\n"}"#]
        {
            assert!(outcome(body).starts_with("none: the authorisation hook names no principal"), "{body}");
        }
    }
}
