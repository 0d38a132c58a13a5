//! The JSON Schema of a configuration, for editors: made from the table of keys that files are checked against.
//!
//! It says of one key what it takes. What must fit together is for `check`.

use crate::keys::{KEYS, Key, Kind, Section, snake_case};
use crate::shape::{Inside, inside};
use crate::tree::Tree;

/// The schema, as `docs/configuration.schema.json` has it: JSON Schema 2020-12.
#[must_use]
pub fn schema() -> String {
    let mut defs = vec![(REFERENCE.to_owned(), reference())];
    let shapes = KEYS.iter().filter_map(inside);
    let mut blocks: Vec<&'static [Section]> = vec![&[Section::File]];
    blocks.extend(shapes.filter_map(|inside| match inside {
        Inside::Keys(of) | Inside::Named(of) | Inside::Blocks(of) | Inside::NamesOrBlocks(of) => Some(of),
        Inside::Texts => None,
    }));
    defs.extend(blocks.iter().map(|sections| (name_of(sections), block(sections))));
    let head = [
        ("$schema", Tree::text("https://json-schema.org/draft/2020-12/schema")),
        ("title", Tree::text("StreamFence configuration")),
        ("$ref", Tree::text(format!("#/$defs/{}", name_of(&[Section::File])))),
        ("$defs", Tree::Block(defs)),
    ];
    Tree::block(head).to_json()
}

const REFERENCE: &str = "reference";

/// What a value of any kind may be instead: a text that stands for it.
fn reference() -> Tree {
    let meaning =
        "`${NAME}` (an environment variable) or `${file:path}` (the text of a file), which stand for the value.";
    Tree::block([
        ("type", Tree::text("string")),
        ("pattern", Tree::text(r"\$\{")),
        ("description", Tree::text(meaning)),
    ])
}

/// What a block with the keys of these sections is called: as the section that nothing else has.
fn name_of(sections: &[Section]) -> String {
    let name = format!("{:?}", sections[0]);
    name[..1].to_ascii_lowercase() + &name[1..]
}

fn to_def(name: &str) -> Tree {
    Tree::block([("$ref", Tree::text(format!("#/$defs/{name}")))])
}

fn block(sections: &[Section]) -> Tree {
    let keys = || KEYS.iter().filter(|key| sections.contains(&key.section));
    let mut properties: Vec<_> = keys().map(|key| (key.name.to_owned(), property(key))).collect();
    // The other spelling of a key is the same key; editors should offer the first.
    let block = name_of(sections);
    let aliases = keys().filter(|key| snake_case(key.name) != key.name);
    properties.extend(aliases.map(|key| {
        let same = Tree::text(format!("#/$defs/{block}/properties/{}", key.name));
        (snake_case(key.name), Tree::block([("$ref", same), ("deprecated", Tree::Flag(true))]))
    }));
    let required: Vec<_> = keys().filter(|key| is_required(key)).map(either_spelling).collect();
    let mut schema = vec![
        ("type", Tree::text("object")),
        ("additionalProperties", Tree::Flag(false)),
        ("properties", Tree::Block(properties)),
    ];
    if !required.is_empty() {
        schema.push(("allOf", Tree::List(required)));
    }
    Tree::block(schema)
}

/// Whether a block is wrong without it.
fn is_required(key: &Key) -> bool {
    let is_list_of_one =
        matches!((key.section, key.name), (Section::Server, "namespaces") | (Section::Namespace, "topics"));
    let is_file = matches!((key.section, key.name), (Section::File, "servers"));
    let is_of_a_key = key.section == Section::AdminKey && key.name != "topics";
    is_list_of_one || is_file || is_of_a_key || matches!(key.kind, Kind::Text { default: None })
}

fn either_spelling(key: &Key) -> Tree {
    let required = |name: &str| Tree::block([("required", Tree::texts([name]))]);
    let snake = snake_case(key.name);
    if snake == key.name {
        return required(key.name);
    }
    Tree::block([("anyOf", Tree::List(vec![required(key.name), required(&snake)]))])
}

fn property(key: &Key) -> Tree {
    let mut schema = takes(key);
    schema.push(("description", Tree::text(key.meaning)));
    if let Some(default) = default(key) {
        schema.push(("default", default));
    }
    Tree::block(schema)
}

/// What holds without the key, where that is a value.
pub(crate) fn default(key: &Key) -> Option<Tree> {
    match key.kind {
        Kind::Number { default, .. } => Some(Tree::number(default)),
        Kind::Decimal { default, .. } => Some(Tree::number(default)),
        Kind::Flag { default } => Some(Tree::Flag(default)),
        Kind::Choice { of, .. } => Some(Tree::text(of[0])),
        Kind::Text { default } => default.map(Tree::text),
        Kind::Texts { default: "" } => None,
        Kind::Texts { default } => Some(Tree::text(default)),
        Kind::Optional { .. }
        | Kind::Word { .. }
        | Kind::Secret
        | Kind::Secrets
        | Kind::Path
        | Kind::List(_)
        | Kind::SecretTexts
        | Kind::Block => None,
    }
}

fn takes(key: &Key) -> Vec<(&'static str, Tree)> {
    let is_text = ("type", Tree::text("string"));
    let or_reference = |schema| vec![("anyOf", Tree::List(vec![Tree::block(schema), to_def(REFERENCE)]))];
    match key.kind {
        Kind::Number { min, max, .. } | Kind::Optional { min, max, .. } => or_reference(vec![
            ("type", Tree::text("integer")),
            ("minimum", Tree::number(min)),
            ("maximum", Tree::number(max)),
        ]),
        Kind::Decimal { min, max, .. } => or_reference(vec![
            ("type", Tree::text("number")),
            ("minimum", Tree::number(min)),
            ("maximum", Tree::number(max)),
        ]),
        Kind::Flag { .. } => or_reference(vec![("type", Tree::text("boolean"))]),
        Kind::Choice { of, .. } | Kind::Word { of } => or_reference(vec![("enum", Tree::texts(of.iter().copied()))]),
        Kind::Text { .. } | Kind::Secret | Kind::Path => vec![is_text, ("minLength", Tree::number(1))],
        Kind::Texts { .. } | Kind::SecretTexts => {
            let text = || vec![("type", Tree::text("string")), ("minLength", Tree::number(1))];
            let list =
                vec![("type", Tree::text("array")), ("minItems", Tree::number(1)), ("items", Tree::block(text()))];
            vec![("anyOf", Tree::List(vec![Tree::block(text()), Tree::block(list)]))]
        }
        Kind::Secrets => vec![
            ("type", Tree::text("object")),
            ("minProperties", Tree::number(1)),
            ("additionalProperties", Tree::block([is_text, ("minLength", Tree::number(1))])),
        ],
        Kind::List(_) | Kind::Block => inside(key).map(holds).unwrap_or_default(),
    }
}

fn holds(inside: Inside) -> Vec<(&'static str, Tree)> {
    let list = |items| vec![("type", Tree::text("array")), ("minItems", Tree::number(1)), ("items", items)];
    match inside {
        Inside::Keys(of) => vec![("$ref", Tree::text(format!("#/$defs/{}", name_of(of))))],
        Inside::Named(of) => vec![
            ("type", Tree::text("object")),
            ("minProperties", Tree::number(1)),
            ("additionalProperties", to_def(&name_of(of))),
        ],
        Inside::Blocks(of) => list(to_def(&name_of(of))),
        Inside::NamesOrBlocks(of) => {
            let name = Tree::block([("type", Tree::text("string")), ("minLength", Tree::number(1))]);
            list(Tree::block([("anyOf", Tree::List(vec![name, to_def(&name_of(of))]))]))
        }
        Inside::Texts => vec![("type", Tree::text("array")), ("items", Tree::block([("type", Tree::text("string"))]))],
    }
}
