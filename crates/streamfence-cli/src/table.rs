//! Tables and numbers for people.

use std::fmt;

use serde_json::Value;

use crate::say::visible;

/// Columns that stand below each other: words from the left, numbers from the right.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    name: &'static str,
    is_number: bool,
}

impl Table {
    /// Columns of these names; one that begins with `#` is of numbers.
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let column = |name: &&'static str| match name.strip_prefix('#') {
            Some(name) => Column { name, is_number: true },
            None => Column { name, is_number: false },
        };
        Self { columns: names.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row; what is missing in it is empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<_> = cells.into_iter().map(|cell| visible(&cell)).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Without as many of these columns, the first of them first, as it takes to be no wider than that.
    pub(crate) fn narrowed(mut self, width: usize, dispensable: &[&str]) -> Self {
        for name in dispensable {
            let widest = |table: &Self| table.to_string().lines().map(|line| line.chars().count()).max();
            if widest(&self) <= Some(width) {
                break;
            }
            if let Some(at) = self.columns.iter().position(|column| column.name == *name) {
                self.columns.remove(at);
                self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
            }
        }
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.columns.iter().map(|column| column.name.to_owned()).collect();
        let lines = || std::iter::once(&names).chain(&self.rows);
        let widths: Vec<_> =
            (0..names.len()).map(|at| lines().map(|line| line[at].chars().count()).max().unwrap_or_default()).collect();
        for line in lines() {
            let mut text = String::new();
            for ((cell, column), width) in line.iter().zip(&self.columns).zip(&widths) {
                text += &if column.is_number { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// A text or a number of an answer as it is; `-` where there is none.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
        value => value.to_string(),
    }
}

/// A number of bytes: `17 B`, `1.5 KiB`.
pub(crate) fn bytes(value: &Value) -> String {
    let Some(bytes) = value.as_f64() else { return "-".to_owned() };
    let mut size = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{size} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// A number of milliseconds: `17 ms`, `1.5 s`, `2 min 5 s`, `3 h 4 min`, `2 d 5 h`.
pub(crate) fn time(value: &Value) -> String {
    let Some(ms) = value.as_u64() else { return "-".to_owned() };
    let seconds = ms / 1_000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{:.1} s", ms as f64 / 1_000.0),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A rate a second.
pub(crate) fn per_second(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}/s"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["CLIENT", "#DEPTH", "PRINCIPAL"]);
        table.row(["a".to_owned(), "7".to_owned(), "ann\u{1b}[2J".to_owned()]);
        table.row(["longer-name".to_owned(), "12345678".to_owned()]);
        let wanted = "CLIENT          DEPTH  PRINCIPAL\na                   7  ann\\u{1b}[2J\nlonger-name  12345678\n";
        assert_eq!(table.to_string(), wanted);
    }

    #[test]
    fn numbers_are_for_people() {
        for (found, wanted) in [
            (bytes(&json!(17)), "17 B"),
            (bytes(&json!(1536)), "1.5 KiB"),
            (bytes(&json!(1_u64 << 50)), "1024.0 TiB"),
            (bytes(&Value::Null), "-"),
            (time(&json!(999)), "999 ms"),
            (time(&json!(1_500)), "1.5 s"),
            (time(&json!(125_000)), "2 min 5 s"),
            (time(&json!(11_040_000)), "3 h 4 min"),
            (time(&json!(190_800_000)), "2 d 5 h"),
            (per_second(&json!(1.25)), "1.2/s"),
            (plain(&json!(true)), "yes"),
            (plain(&Value::Null), "-"),
        ] {
            assert_eq!(found, wanted);
        }
    }
}
