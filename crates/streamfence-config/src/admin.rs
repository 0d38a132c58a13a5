//! The admin address, and who may do what there.

use std::net::IpAddr;

use crate::auth::what_is_no_digest;
use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::raw::{Node, Place, Value, shown};
use crate::settings::{AdminKeySettings, AdminScope, AdminSettings, Listen, Secret};

/// The shortest key that nobody guesses.
const SAFE_KEY_BYTES: usize = 16;
/// The most bytes a name may have that stands in the log.
const MAX_NAME_BYTES: usize = 128;

/// What the file says of who may do what, beside where the address is.
pub(crate) fn resolve(admin: &mut Block, listen: Listen, report: &mut Report<'_>) -> AdminSettings {
    let are_keys_given = admin.place_of("keys");
    let keys = admin.take("keys").map(|node| holders(node, report)).unwrap_or_default();
    if let Listen::Tcp { host, .. } = &listen
        && are_keys_given.is_none()
    {
        let is_loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !is_loopback {
            let at = admin.place_of("host").unwrap_or(admin.at);
            let wanted = "a loopback address or `unix:/path`, or `keys` beside it, because whoever reaches it may do \
                          everything without"
                .to_owned();
            report.error("admin", at, Problem::WrongValue { key: "host".to_owned(), found: shown(host), wanted });
        }
    }
    AdminSettings { listen, keys }
}

fn holders(node: Node, report: &mut Report<'_>) -> Vec<AdminKeySettings> {
    let (at, named) = match node {
        Node { value: Value::Block(named), at } => (at, named),
        other => {
            let wanted = "names, each with `keys` and `scopes`".to_owned();
            let (key, found) = ("keys".to_owned(), "no block of names".to_owned());
            // Never the value: somebody may have written a key there.
            report.error("admin", other.at, Problem::WrongValue { key, found, wanted });
            return Vec::new();
        }
    };
    if named.is_empty() {
        let wanted = "at least one name in it, with `keys` and `scopes`".to_owned();
        report.error("admin", at, Problem::Missing { key: "keys".to_owned(), wanted });
    }
    let mut holders: Vec<AdminKeySettings> = Vec::with_capacity(named.len());
    for (name, node) in named {
        if name.value.is_empty() || name.value.len() > MAX_NAME_BYTES || name.value.contains(char::is_control) {
            let (key, found) = ("a name".to_owned(), shown(&name.value));
            let wanted = "1 to 128 bytes without control characters".to_owned();
            report.error("admin.keys", name.at, Problem::WrongValue { key, found, wanted });
            continue;
        }
        let part = format!("admin.keys.{}", name.value);
        if !matches!(node.value, Value::Block(_)) {
            // Nor here: `backend: KEY` is what one would write first.
            let (key, found) = (shown(&name.value), "no block of keys".to_owned());
            let wanted = "`{keys: .., scopes: ..}`".to_owned();
            report.error("admin.keys", node.at, Problem::WrongValue { key, found, wanted });
            continue;
        }
        let block = Block::read(node, &[Section::AdminKey], &part, report);
        if !block.is_sound {
            continue;
        }
        let keys = keys(&block, &part, &holders, report);
        let scopes = scopes(&block, &part, report);
        let topics = topics(&block, &part, &scopes, report);
        holders.push(AdminKeySettings { name: name.value, keys, scopes, topics });
    }
    holders
}

fn keys(block: &Block, part: &str, others: &[AdminKeySettings], report: &mut Report<'_>) -> Vec<Secret> {
    let mut keys: Vec<Secret> = Vec::new();
    if block.place_of("keys").is_none() {
        let wanted = "a key, or a list of them".to_owned();
        report.error(part, block.at, Problem::Missing { key: "keys".to_owned(), wanted });
    }
    for node in block.secrets("keys") {
        let Value::Text(text) = &node.value else { continue };
        let key = &text.value;
        // Never the value: it is a secret, or was meant to be one.
        let mut refuse = |found: String, wanted: &str| {
            let problem = Problem::WrongValue { key: "a key".to_owned(), found, wanted: wanted.to_owned() };
            report.error(part, node.at, problem);
        };
        if let Some((found, wanted)) = what_is_no_digest(key) {
            refuse(found.to_owned(), wanted);
        } else if key.is_empty() {
            refuse("empty".to_owned(), "a text");
        } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            refuse("nothing that a header can carry".to_owned(), "letters, digits and signs of ASCII, without spaces");
        } else if keys.iter().any(|other| is_same(other, key)) {
            refuse("there twice".to_owned(), "each key once");
        } else if let Some(other) = others.iter().find(|other| other.keys.iter().any(|other| is_same(other, key))) {
            refuse(format!("that of {} too", shown(&other.name)), "one of its own");
        } else {
            if !key.starts_with("sha256:") {
                // A digest tells nobody the key.
                report.secret(part, "a key", node);
                warn_if_short(key, part, node.at, report);
            }
            keys.push(Secret::from(key.as_str()));
        }
    }
    keys
}

fn warn_if_short(key: &str, part: &str, at: Place, report: &mut Report<'_>) {
    if key.len() < SAFE_KEY_BYTES {
        let (found, why) = ("shorter than 16 bytes", "it can be guessed; `openssl rand -hex 24` makes a good one");
        report.warning(part, at, Problem::Unwise { key: "a key", found, why });
    }
}

/// Digests are the same in letters of any size, keys are not.
fn is_same(one: &Secret, other: &str) -> bool {
    one.expose() == other || (other.starts_with("sha256:") && one.expose().eq_ignore_ascii_case(other))
}

fn scopes(block: &Block, part: &str, report: &mut Report<'_>) -> Vec<AdminScope> {
    let Some(at) = block.place_of("scopes") else {
        let wanted = "publish, read or admin, or a list of them".to_owned();
        report.error(part, block.at, Problem::Missing { key: "scopes".to_owned(), wanted });
        return Vec::new();
    };
    let mut scopes = Vec::new();
    for word in block.texts("scopes") {
        match word {
            "publish" => scopes.push(AdminScope::Publish),
            "read" => scopes.push(AdminScope::Read),
            "admin" => scopes.push(AdminScope::Admin),
            other => {
                let (key, found) = ("scopes".to_owned(), shown(other));
                let wanted = "publish, read or admin".to_owned();
                report.error(part, at, Problem::WrongValue { key, found, wanted });
            }
        }
    }
    scopes
}

fn topics(block: &Block, part: &str, scopes: &[AdminScope], report: &mut Report<'_>) -> Option<Vec<String>> {
    let at = block.place_of("topics")?;
    if !scopes.contains(&AdminScope::Publish) {
        let why = "its scopes are without publish, and it is about where to publish";
        report.warning(part, at, Problem::NoEffect { key: "topics", why });
    }
    let patterns = block.texts("topics");
    for pattern in &patterns {
        // A pattern that begins otherwise is nobody's topic, and whoever wrote it meant another.
        if !pattern.starts_with(['/', '*']) {
            let (key, found) = ("topics".to_owned(), shown(pattern));
            let wanted = "a namespace and a topic such as `/feed/*`, or `*`".to_owned();
            report.error(part, at, Problem::WrongValue { key, found, wanted });
        }
    }
    Some(patterns.into_iter().map(str::to_owned).collect())
}
