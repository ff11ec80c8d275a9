//! The document that describes the API, made of the table of endpoints.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::registry::{Endpoint, Output, Role};

/// The OpenAPI 3.1 document.
pub(super) fn document(endpoints: &[Endpoint]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = SchemaGenerator::new(settings);
    let error = generator.subschema_for::<protocol::error::ErrorBody>();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.verb.as_str()] = operation(endpoint, &mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Nutshell director",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {
                "error": {
                    "description": "Refused, or failed.",
                    "content": { "application/json": { "schema": error } },
                },
            },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

fn operation(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        "security": security(endpoint.role),
        "x-role": format!("{:?}", endpoint.role).to_lowercase(),
        "responses": {
            "200": success(&endpoint.output, generator),
            "default": { "$ref": "#/components/responses/error" },
        },
    });
    let mut parameters: Vec<Value> = path_parameters(endpoint.path)
        .map(|name| {
            let schema = json!({ "type": if name == "id" { "integer" } else { "string" } });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    if let Some(describe) = endpoint.query {
        // One parameter that is spread over the query, as an object.
        let schema = describe(generator);
        parameters.push(json!({
            "name": "query", "in": "query", "style": "form", "explode": true, "schema": schema,
        }));
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(describe) = endpoint.input {
        let schema = describe(generator);
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn success(output: &Output, generator: &mut SchemaGenerator) -> Value {
    match output {
        Output::Nothing => json!({
            "description": "Done.",
            "content": { "application/json": { "schema": { "type": "null" } } },
        }),
        Output::Json(describe) => json!({
            "description": "Done.",
            "content": { "application/json": { "schema": describe(generator) } },
        }),
        Output::Media(media_type) => json!({
            "description": "Done.",
            "content": { *media_type: {} },
        }),
    }
}

fn security(role: Role) -> Value {
    match role {
        Role::Public => json!([]),
        Role::User | Role::Session | Role::Administrator => json!([{ "token": [] }]),
        Role::Manager | Role::Vm => json!([{ "certificate": [] }]),
    }
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}
