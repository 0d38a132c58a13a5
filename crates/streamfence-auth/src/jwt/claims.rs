//! What a token that is believed says of its holder.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{JwtOptions, leeway_seconds};
use crate::glob_rules::{GlobRule, GlobRules};
use crate::principal::is_principal;
use crate::validator::{Access, Action, Grant};

/// What the claims grant, and to whom.
pub(super) fn grant(claims: &Map<String, Value>, options: &JwtOptions) -> Result<Grant, &'static str> {
    let principal = match claims.get(&options.principal_claim) {
        Some(Value::String(name)) if is_principal(name) => name,
        Some(_) => return Err("the principal in the token is not a text of 1 to 128 bytes without control characters"),
        None => return Err("the token names no principal"),
    };
    // `jsonwebtoken` is content with a list in which one is believed; RFC 7519 knows one issuer of a token.
    if claims.get("iss").is_some_and(|issuer| !issuer.is_string()) {
        return Err("the issuer in the token is not a text");
    }
    let access = match claims.get(&options.rules_claim) {
        Some(rules) => Access::Rules(Arc::new(rules_of(rules).ok_or("what the token allows is not a list of rules")?)),
        None if options.allow_without_rules => Access::All,
        None => return Err("the token does not say what it allows"),
    };
    let expires = claims.get("exp").and_then(seconds).and_then(|exp| {
        let end = Duration::from_secs(exp.saturating_add(leeway_seconds(options)));
        // Beyond what the clock can tell, it is for ever.
        SystemTime::UNIX_EPOCH.checked_add(end)
    });
    Ok(Grant { principal: principal.as_str().into(), expires, ask_again: None, access })
}

/// A time as it was validated: of a fraction the nearest whole second.
fn seconds(time: &Value) -> Option<u64> {
    time.as_u64().or_else(|| time.as_f64().map(|seconds| seconds.round() as u64))
}

/// One rule, as a token says it. What it says beside that would be ignored, and so it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimedRule {
    namespace: String,
    topics: Option<Vec<String>>,
    actions: Option<Vec<ClaimedAction>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClaimedAction {
    Connect,
    Subscribe,
    Publish,
}

fn rules_of(claim: &Value) -> Option<GlobRules> {
    let rules = Vec::<ClaimedRule>::deserialize(claim).ok()?;
    let rules = rules.into_iter().map(|claimed| {
        let mut rule = GlobRule::new(&claimed.namespace);
        if let Some(topics) = claimed.topics {
            rule = rule.topics(topics);
        }
        if let Some(actions) = claimed.actions {
            rule = rule.actions(actions.into_iter().map(|action| match action {
                ClaimedAction::Connect => Action::Connect,
                ClaimedAction::Subscribe => Action::Subscribe,
                ClaimedAction::Publish => Action::Publish,
            }));
        }
        rule
    });
    Some(rules.collect())
}
