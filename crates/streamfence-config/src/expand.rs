//! `${NAME}` and `${file:path}` in string values, so that secrets stay out of the file.
//!
//! Expanded once, after parsing: what comes out is a text and never YAML, and `$${` writes a plain `${`.

use crate::error::Problem;

/// What a `${..}` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// `${NAME}`: an environment variable.
    Env(&'a str),
    /// `${file:path}`: the content of a file, without the newlines at its end.
    File(&'a str),
}

/// Answers a reference, or says why it cannot.
pub type Lookup<'a> = &'a dyn Fn(Reference<'_>) -> Result<String, String>;

/// The text with all references replaced; `None` where there is nothing to replace.
pub(crate) fn expand(text: &str, lookup: Lookup<'_>) -> Result<Option<String>, Problem> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(before) = rest[..start].strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        expanded.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            return Err(refused(&rest[start..], "wanted a closing `}`, or `$${` for a plain `${`"));
        };
        let whole = &rest[start..=start + length];
        let inside = &rest[start + 2..start + length];
        let reference = match inside.strip_prefix("file:") {
            Some("") => return Err(refused(whole, "wanted a path after `file:`")),
            Some(path) => Reference::File(path),
            None if is_variable_name(inside) => Reference::Env(inside),
            None => return Err(refused(whole, "wanted `${NAME}` or `${file:path}`")),
        };
        expanded.push_str(&lookup(reference).map_err(|why| refused(whole, &why))?);
        rest = &rest[start + length + 1..];
    }
    expanded.push_str(rest);
    Ok(Some(expanded))
}

/// Every reference of a text that could be expanded.
pub(crate) fn references(text: &str) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (is_escaped, inside) = (rest[..start].ends_with('$'), &rest[start + 2..]);
        rest = inside;
        if let Some(length) = inside.find('}')
            && !is_escaped
        {
            found.push(
                inside[..length].strip_prefix("file:").map_or(Reference::Env(&inside[..length]), Reference::File),
            );
            rest = &inside[length + 1..];
        }
    }
    found
}

fn is_variable_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn refused(reference: &str, why: &str) -> Problem {
    Problem::Expansion { reference: crate::raw::shown(reference), why: why.to_owned() }
}
