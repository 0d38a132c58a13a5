//! The document of the API (OpenAPI 3.1), made from its routes.

use std::collections::BTreeMap;

use axum::Json;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::api::routes;
use crate::problem::{Code, PROBLEM_JSON, Problem};
use crate::route::{Content, Route};

/// `GET /openapi.json`.
pub(crate) async fn serve() -> Json<Value> {
    Json(document())
}

/// The document that describes every route of [`router`](crate::router): OpenAPI 3.1, as `docs/openapi.json` has it.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut schemas = SchemaGenerator::new(settings);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes() {
        let operation = operation(&route, &mut schemas);
        paths.entry(route.path).or_default().insert(route.method.to_owned(), operation);
    }
    let _ = schemas.subschema_for::<Problem>();
    let bearer = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "A key of `admin.keys`. Nobody is asked for one where the configuration has none.",
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "StreamFence",
            "description": "Publish to Socket.IO clients, see them, and steer the server.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"key": bearer},
            "schemas": schemas.take_definitions(true),
        },
    })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": id(route),
        "summary": route.summary,
        "responses": responses(route, schemas),
    });
    if let Some(scope) = route.scope {
        operation["security"] = json!([{"key": [scope.as_str()]}, {}]);
    }
    if !route.parameters.is_empty() {
        let parameters = route.parameters.iter().map(|parameter| {
            json!({
                "name": parameter.name,
                "in": parameter.place,
                "description": parameter.meaning,
                "required": parameter.place == "path",
                "schema": (parameter.schema)(schemas),
            })
        });
        operation["parameters"] = parameters.collect();
    }
    if let Some(body) = &route.body {
        operation["requestBody"] = json!({"required": true, "content": content(body, schemas)});
    }
    operation
}

/// The method and the path in one word, such as `postV1PublishBatch`.
fn id(route: &Route) -> String {
    let mut id = route.method.to_owned();
    for word in route.path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        id.push_str(&word[..1].to_ascii_uppercase());
        id.push_str(&word[1..]);
    }
    id
}

fn responses(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for answer in &route.answers {
        let mut response = json!({"description": answer.meaning});
        if let Some(body) = &answer.content {
            response["content"] = content(body, schemas);
        }
        responses.insert(answer.status.as_u16().to_string(), response);
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in route.all_problems() {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let named: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
        let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        let problem = json!({
            "allOf": [{"$ref": "#/components/schemas/Problem"}],
            "properties": {"code": {"enum": names}},
        });
        let description = named.join(" ");
        let response = json!({"description": description, "content": {PROBLEM_JSON: {"schema": problem}}});
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn content(content: &Content, schemas: &mut SchemaGenerator) -> Value {
    json!({content.kind: {"schema": (content.schema)(schemas)}})
}
