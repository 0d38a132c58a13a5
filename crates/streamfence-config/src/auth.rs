//! How clients prove who they are: tokens in the file, signed tokens, someone to ask. Never a key file: whether its key
//! is one is for whoever loads it.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::namespaces::Resolved;
use crate::raw::{Node, Place, Value, shown};
use crate::settings::{
    AuthFailureSettings, AuthHookSettings, AuthSettings, JwtAlgorithm, JwtKeySource, JwtSettings, Secret, StaticToken,
};

/// What a server says of tokens; `None` where it wants none.
pub(crate) fn resolve(server: &mut Block, part: &str, report: &mut Report<'_>) -> Option<AuthSettings> {
    let is_wanted = server.text("auth") == "TOKEN";
    if !is_wanted {
        warn_without_auth(server, part, report);
    }
    let sources = ["staticTokens", "jwt", "authHook"];
    if let Some(at) = server.place_of("auth")
        && is_wanted
        && server.is_sound
        && sources.iter().all(|key| server.place_of(key).is_none())
    {
        let wanted = "it, `jwt` or `authHook`, because auth is TOKEN".to_owned();
        report.error(part, at, Problem::Missing { key: "staticTokens".to_owned(), wanted });
    }
    if let Some(at) = server.place_of("tokenQuery")
        && is_wanted
        && server.flag("tokenQuery")
    {
        let why = "a token in a query is written down by proxies and browsers; `auth.token` is not";
        report.warning(part, at, Problem::Unwise { key: "tokenQuery", found: "true", why });
    }
    // Read even where they have no effect: what is wrong with them is wrong.
    let static_tokens = server.take("staticTokens").map(|node| static_tokens(node, part, report)).unwrap_or_default();
    let jwt = server.place_of("jwt").and_then(|_| {
        let block = server.block("jwt", &[Section::Jwt], part, report);
        jwt(&block, &format!("{part}.jwt"), report)
    });
    let hook = server.place_of("authHook").and_then(|_| {
        let block = server.block("authHook", &[Section::AuthHook], part, report);
        hook(&block, &format!("{part}.authHook"), report)
    });
    let failures = server.block("authFailures", &[Section::AuthFailures], part, report);
    is_wanted.then(|| AuthSettings {
        static_tokens,
        jwt,
        hook,
        token_query: server.flag("tokenQuery"),
        timeout: Duration::from_millis(server.number("authTimeoutMs")),
        alarm_per_minute: NonZeroU32::new(failures.number("alarmPerMinute") as u32),
        failures: match failures.number("max") {
            0 => None,
            max => Some(AuthFailureSettings {
                max: max as u32,
                window: Duration::from_millis(failures.number("windowMs")),
            }),
        },
    })
}

/// Checks that who must prove something can, and says where nobody must.
pub(crate) fn check_required(server: &Block, namespaces: &[Resolved], part: &str, report: &mut Report<'_>) {
    let mut requiring = namespaces.iter().flat_map(|namespace| &namespace.requiring_auth);
    if server.text("auth") != "TOKEN" {
        for (part, at) in requiring {
            let wanted = "false, because the server's auth is NONE".to_owned();
            let (key, found) = ("authRequired".to_owned(), "true".to_owned());
            report.error(part, *at, Problem::WrongValue { key, found, wanted });
        }
    } else if let Some(at) = server.place_of("auth")
        && requiring.next().is_none()
    {
        let why = "nothing has authRequired, so a client that shows no token may do everything";
        report.warning(part, at, Problem::Unwise { key: "auth", found: "TOKEN", why });
    }
}

/// Says of keys about tokens that nobody is asked for one.
fn warn_without_auth(server: &Block, part: &str, report: &mut Report<'_>) {
    for key in ["staticTokens", "jwt", "authHook", "tokenQuery", "authTimeoutMs", "authFailures"] {
        if let Some(at) = server.place_of(key) {
            report.warning(part, at, Problem::NoEffect { key, why: "auth is NONE, so nobody is asked for a token" });
        }
    }
}

fn static_tokens(node: Node, part: &str, report: &mut Report<'_>) -> Vec<StaticToken> {
    let Value::Block(entries) = node.value else { return Vec::new() };
    let part = format!("{part}.staticTokens");
    if entries.is_empty() {
        let wanted = "at least one, as `name: token`".to_owned();
        report.error(&part, node.at, Problem::Missing { key: "token".to_owned(), wanted });
    }
    let mut tokens: Vec<StaticToken> = Vec::with_capacity(entries.len());
    for (name, mut node) in entries {
        // Never the value, which is a secret or was meant to be one.
        let mut refuse = |at: Place, key: &str, found: String, wanted: &str| {
            let problem = Problem::WrongValue { key: key.to_owned(), found, wanted: wanted.to_owned() };
            report.error(&part, at, problem);
        };
        if name.value.is_empty() || name.value.len() > MAX_PRINCIPAL_BYTES || name.value.contains(char::is_control) {
            let wanted = "1 to 128 bytes without control characters";
            refuse(name.at, "a principal", shown(&name.value), wanted);
            continue;
        }
        let key = format!("the token of {}", shown(&name.value));
        if !report.expand(&part, &mut node) {
            continue;
        }
        let mut refuse = |found: String, wanted: &str| {
            let problem = Problem::WrongValue { key: key.clone(), found, wanted: wanted.to_owned() };
            report.error(&part, node.at, problem);
        };
        let token = match &node.value {
            Value::Text(text) if !text.value.is_empty() => &text.value,
            _ => {
                refuse("not a text, or an empty one".to_owned(), "a text in quotes");
                continue;
            }
        };
        if let Some((found, wanted)) = what_is_no_digest(token).or_else(|| what_no_header_has(token)) {
            refuse(found.to_owned(), wanted);
        } else if let Some(other) = tokens.iter().find(|other| is_same(other.token.expose(), token)) {
            refuse(format!("that of {} too", shown(&other.principal)), "one of its own");
        } else {
            // A digest tells nobody the token.
            if !token.starts_with("sha256:") {
                report.secret(&part, "a token", &node);
            }
            tokens.push(StaticToken { token: Secret::from(token.as_str()), principal: name.value });
        }
    }
    tokens
}

/// What a text is that was meant to be a digest, and what was wanted in its place, where nobody could show what it is of, or
/// everybody could.
pub(crate) fn what_is_no_digest(text: &str) -> Option<(&'static str, &'static str)> {
    let kind = text.split_once(':').map_or("", |(kind, _)| kind);
    if let Some(digest) = text.strip_prefix("sha256:") {
        let is_digest = digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
        return match NO_TOKENS.iter().find(|(known, _)| digest.eq_ignore_ascii_case(known)) {
            _ if !is_digest => Some(("not a digest", "`sha256:` and 64 hexadecimal digits")),
            Some((_, of)) => Some((of, "that of a token, as `printf %s TOKEN | sha256sum` tells it")),
            None => None,
        };
    }
    if OTHER_DIGESTS.iter().any(|other| kind.eq_ignore_ascii_case(other)) {
        return Some(("a digest of another kind", "`sha256:` in small letters, and 64 hexadecimal digits"));
    }
    None
}

/// What a text is that a client could not show everywhere.
pub(crate) fn what_no_header_has(text: &str) -> Option<(&'static str, &'static str)> {
    let is_odd = text.contains(char::is_control) || text.trim() != text;
    let wanted = "one that a client can show in a header";
    is_odd.then_some(("a text with blanks around it or control characters", wanted))
}

/// Digests of what is no token: what a shell makes of a variable that is not set.
const NO_TOKENS: [(&str, &str); 2] = [
    ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "the digest of nothing"),
    ("01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b", "the digest of an empty line"),
];
/// What somebody has in mind who means a digest, and what would else be a token of these letters.
const OTHER_DIGESTS: [&str; 8] = ["sha256", "sha-256", "sha1", "sha-1", "sha384", "sha512", "sha-512", "md5"];

/// Digests are the same in letters of any size, tokens are not.
fn is_same(one: &str, other: &str) -> bool {
    one == other || (one.starts_with("sha256:") && one.eq_ignore_ascii_case(other))
}

/// The most bytes a name may have that stands in every event about a client.
const MAX_PRINCIPAL_BYTES: usize = 128;

/// `None` where it says what cannot be, which is reported.
fn jwt(block: &Block, part: &str, report: &mut Report<'_>) -> Option<JwtSettings> {
    if !block.is_sound {
        return None;
    }
    let algorithm = match block.word("algorithm") {
        Some("HS256") => JwtAlgorithm::Hs256,
        Some("RS256") => JwtAlgorithm::Rs256,
        Some("ES256") => JwtAlgorithm::Es256,
        Some("EdDSA") => JwtAlgorithm::EdDsa,
        Some(other) => unreachable!("the table of keys has no algorithm {other}"),
        None => {
            let wanted = "HS256, RS256, ES256 or EdDSA; it is not taken from the tokens".to_owned();
            report.error(part, block.at, Problem::Missing { key: "algorithm".to_owned(), wanted });
            JwtAlgorithm::Hs256
        }
    };
    let sources = [
        block.secret("secret").map(|secret| JwtKeySource::Secret(Secret::from(secret))),
        block.path("keyPath").map(JwtKeySource::File),
        block.path("jwksPath").map(JwtKeySource::Jwks),
    ];
    let mut given = sources.into_iter().flatten();
    let (first, second) = (given.next(), given.next());
    if first.is_none() {
        let wanted = "it, `jwksPath` or `secret`, and one of them alone".to_owned();
        report.error(part, block.at, Problem::Missing { key: "keyPath".to_owned(), wanted });
    } else if second.is_some() {
        let mut given: Vec<_> = JWT_KEYS.iter().filter_map(|key| block.place_of(key).map(|at| (at, *key))).collect();
        given.sort_unstable();
        let others = given[1..].iter().map(|(_, key)| format!("`{key}`")).collect::<Vec<_>>().join(" and ");
        let (key, found) = (given[0].1.to_owned(), format!("given, and so is {others}"));
        let wanted = "one of `keyPath`, `jwksPath` and `secret` alone".to_owned();
        report.error(part, given[1].0, Problem::WrongValue { key, found, wanted });
    } else if let Some(at) = block.place_of("secret")
        && algorithm != JwtAlgorithm::Hs256
    {
        let (key, found) = ("secret".to_owned(), "given".to_owned());
        let wanted = "keyPath or jwksPath, because only HS256 has a secret".to_owned();
        report.error(part, at, Problem::WrongValue { key, found, wanted });
    }
    let texts = |key| match block.place_of(key) {
        Some(_) => block.texts(key).into_iter().map(str::to_owned).collect(),
        None => Vec::new(),
    };
    Some(JwtSettings {
        algorithm,
        keys: first?,
        issuers: texts("issuer"),
        audiences: texts("audience"),
        leeway: Duration::from_millis(block.number("leewayMs")),
        require_expiry: block.flag("requireExpiry"),
        principal_claim: block.text("principalClaim").to_owned(),
        rules_claim: block.text("rulesClaim").to_owned(),
        allow_without_rules: match block.text("withoutRules") {
            "allow" => true,
            "deny" => false,
            other => unreachable!("the table of keys has no rule {other}"),
        },
    })
}

/// Where the keys of signed tokens may be.
const JWT_KEYS: [&str; 3] = ["keyPath", "jwksPath", "secret"];

/// `None` where it says what cannot be, which is reported.
fn hook(block: &Block, part: &str, report: &mut Report<'_>) -> Option<AuthHookSettings> {
    if !block.is_sound {
        return None;
    }
    let url = block.text("url");
    if !is_url(url) {
        let at = block.place_of("url").unwrap_or(block.at);
        // Not the value: what is wrong with it may be that it holds a password.
        let found = "not such a URL".to_owned();
        let wanted = "`http://` or `https://`, a host and a path, without a user, a fragment or a space".to_owned();
        report.error(part, at, Problem::WrongValue { key: "url".to_owned(), found, wanted });
        return None;
    }
    let ca_certs = block.path("caCertsPemPath");
    if let Some(at) = block.place_of("caCertsPemPath")
        && url.starts_with("http://")
    {
        let why = "the url is one without TLS";
        report.warning(part, at, Problem::NoEffect { key: "caCertsPemPath", why });
    }
    Some(AuthHookSettings {
        url: url.to_owned(),
        ca_certs,
        timeout: Duration::from_millis(block.number("timeoutMs")),
        max_concurrent: block.number("maxConcurrent") as u16,
        cache: Duration::from_millis(block.number("cacheMs")),
        recheck: match block.number("recheckMs") {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        },
    })
}

pub(crate) fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    // An IPv6 address stands in brackets, because it has colons of its own.
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => (address, port),
        Some(_) => return false,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    !host.is_empty()
        && is_port
        && !host.contains(['@', '[', ']'])
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}
