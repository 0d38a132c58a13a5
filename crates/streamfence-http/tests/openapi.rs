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
