//! What this crate writes: a tree in the order it was made in, as YAML or as JSON.
//!
//! Not a serde format, because those sort keys or not as features of other crates say, and what is kept in a repository
//! must come out the same everywhere.

use std::fmt::Write as _;

use crate::raw::{Node, Value};

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Nothing,
    Flag(bool),
    /// A number in the digits it is written with.
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Block(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    pub(crate) fn block<'a>(keys: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Block(keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A value of a file, as it was written there.
    pub(crate) fn of(node: &Node) -> Self {
        match &node.value {
            Value::Nothing => Self::Nothing,
            Value::Flag(flag) => Self::Flag(*flag),
            Value::Whole(number) => Self::number(number),
            Value::Fraction(number) => Self::number(number),
            Value::Text(text) => Self::text(text.written.as_ref().unwrap_or(&text.value)),
            Value::List(list) => Self::List(list.iter().map(Self::of).collect()),
            Value::Block(block) => {
                Self::Block(block.iter().map(|(key, value)| (key.value.clone(), Self::of(value))).collect())
            }
        }
    }

    /// It as JSON, two spaces a level, with a newline at the end.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(0, &mut json);
        json.push('\n');
        json
    }

    /// It as YAML in blocks, with a newline at the end.
    pub(crate) fn to_yaml(&self) -> String {
        let mut yaml = String::new();
        self.write_yaml(0, &mut yaml);
        yaml.truncate(yaml.trim_end().len());
        yaml.push('\n');
        yaml.trim_start_matches('\n').to_owned()
    }

    fn write_json(&self, level: usize, out: &mut String) {
        let (inner, outer) = ("  ".repeat(level + 1), "  ".repeat(level));
        match self {
            Self::List(list) if !list.is_empty() => {
                let is_short =
                    list.len() <= 8 && !list.iter().any(|entry| matches!(entry, Self::List(_) | Self::Block(_)));
                let (first, between, last) = match is_short {
                    true => (String::new(), ", ".to_owned(), String::new()),
                    false => (format!("\n{inner}"), format!(",\n{inner}"), format!("\n{outer}")),
                };
                out.push('[');
                for (index, entry) in list.iter().enumerate() {
                    out.push_str(if index == 0 { &first } else { &between });
                    entry.write_json(level + 1, out);
                }
                let _ = write!(out, "{last}]");
            }
            Self::Block(block) if !block.is_empty() => {
                out.push('{');
                for (index, (key, value)) in block.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    let _ = write!(out, "{comma}\n{inner}{}: ", quoted(key));
                    value.write_json(level + 1, out);
                }
                let _ = write!(out, "\n{outer}}}");
            }
            scalar => out.push_str(&scalar.json_scalar()),
        }
    }

    fn json_scalar(&self) -> String {
        match self {
            Self::Nothing => "null".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.clone(),
            Self::Text(text) => quoted(text),
            Self::List(_) => "[]".to_owned(),
            Self::Block(_) => "{}".to_owned(),
        }
    }

    /// Writes it after a key or a dash, which stands at this level.
    fn write_yaml(&self, level: usize, out: &mut String) {
        let indent = "  ".repeat(level);
        match self {
            Self::List(list) if list.iter().any(|entry| matches!(entry, Self::List(_) | Self::Block(_))) => {
                for entry in list {
                    let mut inner = String::new();
                    entry.write_yaml(level + 1, &mut inner);
                    // The first key of an entry stands beside its dash.
                    let _ = write!(out, "\n{indent}- {}", inner.trim_start());
                }
            }
            Self::Block(block) if !block.is_empty() => {
                for (key, value) in block {
                    let _ = write!(out, "\n{indent}{}:", yaml_text(key));
                    let is_nested = match value {
                        Self::List(list) => list.iter().any(|entry| matches!(entry, Self::List(_) | Self::Block(_))),
                        Self::Block(block) => !block.is_empty(),
                        _ => false,
                    };
                    if !is_nested {
                        out.push(' ');
                    }
                    value.write_yaml(level + 1, out);
                }
            }
            scalar => out.push_str(&scalar.yaml_scalar()),
        }
    }

    /// It on one line, as YAML takes it after a key.
    pub(crate) fn yaml_scalar(&self) -> String {
        match self {
            Self::Text(text) => yaml_text(text),
            Self::List(list) => {
                let entries: Vec<_> = list.iter().map(Self::yaml_scalar).collect();
                format!("[{}]", entries.join(", "))
            }
            Self::Block(block) => {
                let entries = block.iter().map(|(key, value)| format!("{}: {}", yaml_text(key), value.yaml_scalar()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            other => other.json_scalar(),
        }
    }
}

/// A text as YAML reads it back: plain where nothing in it could mean something else.
pub(crate) fn yaml_text(text: &str) -> String {
    let is_plain = text
        .starts_with(|first: char| first.is_ascii_alphabetic() || "/_".contains(first) || is_dotted(text))
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// An IP address or a hidden file: no number, and nothing else that YAML knows.
fn is_dotted(text: &str) -> bool {
    text.matches('.').count() == 3 || text.starts_with('.') && text[1..].starts_with(|c: char| c.is_ascii_alphabetic())
}

/// A text in double quotes, which JSON and YAML read alike.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // What YAML would fold, strip or refuse, and what a terminal would obey.
            other if other.is_control() || "\u{2028}\u{2029}\u{feff}".contains(other) => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw;

    fn example() -> Tree {
        let odd = [
            "",
            "a b",
            "on",
            "NULL",
            "7",
            "-",
            "#x",
            "a: b",
            "x\n\r\t\"\\\u{1b}\u{2028}",
            "${X}",
            ".x",
            "1.2.3.4",
            "*",
        ];
        Tree::block([
            ("texts", Tree::texts(odd)),
            ("a key", Tree::Flag(true)),
            ("nothing", Tree::Nothing),
            ("none", Tree::List(Vec::new())),
            ("empty", Tree::Block(Vec::new())),
            ("nested", Tree::block([("deep", Tree::block([("number", Tree::number(-7))]))])),
            (
                "list",
                Tree::List(vec![
                    Tree::block([
                        ("first", Tree::number(1)),
                        ("second", Tree::List(vec![Tree::block([("x", Tree::number(0.5))])])),
                    ]),
                    Tree::text("plain"),
                    Tree::Block(Vec::new()),
                ]),
            ),
        ])
    }

    #[test]
    fn what_is_written_is_read_back() {
        let tree = example();
        for text in [tree.to_json(), tree.to_yaml()] {
            let read = raw::read(&text).unwrap_or_else(|(at, why)| panic!("{at:?}: {why}\n{text}"));
            assert_eq!(Tree::of(&read), tree, "{text}");
        }
    }

    #[test]
    fn yaml_is_as_plain_as_it_may_be() {
        expect_test::expect![[r##"
            texts: ["", "a b", "on", "NULL", "7", "-", "#x", "a: b", "x\n\r\t\"\\\u001b\u2028", "${X}", .x, 1.2.3.4, "*"]
            "a key": true
            nothing: null
            none: []
            empty: {}
            nested:
              deep:
                number: -7
            list:
              - first: 1
                second:
                  - x: 0.5
              - plain
              - {}
        "##]]
        .assert_eq(&example().to_yaml());
    }
}
