//! The file as a tree in which every key and every value knows its place.
//!
//! It is a tree and not a serde mirror of the settings, because serde stops at the first thing it does not like and an
//! operator wants all of them. Never a meaning: what may stand where is decided in `block.rs` and `resolve.rs`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

use crate::error::Problem;

/// A place in the file, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something with the place it was written at.
#[derive(Clone, Debug)]
pub(crate) struct Sited<T> {
    pub(crate) value: T,
    pub(crate) at: Place,
}

/// A value and its place.
pub(crate) type Node = Sited<Value>;

/// What a file can say.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nothing,
    Flag(bool),
    Whole(i128),
    Fraction(f64),
    Text(Text),
    List(Vec<Node>),
    Block(Vec<(Sited<String>, Node)>),
}

/// A string value, and whether the file says it outright.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// What the file says where `value` came out of an expansion: errors show this, because `value` may be a secret.
    pub(crate) written: Option<String>,
}

impl Value {
    /// How an error message shows it: short, on one line, and never the outcome of an expansion.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Fraction(number) => number.to_string(),
            Self::Text(text) => shown(text.written.as_ref().unwrap_or(&text.value)),
            Self::List(_) => "a list".to_owned(),
            Self::Block(_) => "a block of keys".to_owned(),
        }
    }
}

/// The most characters of a text that an error message repeats.
const SHOWN_CHARS: usize = 80;

/// A text of the file as an error message shows it.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?} and more", &text[..end]),
    }
}

/// Reads a text as a tree. JSON is read as the YAML it is.
pub(crate) fn read(text: &str) -> Result<Node, (Option<Place>, Problem)> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        // A tag we do not know would be ignored, and nothing in the file may be.
        reject_unsupported_tags: true,
        // `on` and `no` are names people give to topics.
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED_EVENTS },
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
    };
    serde_saphyr::from_str_with_options::<Spanned<Value>>(text, options)
        .map(Node::from)
        .map_err(|error| (error.location().and_then(place), problem(&error)))
}

/// Whether a text is a JSON object, whatever it says.
pub(crate) fn check_json(text: &str) -> Result<(), (Option<Place>, Problem)> {
    let text = text.trim_start_matches('\u{feff}');
    let refused = |place, why: String| Err((place, Problem::Syntax { why }));
    if !text.trim_start().starts_with('{') {
        return refused(None, "is not a JSON object; wanted `{`".to_owned());
    }
    match serde_json::from_str::<de::IgnoredAny>(text) {
        Ok(de::IgnoredAny) => Ok(()),
        Err(why) => {
            let place = Place { line: why.line() as u64, column: why.column().max(1) as u64 };
            let why = why.to_string();
            let what = why.split(" at line ").next().unwrap_or_default();
            refused(Some(place), format!("is not JSON: {what}; a file with comments is YAML, `.yaml`"))
        }
    }
}

/// How many nodes aliases may stand for in all: far above any real file, far below what hurts.
const MAX_REPLAYED_EVENTS: usize = 20_000;
/// How deep a file may nest: the deepest key there is lies at 9.
const MAX_DEPTH: usize = 16;

fn problem(error: &serde_saphyr::Error) -> Problem {
    match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => Problem::DuplicateKey { key: key.clone() },
        serde_saphyr::Error::MultipleDocuments { .. } => {
            Problem::Syntax { why: "the file holds several documents; wanted one".to_owned() }
        }
        serde_saphyr::Error::Budget { .. } => {
            Problem::Syntax { why: format!("the file is too large when expanded or nests deeper than {MAX_DEPTH}") }
        }
        // The parser repeats the place at the end and may spread over lines; the place is told apart and in front.
        other => {
            let text = other.to_string();
            let words = text.split(" at line ").next().unwrap_or_default();
            Problem::Syntax { why: words.split_whitespace().collect::<Vec<_>>().join(" ") }
        }
    }
}

fn place(location: Location) -> Option<Place> {
    (location != Location::UNKNOWN).then(|| Place { line: location.line(), column: location.column() })
}

impl<T> From<Spanned<T>> for Sited<T> {
    /// Where an alias or a merge stands for a value, its place is where the value itself is written: there it is mended.
    fn from(spanned: Spanned<T>) -> Self {
        let at = place(spanned.defined).or_else(|| place(spanned.referenced)).unwrap_or(Place { line: 1, column: 1 });
        Self { value: spanned.value, at }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Whole(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Whole(number.into()))
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Value, E> {
        Ok(Value::Whole(number.try_into().unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Fraction(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Text { value: text.to_owned(), written: None }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element::<Spanned<Value>>()? {
            list.push(element.into());
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut block = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            block.push((key.into(), map.next_value::<Spanned<Value>>()?.into()));
        }
        Ok(Value::Block(block))
    }
}
