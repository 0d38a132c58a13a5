//! JSON with binary parts, taken apart only where a part is.
//!
//! Socket.IO puts `{"_placeholder":true,"num":0}` where the first attachment belongs. Everything that holds no
//! placeholder stays the text it was: no number is read and written again, no key changes its place.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// A JSON value whose placeholders stand apart from its text.
#[derive(Debug)]
pub enum Tree<'a> {
    /// Text without a placeholder.
    Text(&'a RawValue),
    /// An object with a placeholder somewhere in it.
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
    /// An array with a placeholder somewhere in it.
    Array(Vec<Tree<'a>>),
    /// The attachment of that number.
    Placeholder(u64),
}

impl<'a> Tree<'a> {
    /// Takes JSON text apart.
    ///
    /// # Errors
    /// When it is not JSON, or placeholders nested more than 64 deep.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        Self::of(serde_json::from_str(text)?, 0)
    }

    /// The attachments named, in the order of the text.
    pub fn numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        self.gather(&mut numbers);
        numbers
    }

    /// Serialises the value with `attachment` in the place of each placeholder.
    pub fn with<'t, F: Fn(u64) -> A, A: Serialize>(&'t self, attachment: &'t F) -> impl Serialize + use<'t, 'a, F, A> {
        Filled { tree: self, attachment }
    }

    fn of(value: &'a RawValue, depth: u32) -> Result<Self, serde_json::Error> {
        if depth > MAX_DEPTH {
            return Err(serde_json::Error::custom("placeholders nested more than 64 deep"));
        }
        let text = value.get();
        if !text.contains("_placeholder") {
            return Ok(Self::Text(value));
        }
        match text.as_bytes().first() {
            Some(b'{') => {
                if let Ok(Mark { is_placeholder: true, num }) = serde_json::from_str(text) {
                    return Ok(Self::Placeholder(num));
                }
                let entries: Entries<'a> = serde_json::from_str(text)?;
                let taken_apart = entries.0.into_iter().map(|(key, value)| Ok((key, Self::of(value, depth + 1)?)));
                Ok(Self::Object(taken_apart.collect::<Result<_, serde_json::Error>>()?))
            }
            Some(b'[') => {
                let items: Vec<&'a RawValue> = serde_json::from_str(text)?;
                Ok(Self::Array(items.into_iter().map(|item| Self::of(item, depth + 1)).collect::<Result<_, _>>()?))
            }
            // A string that happens to contain the word.
            _ => Ok(Self::Text(value)),
        }
    }

    fn gather(&self, numbers: &mut Vec<u64>) {
        match self {
            Self::Text(_) => {}
            Self::Placeholder(number) => numbers.push(*number),
            Self::Array(items) => items.iter().for_each(|item| item.gather(numbers)),
            Self::Object(entries) => entries.iter().for_each(|(_, value)| value.gather(numbers)),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    #[serde(rename = "_placeholder")]
    is_placeholder: bool,
    num: u64,
}

/// The entries of an object, in order.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'de>, M::Error> {
                let mut entries = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A key, borrowed where it holds no escape.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct Filled<'t, 'a, F> {
    tree: &'t Tree<'a>,
    attachment: &'t F,
}

impl<F: Fn(u64) -> A, A: Serialize> Serialize for Filled<'_, '_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let filled = |tree| Filled { tree, attachment: self.attachment };
        match self.tree {
            Tree::Text(text) => text.serialize(serializer),
            Tree::Placeholder(number) => (self.attachment)(*number).serialize(serializer),
            Tree::Array(items) => serializer.collect_seq(items.iter().map(filled)),
            Tree::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &filled(value))?;
                }
                map.end()
            }
        }
    }
}

/// How deep a placeholder may lie: each level above it is read once more.
const MAX_DEPTH: u32 = 64;

/// Whether text is one JSON value.
pub(crate) fn check_json(text: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<IgnoredAny>(text).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_holds_a_placeholder_is_taken_apart() {
        let text = r#"{"z":12345678901234567890123,"a":[1.0,{"_placeholder":true,"num":1}],"b":{"_placeholder":true,"num":0},"s":"_placeholder"}"#;
        let tree = Tree::parse(text).expect("this is JSON");
        assert_eq!(tree.numbers(), [1, 0]);
        let filled =
            serde_json::to_string(&tree.with(&|number| format!("attachment {number}"))).expect("it serialises");
        let wanted = r#"{"z":12345678901234567890123,"a":[1.0,"attachment 1"],"b":"attachment 0","s":"_placeholder"}"#;
        assert_eq!(filled, wanted);
    }

    #[test]
    fn what_is_nested_too_deep_is_an_error_and_no_crash() {
        let deep = "[".repeat(10_000) + "\"_placeholder\"" + &"]".repeat(10_000);
        assert!(Tree::parse(&deep).is_err());
    }
}
