//! The tables of keys in `docs/` are made from the code, and the words around them are not: `UPDATE_EXPECT=1 cargo test -p
//! streamfence-config` writes what stands between the two marks anew and leaves the rest as it is.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::fs;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
const BEGINS: &str =
    "<!-- What follows is made from the code: `UPDATE_EXPECT=1 cargo test -p streamfence-config` writes it anew. -->\n";
const ENDS: &str = "<!-- Here ends what is made from the code. -->\n";

#[test]
fn the_tables_of_keys_are_true() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGINS).expect("the page says where the tables begin");
    let (_, after) = rest.split_once(ENDS).expect("the page says where the tables end");
    let tables = streamfence_config::reference();
    let true_page = format!("{before}{BEGINS}\n{}\n\n{ENDS}{after}", tables.trim());
    expect_test::expect_file!["../../../docs/configuration.md"].assert_eq(&true_page);
}
