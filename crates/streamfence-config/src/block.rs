//! A block of the file whose keys and values were checked against the table of keys, one by one.
//!
//! Whether the values fit together is decided in `resolve.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::expand::{self, Lookup};
use crate::keys::{self, Key, Kind, Section};
use crate::raw::{Node, Place, Value, shown};
use crate::secrets::Secret;

/// What is gathered while a file is read.
pub(crate) struct Report<'a> {
    pub(crate) file: Arc<str>,
    pub(crate) lookup: Lookup<'a>,
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) warnings: Vec<ConfigError>,
    /// The secrets that were read, for whoever knows how well they are kept.
    pub(crate) secrets: Vec<Secret>,
}

impl Report<'_> {
    pub(crate) fn error(&mut self, part: &str, at: Place, problem: Problem) {
        self.errors.push(self.entry(part, at, problem));
    }

    pub(crate) fn warning(&mut self, part: &str, at: Place, problem: Problem) {
        self.warnings.push(self.entry(part, at, problem));
    }

    pub(crate) fn wrong(&mut self, part: &str, key: &str, found: &Node, wanted: impl Into<String>) {
        let problem = Problem::WrongValue { key: key.to_owned(), found: found.value.shown(), wanted: wanted.into() };
        self.error(part, found.at, problem);
    }

    /// Replaces the references in a text; anything else stays as it is.
    pub(crate) fn expand(&mut self, part: &str, node: &mut Node) -> bool {
        let Value::Text(text) = &mut node.value else { return true };
        match expand::expand(&text.value, self.lookup) {
            Ok(None) => true,
            Ok(Some(expanded)) => {
                text.written = Some(std::mem::replace(&mut text.value, expanded));
                true
            }
            Err(problem) => {
                self.error(part, node.at, problem);
                false
            }
        }
    }

    /// Notes that a value is a secret.
    pub(crate) fn secret(&mut self, part: &str, key: &str, node: &Node) {
        let Value::Text(text) = &node.value else { return };
        self.secrets.push(Secret {
            part: part.to_owned(),
            key: key.to_owned(),
            at: node.at,
            written: text.written.clone(),
        });
    }

    fn entry(&self, part: &str, at: Place, problem: Problem) -> ConfigError {
        ConfigError { file: self.file.clone(), place: Some(at), part: part.to_owned(), problem }
    }
}

/// The keys of one block, under their canonical names.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) at: Place,
    /// Whether all of it could be read. What is not sound is not checked further, so that one mistake is one error.
    pub(crate) is_sound: bool,
    sections: &'static [Section],
    /// Invariant: each value is of the kind and in the range of its key.
    entries: Vec<(&'static Key, Node)>,
}

impl Block {
    /// A block that is not in the file: all keys have their defaults.
    pub(crate) fn absent(sections: &'static [Section]) -> Self {
        Self { at: Place { line: 1, column: 1 }, is_sound: true, sections, entries: Vec::new() }
    }

    /// Reads a block and reports whatever is wrong with its keys and values.
    pub(crate) fn read(node: Node, sections: &'static [Section], part: &str, report: &mut Report<'_>) -> Self {
        let mut block = Self { at: node.at, ..Self::absent(sections) };
        let errors_before = report.errors.len();
        match node.value {
            Value::Block(written) => {
                let mut spellings: Vec<(&'static Key, String)> = Vec::new();
                for (name, value) in written {
                    let Some(key) = keys::find(sections, &name.value) else {
                        // Looking for what was meant takes time, and nobody reads the thousandth guess.
                        let is_told = report.errors.len() < ConfigErrors::MOST_TOLD;
                        let hint = if is_told { keys::hint(sections, &name.value) } else { String::new() };
                        report.error(part, name.at, Problem::UnknownKey { key: shown(&name.value), hint });
                        continue;
                    };
                    if let Some((_, first)) = spellings.iter().find(|(other, _)| other.name == key.name) {
                        let problem = Problem::BothSpellings { first: first.clone(), second: name.value };
                        report.error(part, name.at, problem);
                        continue;
                    }
                    spellings.push((key, name.value));
                    if let Some(value) = checked(key, value, part, report) {
                        block.entries.push((key, value));
                    }
                }
                let is_required = |key: &&Key| matches!(key.kind, Kind::Text { default: None });
                for key in keys::KEYS.iter().filter(|key| sections.contains(&key.section)).filter(is_required) {
                    if spellings.iter().all(|(given, _)| given.name != key.name) {
                        let problem = Problem::Missing { key: key.name.to_owned(), wanted: "a text".to_owned() };
                        report.error(part, block.at, problem);
                    }
                }
            }
            value => {
                let key = if part.is_empty() { "the file" } else { part };
                report.wrong("", key, &Node { value, at: node.at }, "a block of keys");
            }
        }
        block.is_sound = report.errors.len() == errors_before;
        block
    }

    /// This block, with what it does not say taken from `parent`.
    pub(crate) fn over(&self, parent: &Self) -> Self {
        let mut merged = self.clone();
        merged.is_sound &= parent.is_sound;
        let inherited = parent.entries.iter().filter(|(key, _)| key.section == Section::Policy && !self.says(key.name));
        merged.entries.extend(inherited.cloned());
        merged
    }

    /// Where a key is given, if it is.
    pub(crate) fn place_of(&self, name: &str) -> Option<Place> {
        self.entry(name).map(|node| node.at)
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Whole(number)), _) => u64::try_from(*number).expect("was checked against its range"),
            (_, Kind::Number { default, .. }) => default,
            _ => panic!("`{name}` is not a number in the table of keys"),
        }
    }

    /// A number that need not be there.
    pub(crate) fn optional_number(&self, name: &str) -> Option<u64> {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Whole(number)), _) => Some(u64::try_from(*number).expect("was checked against its range")),
            (_, Kind::Optional { .. }) => None,
            _ => panic!("`{name}` is not an optional number in the table of keys"),
        }
    }

    /// A word that is only there where it is given.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Text(text)), _) => Some(&text.value),
            (_, Kind::Word { .. }) => None,
            _ => panic!("`{name}` is not a word in the table of keys"),
        }
    }

    /// A secret, if there is one.
    pub(crate) fn secret(&self, name: &str) -> Option<&str> {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Text(text)), _) => Some(&text.value),
            (_, Kind::Secret) => None,
            _ => panic!("`{name}` is not a secret in the table of keys"),
        }
    }

    /// The path of a file, if there is one.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Text(text)), _) => Some(PathBuf::from(&text.value)),
            (_, Kind::Path) => None,
            _ => panic!("`{name}` is not a path in the table of keys"),
        }
    }

    pub(crate) fn decimal(&self, name: &str) -> f64 {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Whole(number)), _) => *number as f64,
            (Some(Value::Fraction(number)), _) => *number,
            (_, Kind::Decimal { default, .. }) => default,
            _ => panic!("`{name}` is not a decimal in the table of keys"),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Flag(flag)), _) => *flag,
            (_, Kind::Flag { default }) => default,
            _ => panic!("`{name}` is not a flag in the table of keys"),
        }
    }

    /// A text or a word; empty where it must be given and is not.
    pub(crate) fn text(&self, name: &str) -> &str {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Text(text)), _) => &text.value,
            (_, Kind::Text { default }) => default.unwrap_or_default(),
            (_, Kind::Choice { of, .. }) => of[0],
            _ => panic!("`{name}` is not a text in the table of keys"),
        }
    }

    /// A text, or each of a list of texts.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        match (self.entry(name).map(|node| &node.value), self.key(name).kind) {
            (Some(Value::Text(text)), _) => vec![&text.value],
            (Some(Value::List(list)), _) => list.iter().filter_map(text_of).collect(),
            (_, Kind::Texts { default }) => vec![default],
            _ => panic!("`{name}` is not a list of texts in the table of keys"),
        }
    }

    /// The entries of a list of secrets, each where it stands; none where it is not given.
    pub(crate) fn secrets(&self, name: &str) -> Vec<&Node> {
        match (self.entry(name), self.key(name).kind) {
            (Some(Node { value: Value::List(list), .. }), _) => list.iter().collect(),
            (Some(one), _) => vec![one],
            (None, Kind::SecretTexts) => Vec::new(),
            _ => panic!("`{name}` is no list of secrets in the table of keys"),
        }
    }

    /// A block of keys in this one; all defaults where it is not given. Its mistakes are reported wherever it is read.
    pub(crate) fn block(&self, name: &str, sections: &'static [Section], part: &str, report: &mut Report<'_>) -> Self {
        match self.entry(name) {
            Some(node) => Self::read(node.clone(), sections, &format!("{part}.{name}"), report),
            None => Self::absent(sections),
        }
    }

    /// Takes out a list or a block of keys, if it is given.
    pub(crate) fn take(&mut self, name: &str) -> Option<Node> {
        let index = self.entries.iter().position(|(key, _)| key.name == name)?;
        Some(self.entries.swap_remove(index).1)
    }

    fn says(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    fn entry(&self, name: &str) -> Option<&Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    fn key(&self, name: &str) -> &'static Key {
        keys::find(self.sections, name).unwrap_or_else(|| panic!("`{name}` is not in the table of keys"))
    }
}

/// The value, if it is one that the key takes.
fn checked(key: &Key, mut node: Node, part: &str, report: &mut Report<'_>) -> Option<Node> {
    if !report.expand(part, &mut node) {
        return None;
    }
    // What comes out of an expansion is a text whatever it looks like; the key decides what it is.
    if let Value::Text(text) = &node.value
        && text.written.is_some()
    {
        match key.kind {
            Kind::Number { .. } | Kind::Optional { .. } => {
                node.value = text.value.trim().parse().map_or(node.value, Value::Whole);
            }
            Kind::Decimal { .. } => node.value = text.value.trim().parse().map_or(node.value, Value::Fraction),
            Kind::Flag { .. } => node.value = text.value.trim().parse().map_or(node.value, Value::Flag),
            _ => {}
        }
    }
    let wanted = match (key.kind, &node.value) {
        (Kind::Number { min, max, .. } | Kind::Optional { min, max, .. }, Value::Whole(number))
            if (i128::from(min)..=i128::from(max)).contains(number) =>
        {
            return Some(node);
        }
        (Kind::Number { min, max, .. } | Kind::Optional { min, max, .. }, _) => {
            format!("a whole number from {min} to {max}")
        }
        (Kind::Decimal { min, max, .. }, Value::Whole(number)) if (min..=max).contains(&(*number as f64)) => {
            return Some(node);
        }
        (Kind::Decimal { min, max, .. }, Value::Fraction(number)) if (min..=max).contains(number) => return Some(node),
        (Kind::Decimal { min, max, .. }, _) => format!("a number from {min} to {max}"),
        (Kind::Flag { .. }, Value::Flag(_)) => return Some(node),
        (Kind::Flag { .. }, _) => "true or false".to_owned(),
        (Kind::Choice { of, .. } | Kind::Word { of }, Value::Text(text)) if of.contains(&text.value.as_str()) => {
            return Some(node);
        }
        (Kind::Word { of }, _) => one_of(of),
        (Kind::Choice { of, later }, Value::Text(text)) if later.contains(&text.value.as_str()) => {
            report.error(part, node.at, not_in_this_build(key, &text.value, &one_of(of)));
            return None;
        }
        (Kind::Choice { of, later: [] }, _) => one_of(of),
        (Kind::Choice { of, later }, _) => format!("{} ({} is not in this build)", one_of(of), one_of(later)),
        (Kind::Text { .. } | Kind::Path, Value::Text(text)) if !text.value.is_empty() => return Some(node),
        (Kind::Secret, Value::Text(text)) if !text.value.is_empty() => {
            report.secret(part, key.name, &node);
            return Some(node);
        }
        (Kind::Secret, _) => {
            hidden(key, node.at, "not a text, or an empty one", "a text in quotes", part, report);
            return None;
        }
        (Kind::Secrets, Value::Block(_)) => return Some(node),
        (Kind::Secrets, _) => {
            hidden(key, node.at, "no block of names", "names, each with a text", part, report);
            return None;
        }
        (Kind::SecretTexts, Value::Text(text)) if !text.value.is_empty() => return Some(node),
        (Kind::SecretTexts, Value::List(list))
            if !list.is_empty() && list.iter().all(|entry| text_of(entry).is_some_and(|text| !text.is_empty())) =>
        {
            return expand_all(node, part, report);
        }
        (Kind::SecretTexts, _) => {
            let wanted = "a text in quotes, or a list of such texts";
            hidden(key, node.at, "neither a text nor a list of texts, or an empty one", wanted, part, report);
            return None;
        }
        (Kind::Text { .. } | Kind::Path, _) => "a text that is not empty".to_owned(),
        (Kind::Texts { .. }, Value::Text(text)) if !text.value.is_empty() => return Some(node),
        (Kind::Texts { .. }, Value::List(list))
            if !list.is_empty() && list.iter().all(|entry| text_of(entry).is_some_and(|text| !text.is_empty())) =>
        {
            return expand_all(node, part, report);
        }
        (Kind::Texts { .. }, _) => "a text, or a list of texts, none of them empty".to_owned(),
        (Kind::List(_), Value::List(_)) => return Some(node),
        (Kind::List(of), _) => format!("a list of {of}"),
        // What stands in a block is checked when it is read.
        (Kind::Block, _) => return Some(node),
    };
    report.wrong(part, key.name, &node, wanted);
    None
}

/// Refuses a value that may be a secret, without showing it.
fn hidden(key: &Key, at: Place, found: &str, wanted: &str, part: &str, report: &mut Report<'_>) {
    let problem = Problem::WrongValue { key: key.name.to_owned(), found: found.to_owned(), wanted: wanted.to_owned() };
    report.error(part, at, problem);
}

/// A list of texts with the references in each replaced.
fn expand_all(mut node: Node, part: &str, report: &mut Report<'_>) -> Option<Node> {
    let Value::List(list) = &mut node.value else { return Some(node) };
    let mut is_sound = true;
    for entry in list {
        is_sound &= report.expand(part, entry);
    }
    is_sound.then_some(node)
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(&text.value),
        _ => None,
    }
}

fn not_in_this_build(key: &Key, found: &str, wanted: &str) -> Problem {
    Problem::ValueNotInThisBuild { key: key.name.to_owned(), found: found.to_owned(), wanted: wanted.to_owned() }
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
