//! What a schema of the document asks for, in words, and an example of it.

use serde_json::{Map, Value, json};

use super::resolved;

/// How deep schemas are looked into. One that refers to itself ends here.
const DEPTH_MAX: usize = 6;

/// One field of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its path from the body's root.
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) is_required: bool,
    pub(super) about: String,
}

/// The fields of a body, those that must be there first.
pub(super) fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    collect(document, schema, "", DEPTH_MAX, &mut fields);
    fields
}

fn collect(document: &Value, schema: &Value, path: &str, depth: usize, fields: &mut Vec<Field>) {
    let schema = resolved(document, schema);
    if depth == 0 {
        return;
    }
    for (name, member) in by_need(schema) {
        let member = resolved(document, member);
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        fields.push(Field {
            kind: kind(document, member),
            is_required: is_required(schema, name),
            about: member["description"].as_str().unwrap_or_default().to_owned(),
            path: path.clone(),
        });
        collect(document, member, &path, depth - 1, fields);
    }
    if let Some(items) = schema.get("items") {
        collect(document, items, &format!("{path}[]"), depth - 1, fields);
    }
    for part in branches(schema) {
        collect(document, part, path, depth - 1, fields);
    }
}

/// The schemas of which one, or each, holds besides.
fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|name| schema[name].as_array()).flatten()
}

/// The members of an object, those first that must be there.
fn by_need(schema: &Value) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = schema["properties"].as_object().into_iter().flatten().collect();
    members.sort_by_key(|(name, _)| !is_required(schema, name));
    members
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name))
}

/// What a value may be, in words.
pub(super) fn kind(document: &Value, schema: &Value) -> String {
    let schema = resolved(document, schema);
    if let Some(only) = schema.get("const") {
        return only.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return joined(values.iter().map(Value::to_string), ", ");
    }
    let types = types(schema);
    if types.is_empty() {
        let kinds = branches(schema).map(|part| kind(document, part));
        return joined(kinds.filter(|kind| !kind.is_empty()), " or ");
    }
    let mut words = joined(types.iter().map(|it| (*it).to_owned()), " or ");
    if let Some(items) = schema.get("items") {
        words = format!("{words} of {}", kind(document, items));
    }
    for (least, most, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ] {
        words += &match (schema.get(least), schema.get(most)) {
            (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
            (Some(least), None) => format!(", at least {least}{unit}"),
            (None, Some(most)) => format!(", at most {most}{unit}"),
            (None, None) => String::new(),
        };
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        words += &format!(", {pattern}");
    }
    words
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn joined(words: impl Iterator<Item = String>, between: &str) -> String {
    words.collect::<Vec<_>>().join(between)
}

/// A value that the schema allows, as small as it may be. Texts without an example are called as
/// what they are for.
pub(super) fn example(document: &Value, schema: &Value, name: &str) -> Value {
    sample(document, schema, name, DEPTH_MAX)
}

fn sample(document: &Value, schema: &Value, name: &str, depth: usize) -> Value {
    let schema = resolved(document, schema);
    let told = [&schema["examples"][0], &schema["const"], &schema["enum"][0], &schema["default"]];
    if let Some(told) = told.into_iter().find(|told| !told.is_null()) {
        return told.clone();
    }
    if depth == 0 {
        return Value::Null;
    }
    match types(schema).first() {
        Some(&"object") => object(document, schema, depth),
        Some(&"array") => json!([sample(document, &schema["items"], name, depth - 1)]),
        Some(&"integer" | &"number") => {
            schema["minimum"].as_i64().unwrap_or_default().max(1).into()
        }
        Some(&"boolean") => true.into(),
        Some(&"string") => name.into(),
        Some(_) => Value::Null,
        None => branches(schema)
            .next()
            .map_or(Value::Null, |part| sample(document, part, name, depth - 1)),
    }
}

/// An object with what it must have, one way or another; where it must have nothing, with its first
/// member.
fn object(document: &Value, schema: &Value, depth: usize) -> Value {
    let alternative = branches(schema).next().unwrap_or(&Value::Null);
    let members = by_need(schema);
    let is_needed = |name: &str| is_required(schema, name) || is_required(alternative, name);
    let needed: Vec<_> = members.iter().filter(|(name, _)| is_needed(name)).collect();
    let shown = if needed.is_empty() { members.iter().take(1).collect() } else { needed };
    let members = shown
        .into_iter()
        .map(|(name, member)| ((*name).clone(), sample(document, member, name, depth - 1)));
    Value::Object(members.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> (Value, Value) {
        let document = json!({"components": {"schemas": {"Item": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "about": {"type": ["string", "null"], "maxLength": 9},
                "id": {"type": "string", "pattern": "^[a-z]+$", "examples": ["tea"]},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
            },
        }}}});
        let schema = json!({
            "type": "object",
            "properties": {
                "item": {"$ref": "#/components/schemas/Item"},
                "quantity": {"type": "integer", "minimum": 2, "maximum": 9, "description": "How many."},
                "all": {"anyOf": [{"const": true}, {"type": "null"}]},
            },
            "oneOf": [{"required": ["item", "quantity"]}, {"required": ["all"]}],
        });
        (document, schema)
    }

    #[test]
    fn a_field_is_told_with_its_path_and_its_bounds() {
        let (document, schema) = exchange();
        let fields = fields(&document, &schema);
        let field = |path: &str| fields.iter().find(|field| field.path == path).expect(path);
        assert_eq!(field("all").kind, "true or null");
        let quantity = field("quantity");
        assert_eq!((&*quantity.kind, &*quantity.about), ("integer, 2 to 9", "How many."));
        assert_eq!(field("item.about").kind, "string or null, at most 9 characters");
        assert_eq!(field("item.id").kind, "string, ^[a-z]+$");
        assert!(field("item.id").is_required && !field("item.about").is_required);
        assert_eq!(field("item.parts[].id").kind, "string, ^[a-z]+$");
        assert!(fields.len() < 30, "it ends: {fields:?}");
    }

    #[test]
    fn an_example_has_what_must_be_there() {
        let (document, schema) = exchange();
        assert_eq!(example(&document, &schema, ""), json!({"item": {"id": "tea"}, "quantity": 2}));
        let patch = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        assert_eq!(example(&document, &patch, ""), json!({"name": "name"}));
    }
}
