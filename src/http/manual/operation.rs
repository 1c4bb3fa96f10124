//! One operation of the document on the page.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::{code, escaped, prose, table};
use super::{resolved, schema};
use crate::http::access::Access;
use crate::http::row::Row;

/// Where the examples ask.
const BASE: &str = "http://127.0.0.1:3000";

/// An operation, and the route that it describes.
pub(super) struct Operation<'a> {
    pub(super) document: &'a Value,
    pub(super) row: &'a Row,
    pub(super) told: &'a Value,
}

impl Operation<'_> {
    pub(super) fn id(&self) -> &str {
        self.told["operationId"].as_str().unwrap_or_default()
    }

    /// Everything of it, folded until it is asked for.
    pub(super) fn section(&self) -> String {
        let Row { method, path, access, summary, .. } = self.row;
        let mut section = format!(
            "<details id=\"{}\"><summary><b>{method}</b> {} <span>{}</span></summary>\n",
            escaped(self.id()),
            code(path),
            prose(summary)
        );
        if let Some(more) = self.told["description"].as_str() {
            section += &format!("<p>{}</p>\n", prose(more));
        }
        section += &format!("<p>Who may: <a href=\"#who\">{}</a>.</p>\n", access.name());
        section += &self.parameters();
        if let Some(body) = self.body() {
            section += &self.fields("Body", body);
        }
        section += &format!("<h4>Example</h4>\n<pre>{}</pre>\n", escaped(&self.curl()));
        section += &self.answers();
        section + "</details>\n"
    }

    fn resolved_parameters(&self) -> Vec<&Value> {
        let parameters = self.told["parameters"].as_array().into_iter().flatten();
        parameters.map(|parameter| resolved(self.document, parameter)).collect()
    }

    fn parameters(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = self.resolved_parameters().into_iter().map(|parameter| {
            let must = if parameter["required"] == true { ", required" } else { "" };
            [
                code(&text(&parameter["name"])),
                format!("{}{must}", escaped(&text(&parameter["in"]))),
                escaped(&schema::kind(self.document, &parameter["schema"])),
                prose(&text(&parameter["description"])),
            ]
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            return String::new();
        }
        format!("<h4>Parameters</h4>\n{}", table(&["name", "where", "what", ""], &rows))
    }

    /// The schema of its body.
    fn body(&self) -> Option<&Value> {
        let content = resolved(self.document, &self.told["requestBody"])["content"].as_object()?;
        content.values().next().map(|content| &content["schema"])
    }

    fn fields(&self, title: &str, schema: &Value) -> String {
        let rows = schema::fields(self.document, schema).into_iter().map(|field| {
            let must = if field.is_required { "required" } else { "" };
            [code(&field.path), escaped(&field.kind), must.to_owned(), prose(&field.about)]
        });
        let rows: Vec<_> = rows.collect();
        match rows.is_empty() {
            true => format!("<h4>{title}</h4>\n<p>None, or an empty object.</p>\n"),
            false => format!("<h4>{title}</h4>\n{}", table(&["field", "what", "", ""], &rows)),
        }
    }

    /// What success says, then every status with the codes that come with it.
    fn answers(&self) -> String {
        let answers = self.told["responses"].as_object().into_iter().flatten();
        let answers: Vec<_> =
            answers.map(|(status, told)| (status, resolved(self.document, told))).collect();
        let schema = |told: &Value| {
            let schema = &told["content"]["application/json"]["schema"];
            resolved(self.document, schema).clone()
        };
        let mut section = String::new();
        if let Some((_, told)) = answers.iter().find(|(status, _)| *status == "200") {
            let schema = schema(told);
            // The envelope is the same everywhere.
            let data = schema["properties"].get("data").unwrap_or(&schema);
            if !schema::fields(self.document, data).is_empty() {
                section += &self.fields("Answer", data);
            }
        }
        let rows = answers.iter().map(|(status, told)| {
            let schema = schema(told);
            let codes = schema["properties"]["code"]["enum"].as_array().into_iter().flatten();
            let codes: Vec<String> = codes.filter_map(Value::as_str).map(code).collect();
            let about = prose(told["description"].as_str().unwrap_or_default());
            [escaped(status), codes.join(" "), about]
        });
        let rows: Vec<_> = rows.collect();
        section + "<h4>Statuses</h4>\n" + &table(&["status", "codes", ""], &rows)
    }

    /// How it is asked from a command line.
    fn curl(&self) -> String {
        let Row { method, access, .. } = self.row;
        let mut command = match method.as_str() {
            "GET" => format!("curl -s {}", quoted(&self.address())),
            method => format!("curl -s -X {method} {}", quoted(&self.address())),
        };
        // Writing to a string cannot fail.
        if *access != Access::Public {
            let _ = write!(command, " \\\n  -H \"Authorization: Bearer $TOKEN\"");
        }
        for header in self.examples_in("header", |parameter| parameter["required"] == true) {
            let (name, value) = header;
            let _ = write!(command, " \\\n  -H {}", quoted(&format!("{name}: {value}")));
        }
        if let Some(body) = self.body() {
            let example = schema::example(self.document, body, "");
            let _ = write!(command, " \\\n  -H 'Content-Type: application/json'");
            let _ = write!(command, " \\\n  -d {}", quoted(&example.to_string()));
        }
        command
    }

    fn address(&self) -> String {
        let filled = self.examples_in("path", |_| true);
        let values: Vec<&str> = filled.iter().map(|(_, value)| value.as_str()).collect();
        let query = self.examples_in("query", |parameter| parameter["required"] == true);
        let query: Vec<String> =
            query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{BASE}{}{mark}{}", self.row.path_with(&values), query.join("&"))
    }

    /// The parameters of a place with an example of each.
    fn examples_in(&self, place: &str, is: impl Fn(&Value) -> bool) -> Vec<(String, String)> {
        let parameters = self.resolved_parameters().into_iter();
        let parameters = parameters.filter(|parameter| parameter["in"] == place && is(parameter));
        let examples = parameters.map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            let named = parameter["examples"].as_object().and_then(|it| it.values().next());
            let value = match named.map(|example| &example["value"]) {
                Some(value) => value.clone(),
                None => schema::example(self.document, &parameter["schema"], name),
            };
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.to_owned(), value)
        });
        examples.collect()
    }
}

/// A word for a shell, which reads nothing in it.
fn quoted(text: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_.:/@%".contains(character);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;
    use serde_json::json;

    use super::*;
    use crate::http::row::Takes;

    #[test]
    fn an_example_can_be_pasted_into_a_shell() {
        let document = json!({"components": {"parameters": {"Tag": {
            "name": "If-Match", "in": "header", "required": true, "schema": {"type": "string"},
            "examples": {"any": {"value": "*"}},
        }}}});
        let told = json!({
            "parameters": [
                {"$ref": "#/components/parameters/Tag"},
                {"name": "teaId", "in": "path", "required": true, "schema": {"type": "string"}},
                {"name": "page", "in": "query", "schema": {"type": "integer"}},
            ],
            "requestBody": {"content": {"application/json": {"schema": {
                "type": "object", "required": ["why"],
                "properties": {"why": {"type": "string", "examples": ["it's old"]}},
            }}}},
        });
        let row = Row {
            method: Method::PATCH,
            path: "/teas/{teaId}",
            access: Access::Operator,
            takes: Takes::Fields,
            summary: "",
        };
        let operation = Operation { document: &document, row: &row, told: &told };
        assert_eq!(
            operation.curl(),
            r#"curl -s -X PATCH http://127.0.0.1:3000/teas/teaId \
  -H "Authorization: Bearer $TOKEN" \
  -H 'If-Match: *' \
  -H 'Content-Type: application/json' \
  -d '{"why":"it'\''s old"}'"#
        );
    }
}
