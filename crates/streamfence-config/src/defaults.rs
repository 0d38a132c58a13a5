//! A file in which every key stands with what holds without it, made from the table of keys.
//!
//! What has no default, or has no effect on its own, stands there as a comment: the file is valid and changes nothing.

use std::fmt::Write as _;

use crate::keys::{KEYS, Key, Kind, Section};
use crate::schema::default;
use crate::shape::{Inside, inside};
use crate::tree::Tree;

/// The file, in YAML and with the meaning of every key.
#[must_use]
pub fn defaults() -> String {
    let mut page = "# Every key of a StreamFence configuration, with what holds without it.\n".to_owned();
    page += "# What has no default, or means nothing alone, is commented out; names and paths are examples.\n";
    block(&[Section::File], Level { indent: 0, is_comment: false }, &mut page);
    page
}

/// The same in JSON, which has no comments: the keys that have a value.
#[must_use]
pub fn defaults_as_json() -> String {
    Tree::Block(values(&[Section::File])).to_json()
}

/// Where a line stands.
#[derive(Clone, Copy)]
struct Level {
    indent: usize,
    is_comment: bool,
}

impl Level {
    fn line(self, text: &str, page: &mut String) {
        let hash = if self.is_comment { "# " } else { "" };
        let _ = writeln!(page, "{}{hash}{text}", "  ".repeat(self.indent));
    }

    fn deeper(self) -> Self {
        Self { indent: self.indent + 1, ..self }
    }

    /// A key that is commented out stands behind `# ` as it would without: taking that away is all there is to do.
    fn explained(self, meaning: &str, page: &mut String) {
        let indent = "  ".repeat(self.indent);
        let width = 110_usize.saturating_sub(indent.len());
        let mut line = String::new();
        for word in meaning.split(' ') {
            if !line.is_empty() && line.chars().count() + word.chars().count() + 1 > width {
                let _ = writeln!(page, "{indent}# {line}");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        let _ = writeln!(page, "{indent}# {line}");
    }
}

fn keys(sections: &'static [Section]) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| sections.contains(&key.section))
}

fn block(sections: &'static [Section], level: Level, page: &mut String) {
    for key in keys(sections) {
        page.push('\n');
        level.explained(&explained(key), page);
        let level = Level { is_comment: level.is_comment || is_silent(key), ..level };
        match value(key) {
            Some(value) => level.line(&format!("{}: {}", key.name, value.yaml_scalar()), page),
            None => nested(key, level, page),
        }
    }
}

fn nested(key: &Key, level: Level, page: &mut String) {
    level.line(&format!("{}:", key.name), page);
    match inside(key).expect("what has no value is a block or a list") {
        Inside::Keys(of) => block(of, level.deeper(), page),
        Inside::Named(of) => {
            level.deeper().line(&format!("{}:", named(of)), page);
            block(of, level.deeper().deeper(), page);
        }
        // Within a comment, on one line: nothing there is to be read key by key.
        Inside::Blocks(of) if level.is_comment => {
            let entry = keys(of).filter_map(|key| Some((key.name.to_owned(), value(key)?))).collect();
            level.deeper().line(&format!("- {}", Tree::Block(entry).yaml_scalar()), page);
        }
        Inside::Blocks(of) => {
            let mut entry = String::new();
            block(of, level.deeper().deeper(), &mut entry);
            page.push_str(&dashed(&entry, level.indent + 1));
        }
        Inside::NamesOrBlocks(_) | Inside::Texts => unreachable!("a list of texts has a value"),
    }
}

/// The first line of an entry that is no comment gets the dash.
fn dashed(entry: &str, indent: usize) -> String {
    let dash = format!("{}- ", "  ".repeat(indent));
    let is_key = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let first = entry.lines().find(is_key).expect("an entry has a key").to_owned();
    entry.replacen(&first, &format!("{dash}{}", first.trim_start()), 1)
}

/// Its meaning, and what it takes where the value does not show that.
fn explained(key: &Key) -> String {
    match key.kind {
        Kind::Choice { of, .. } => format!("{} One of {}.", key.meaning, of.join(", ")),
        Kind::Word { of } => format!("{} One of {}; without it, none.", key.meaning, of.join(", ")),
        Kind::Number { min, max, .. } => format!("{} {min} to {max}.", key.meaning),
        Kind::Optional { min, max, without } => format!("{} {min} to {max}; without it: {without}.", key.meaning),
        Kind::Decimal { min, max, .. } => format!("{} {min} to {max}.", key.meaning),
        _ => key.meaning.to_owned(),
    }
}

/// Whether it would say something that does not hold without it, or would be warned of.
fn is_silent(key: &Key) -> bool {
    let is_part_of_the_frame = matches!((key.section, key.name), (Section::Namespace, "path" | "topics"));
    let is_extra_block = matches!(key.kind, Kind::Block) && (key.section != Section::File || key.name == "tracing");
    let has_no_default = default(key).is_none() && !matches!(key.kind, Kind::Block | Kind::List(_));
    let is_extra_list = matches!(inside(key), Some(Inside::Texts));
    // Warned of where nobody is asked for a token.
    let is_of_tokens = matches!((key.section, key.name), (Section::Server, "tokenQuery" | "authTimeoutMs"));
    (is_of_tokens || is_extra_block || has_no_default || is_extra_list) && !is_part_of_the_frame
}

/// What stands after the key on its line; `None` where a block or a list of blocks follows.
fn value(key: &Key) -> Option<Tree> {
    if let Some(value) = default(key) {
        return Some(value);
    }
    Some(match (key.kind, inside(key)) {
        (Kind::Block | Kind::List(_), Some(Inside::NamesOrBlocks(_))) => Tree::texts([TOPIC]),
        (Kind::Block | Kind::List(_), Some(Inside::Texts)) => Tree::texts([example(key)]),
        (Kind::Block | Kind::List(_), _) => return None,
        (Kind::Optional { min, .. }, _) => Tree::number(min),
        (Kind::Word { of }, _) => Tree::text(of[0]),
        (Kind::Secret | Kind::SecretTexts, _) => Tree::text(format!("${{file:{}}}", example(key))),
        (Kind::Secrets, _) => Tree::block([(holder(key), Tree::text(format!("${{file:{}}}", example(key))))]),
        _ => Tree::text(example(key)),
    })
}

/// A name for somebody, or something, that has a secret.
fn holder(key: &Key) -> &'static str {
    if key.section == Section::Tracing { "authorization" } else { "somebody" }
}

/// A name for what has one of the operator's choosing.
fn named(sections: &[Section]) -> &'static str {
    if sections.contains(&Section::AdminKey) { "backend" } else { "main" }
}

const TOPIC: &str = "price";

/// A text for a key that has none without being given one.
fn example(key: &Key) -> &'static str {
    match key.name {
        "path" => "/feed",
        "name" => TOPIC,
        "certChainPemPath" => "chain.pem",
        "privateKeyPemPath" => "key.pem",
        "clientCaPemPath" => "clients.pem",
        "allowedOrigins" => "https://example.org",
        "trustedProxies" => "10.0.0.0/8",
        "caCertsPemPath" => "authorities.pem",
        "keyPath" => "key.pem",
        "jwksPath" => "keys.json",
        "url" => "http://127.0.0.1:8080/authorize",
        "staticTokens" => "token",
        "headers" => "collector-token",
        "keys" => "publish-key",
        "scopes" => "publish",
        "topics" => "/feed/*",
        "issuer" => "https://issuer.example",
        "audience" => "streamfence",
        "privateKeyPassword" => "key-password",
        _ => "secret",
    }
}

fn values(sections: &'static [Section]) -> Vec<(String, Tree)> {
    let said = keys(sections).filter(|key| !is_silent(key));
    said.map(|key| {
        let value = value(key).unwrap_or_else(|| match inside(key) {
            Some(Inside::Keys(of)) => Tree::Block(values(of)),
            Some(Inside::Named(of)) => Tree::block([(named(of), Tree::Block(values(of)))]),
            Some(Inside::Blocks(of)) => Tree::List(vec![Tree::Block(values(of))]),
            Some(Inside::NamesOrBlocks(_) | Inside::Texts) | None => unreachable!("these have a value"),
        });
        (key.name.to_owned(), value)
    })
    .collect()
}
