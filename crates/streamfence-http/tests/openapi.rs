//! The document in the repository is the one that is served, and says only what can be found in it.

use std::collections::BTreeSet;

use expect_test::expect_file;
use serde_json::Value;

#[test]
fn the_document_in_the_repository_is_that_of_the_routes() {
    let document = serde_json::to_string_pretty(&streamfence_http::document()).expect("it is JSON");
    expect_file!["../../../docs/openapi.json"].assert_eq(&(document + "\n"));
}

#[test]
fn the_tables_in_the_reference_are_those_of_the_routes() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/http.md")).expect("it is there");
    let page = with_table(&page, "routes", &streamfence_http::routes_in_markdown());
    let page = with_table(&page, "errors", &streamfence_http::errors_in_markdown());
    expect_file!["../../../docs/http.md"].assert_eq(&page);
}

/// A page with another table between the marks of one.
fn with_table(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = page.split_once(&begin).expect("the page has such a table");
    let (_, after) = rest.split_once(&end).expect("the table has an end");
    format!("{before}{begin}\n{table}\n{end}{after}")
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = streamfence_http::document();
    let mut references = BTreeSet::new();
    visit(&document, &mut |key, value| {
        if key == "$ref" {
            references.extend(value.as_str().map(str::to_owned));
        }
    });
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("it is in this document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = Vec::new();
    visit(&document, &mut |key, value| {
        if key == "operationId" {
            ids.push(value.clone());
        }
    });
    let distinct: BTreeSet<_> = ids.iter().map(ToString::to_string).collect();
    assert!(ids.len() >= 5 && distinct.len() == ids.len(), "{ids:?}");
}

fn visit(value: &Value, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                see(key, value);
                visit(value, see);
            }
        }
        Value::Array(array) => array.iter().for_each(|value| visit(value, see)),
        _ => {}
    }
}
