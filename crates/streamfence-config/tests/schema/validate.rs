//! As much of JSON Schema as the schema of the configuration uses; a keyword it does not know is a failure.

use serde_json::Value;

/// Whether a value is valid, or where it is not and why.
pub(crate) fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    check(schema, schema, value).map_err(|why| format!("{why} in {value}"))
}

fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
        let is_met = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "deprecated" | "$defs" => true,
            // What is in a block is checked with the names that the block gives it.
            "additionalProperties" => properties(root, schema, value)?,
            "properties" => schema.get("additionalProperties").is_some(),
            "$ref" => {
                let path = wanted.as_str().and_then(|path| path.strip_prefix('#')).expect("a place in the schema");
                check(root, root.pointer(path).unwrap_or_else(|| panic!("nothing at {path}")), value)?;
                true
            }
            "anyOf" => list(wanted).iter().any(|schema| check(root, schema, value).is_ok()),
            "allOf" => {
                list(wanted).iter().try_for_each(|schema| check(root, schema, value))?;
                true
            }
            "not" => check(root, wanted, value).is_err(),
            "type" => is_of_type(wanted.as_str().expect("a name"), value),
            "enum" => list(wanted).contains(value),
            "const" => wanted == value,
            "minimum" => number(value) >= number(wanted),
            "maximum" => number(value) <= number(wanted),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 >= number(wanted)),
            "minItems" => value.as_array().is_none_or(|list| list.len() as f64 >= number(wanted)),
            "minProperties" => value.as_object().is_none_or(|block| block.len() as f64 >= number(wanted)),
            "pattern" => {
                assert_eq!(wanted, r"\$\{", "the one pattern there is");
                value.as_str().is_none_or(|text| text.contains("${"))
            }
            "required" => value
                .as_object()
                .is_none_or(|block| list(wanted).iter().all(|name| block.contains_key(name.as_str().expect("a name")))),
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|entry| check(root, wanted, entry))?;
                true
            }
            other => panic!("the schema has a keyword this does not know: {other}"),
        };
        if !is_met {
            return Err(format!("{keyword} {wanted} does not hold for {value}"));
        }
    }
    Ok(())
}

fn properties(root: &Value, schema: &Value, value: &Value) -> Result<bool, String> {
    let Some(block) = value.as_object() else { return Ok(true) };
    for (name, value) in block {
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => check(root, schema, value)?,
            (None, Value::Bool(false)) => return Err(format!("no such key: {name}")),
            (None, schema) => check(root, schema, value)?,
        }
    }
    Ok(true)
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("no such type: {other}"),
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
