//! The table of attacks in `docs/security.md`: each row names tests, and those are there. Never what they prove.

/// Where the table stands.
pub(super) const PAGE: &str = "docs/security.md";
const HEADING: &str = "## Attacks";

/// A test that a row names.
#[derive(Debug, PartialEq, Eq)]
struct Named<'a> {
    /// The attack of the row.
    attack: &'a str,
    /// The file and the test, as they stand there.
    text: &'a str,
}

/// Says which rows name no test, and which name one that is not there; `read` is the text of a file, if there is one.
pub(super) fn check(page: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let rows: Vec<_> = rows(page).collect();
    if rows.is_empty() {
        return vec![format!("{PAGE}: no table below `{HEADING}`; wanted the attacks and their tests")];
    }
    let mut findings = Vec::new();
    for (attack, tests) in rows {
        if tests.is_empty() {
            findings.push(format!("{PAGE}: the row {attack:?} names no test"));
        }
        let missing = tests.iter().filter(|named| !is_there(named.text, &read));
        findings.extend(missing.map(|Named { attack, text }| {
            format!("{PAGE}: the row {attack:?} names `{text}`, which is not there; wanted `file: test`")
        }));
    }
    findings
}

/// Each row with what it names in its last column.
fn rows(page: &str) -> impl Iterator<Item = (&str, Vec<Named<'_>>)> {
    let (_, section) = page.split_once(HEADING).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let table = section.lines().filter(|line| line.starts_with('|')).skip(2);
    table.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let attack = cells.next().unwrap_or_default();
        let quoted = cells.last().unwrap_or_default().split('`').skip(1).step_by(2);
        (attack, quoted.map(|text| Named { attack, text }).collect())
    })
}

/// Whether there is such a test: `e2e/4-tls: what it is called`, `attacks/packets: name`, `auth/src/hook: name`.
fn is_there(named: &str, read: impl Fn(&str) -> Option<String>) -> bool {
    let Some((file, test)) = named.split_once(": ") else { return false };
    let (path, beginnings) = match file.split_once('/') {
        Some(("e2e", name)) => (format!("e2e/{name}.test.mjs"), [format!("test(\"{test}\""), format!("test(`{test}`")]),
        Some(("attacks", name)) => {
            (format!("crates/streamfence-cli/tests/attacks/{name}.rs"), [rust(test), rust(test)])
        }
        Some((name, rest)) => (format!("crates/streamfence-{name}/{rest}.rs"), [rust(test), rust(test)]),
        None => return false,
    };
    read(&path).is_some_and(|text| beginnings.iter().any(|beginning| text.contains(beginning)))
}

fn rust(test: &str) -> String {
    format!("fn {test}(")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = "# Security\n\n| a | `b: c` |\n\n## Attacks\n\n| attack | what | test |\n|---|---|---|\n\
        | bombs | nothing | `attacks/packets: no_bomb`, `e2e/4-tls: it holds` |\n\
        | floods | nothing | `auth/src/hook: no_flood` |\n\n## More\n\n| none | none | none |\n";

    fn read(path: &str) -> Option<String> {
        let text = match path {
            "crates/streamfence-cli/tests/attacks/packets.rs" => "fn no_bomb() {}",
            "crates/streamfence-auth/src/hook.rs" => "async fn no_flood() {}",
            "e2e/4-tls.test.mjs" => "test(\"it holds\", async () => {})",
            _ => return None,
        };
        Some(text.to_owned())
    }

    #[test]
    fn tests_that_are_there_are_found() {
        assert_eq!(check(PAGE_TEXT, read), Vec::<String>::new());
    }

    #[test]
    fn rows_without_a_test_and_tests_that_are_not_there_are_told() {
        let page = PAGE_TEXT.replace("no_bomb", "no_bombs").replace("`auth/src/hook: no_flood`", "by looking");
        let wanted = [
            format!(
                "{PAGE}: the row \"bombs\" names `attacks/packets: no_bombs`, which is not there; wanted `file: test`"
            ),
            format!("{PAGE}: the row \"floods\" names no test"),
        ];
        assert_eq!(check(&page, read), wanted);
        assert_eq!(check(PAGE_TEXT, |_| None).len(), 3);
        assert_eq!(check("# Security", read).len(), 1, "a page without the table");
    }
}
