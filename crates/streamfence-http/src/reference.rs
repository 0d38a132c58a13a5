//! The routes and what can go wrong, as tables in Markdown.

use std::fmt::Write as _;

use crate::api::routes;
use crate::problem::Code;

/// The table of routes, as `docs/http.md` has it.
#[must_use]
pub fn routes_in_markdown() -> String {
    let mut page = "| route | key for | answers | can fail with |\n|---|---|---|---|\n".to_owned();
    for route in routes() {
        let scope = route.scope.map_or("nobody is asked".to_owned(), |scope| format!("`{}`", scope.as_str()));
        let answers: Vec<_> = route.answers.iter().map(|answer| answer.status.as_u16().to_string()).collect();
        let mut problems: Vec<_> = route.problems.iter().map(|code| format!("`{}`", code.as_str())).collect();
        problems.sort_unstable();
        let (method, path, summary) = (route.method.to_ascii_uppercase(), route.path, route.summary);
        let (answers, problems) = (answers.join(", "), problems.join(", "));
        let _ = writeln!(page, "| `{method} {path}`<br>{summary} | {scope} | {answers} | {problems} |");
    }
    page
}

/// The table of what can go wrong, as `docs/http.md` has it.
#[must_use]
pub fn errors_in_markdown() -> String {
    let mut page = "| code | status | meaning |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let _ = writeln!(page, "| `{}` | {} | {} |", code.as_str(), code.status().as_u16(), code.meaning());
    }
    page
}
