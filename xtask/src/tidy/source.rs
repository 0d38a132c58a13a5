//! What a source file may look like, judged from its text alone.

/// A chapter that is longer than this has two subjects.
const LONGEST: usize = 600;

/// Files that may be longer, up to a limit of their own, each with the reason.
const LONG: &[(&str, usize)] = &[
    // All verbs of the hub in their one order: a reader looks them up side by side.
    ("crates/streamfence-core/src/hub.rs", 700),
];

/// Says what is wrong with this Rust file.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();

    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim_start();
        if code.starts_with("#[allow(") || code.starts_with("#![allow(") {
            findings.push(format!(
                "{path}:{number}: `allow` never speaks up when its reason is gone: use `#[expect(.., reason = \"..\")]`"
            ));
        }
    }

    if path.contains("/src/") {
        let length = code_lines(path, text);
        let longest = LONG.iter().find(|(long, _)| *long == path).map_or(LONGEST, |(_, longest)| *longest);
        if length > longest {
            findings.push(format!("{path}: {length} lines before its tests, at most {longest} are wanted: split it"));
        }
        if path.ends_with("/src/lib.rs")
            && let Some(line) = first_code(text)
        {
            findings.push(format!("{path}: a contents page holds modules, re-exports and docs, found `{line}`"));
        }
    }
    findings
}

/// Whether the manifest takes the lints of the workspace.
pub(super) fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')) == Some("workspace = true")
}

/// The lines before the tests. A file of tests has none: it grows with what it proves.
fn code_lines(path: &str, text: &str) -> usize {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return 0;
    }
    // `#[cfg(test)]` also stands before the declaration of a module in its own file, which ends nothing.
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].lines().count()
}

/// The first line that is neither documentation, an attribute, a module nor a re-export.
fn first_code(text: &str) -> Option<&str> {
    // Comments and attributes end with their line, everything else a contents page holds with a semicolon.
    let mut inside = false;
    for line in text.lines() {
        let code = line.trim();
        if code.is_empty() || code.starts_with("//") || (code.starts_with('#') && code.ends_with(']')) {
            continue;
        }
        let opens = ["mod ", "use ", "extern crate "].iter().any(|item| visibility_stripped(code).starts_with(item));
        // A module with a body is code that hides in the contents page.
        let has_body = visibility_stripped(code).starts_with("mod ") && !code.ends_with(';');
        if !inside && (!opens || has_body) {
            return Some(code);
        }
        inside = !code.ends_with(';');
    }
    None
}

fn visibility_stripped(code: &str) -> &str {
    let code = code.strip_prefix("pub").unwrap_or(code);
    let code = match code.strip_prefix('(') {
        Some(rest) => rest.split_once(')').map_or(code, |(_, item)| item),
        None => code,
    };
    code.trim_start()
}

#[cfg(test)]
mod tests {
    use super::{check, code_lines, first_code, inherits_lints};

    #[test]
    fn a_contents_page_holds_modules_and_re_exports() {
        let text = "//! Docs.\n\n#![cfg_attr(docsrs, feature(doc_cfg))]\n/// Why.\n#[cfg(test)]\npub mod a;\nmod b;\n\n\
                    pub use a::{\n    B,\n    C,\n};\npub(crate) use b::D;\n";
        assert_eq!(first_code(text), None);
    }

    #[test]
    fn a_contents_page_holds_no_code() {
        assert_eq!(first_code("mod a;\npub fn b() {}\n"), Some("pub fn b() {}"));
        assert_eq!(first_code("mod tests {\n"), Some("mod tests {"));
        assert_eq!(first_code("pub const A: u8 = 1;\n"), Some("pub const A: u8 = 1;"));
    }

    #[test]
    fn an_allow_is_found_with_its_line() {
        let allow = format!("fn a() {{}}\n    #[{}(dead_code)]\n", "allow");
        let findings = check("crates/a/examples/b.rs", &allow);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("crates/a/examples/b.rs:2: "), "{findings:?}");
    }

    #[test]
    fn only_what_stands_before_the_tests_counts() {
        let text = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(3), "y\n".repeat(900));
        assert_eq!(code_lines("crates/a/src/b.rs", &text), 3);
        assert_eq!(code_lines("crates/a/src/b/tests.rs", &text), 0);
        assert_eq!(check("crates/a/src/b.rs", &text), Vec::<String>::new());
        assert_eq!(check("crates/a/src/b.rs", &"x\n".repeat(601)).len(), 1);
    }

    #[test]
    fn lints_are_inherited_only_by_saying_so() {
        assert!(inherits_lints("[package]\nname = \"a\"\n\n[lints]\n# why\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nname = \"a\"\n"));
        assert!(!inherits_lints("[lints]\n\n[dependencies]\nworkspace = true\n"));
    }
}
