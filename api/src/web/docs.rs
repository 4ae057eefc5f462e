//! What scripts can ask for, readable: made of the same document that programs read.

use axum::extract::State;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::layout::{Page, Theme, document};
use crate::app::App;
use crate::openapi::{DOCUMENT, PATH};
use crate::route::{Routes, Who};
use crate::session::Visitor;

/// Gives the route.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/api/docs", Who::Anyone, docs)
}

async fn docs(State(app): State<App>, visitor: Visitor, theme: Theme) -> Markup {
    let page = Page {
        title: "API",
        site: &app.site,
        viewer: visitor.0.as_ref(),
        theme,
        section: "",
    };
    document(&page, &body(app.site.origin()))
}

/// An operation of the document.
struct Operation<'a> {
    method: String,
    path: &'a str,
    said: &'a Value,
}

impl Operation<'_> {
    fn text(&self, field: &str) -> &str {
        self.said
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn tag(&self) -> &str {
        let tag = self.said.pointer("/tags/0").and_then(Value::as_str);
        tag.unwrap_or_default()
    }
}

pub(super) fn body(origin: &str) -> Markup {
    let told = serde_json::to_value(&*DOCUMENT).unwrap_or_default();
    let none = Map::new();
    let object = |pointer: &str| told.pointer(pointer).and_then(Value::as_object);
    let mut operations = vec![];
    for (path, item) in object("/paths").unwrap_or(&none) {
        for (method, said) in item.as_object().unwrap_or(&none) {
            let method = method.to_uppercase();
            operations.push(Operation { method, path, said });
        }
    }
    let mut tags: Vec<&str> = operations.iter().map(Operation::tag).collect();
    tags.sort_unstable();
    tags.dedup();
    html! {
        h1 { "API" }
        p.lead {
            "Everything here is at " code { (origin) "/api/v1" } ", in JSON. Programs read the same from "
            a href=(PATH) { "openapi.json" } "."
        }
        section.card {
            h2 { "How to ask" }
            p { "Make a key in " a href="/settings/keys" { "your settings" } " and send it with each request:" }
            pre tabindex="0" { code { "curl -H \"Authorization: Bearer otk_…\" " (origin) "/api/v1/me" } }
            p { (told.pointer("/info/description").and_then(Value::as_str).unwrap_or_default()) }
        }
        @for tag in tags {
            section {
                h2 { (capital(tag)) }
                @for one in operations.iter().filter(|one| one.tag() == tag) { (operation(one)) }
            }
        }
        section {
            h2 { "Shapes" }
            @for (name, schema) in object("/components/schemas").unwrap_or(&none) { (shape(name, schema)) }
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

fn operation(one: &Operation<'_>) -> Markup {
    let none = Map::new();
    let parameters = one.said.get("parameters").and_then(Value::as_array);
    let answers = one.said.get("responses").and_then(Value::as_object);
    let sent = one.said.pointer("/requestBody/content");
    html! {
        details.card id=(one.text("operationId")) {
            summary { span.badge { (one.method) } " " code { (one.path) } " " span.hint { (one.text("summary")) } }
            @for line in one.text("description").split("\n\n").filter(|line| !line.is_empty()) { p { (line) } }
            @if let Some(parameters) = parameters.filter(|all| !all.is_empty()) {
                div.scroller { table {
                    caption.visually-hidden { "Parameters" }
                    thead { tr { th scope="col" { "Parameter" } th scope="col" { "In" } th scope="col" { "What" } } }
                    tbody { @for parameter in parameters { tr {
                        td.name { code { (word(parameter, "name")) } }
                        td data-label="In" { (word(parameter, "in")) }
                        td data-label="What" { (word(parameter, "description")) }
                    } } }
                } }
            }
            @for (kind, content) in sent.and_then(Value::as_object).unwrap_or(&none) {
                p { "Send " code { (kind) } ": " (kind_of(content.get("schema"))) "." }
            }
            div.scroller { table {
                caption.visually-hidden { "Answers" }
                thead { tr { th scope="col" { "Status" } th scope="col" { "What" } th scope="col" { "Shape" } } }
                tbody { @for (status, answer) in answers.unwrap_or(&none) { tr {
                    td.name { (status) }
                    td data-label="What" { (word(answer, "description")) }
                    td data-label="Shape" {
                        @for content in answer.get("content").and_then(Value::as_object).unwrap_or(&none).values() {
                            (kind_of(content.get("schema")))
                        }
                    }
                } } }
            } }
        }
    }
}

fn shape(name: &str, schema: &Value) -> Markup {
    let none = Map::new();
    let parts = schema.get("allOf").and_then(Value::as_array);
    let parts: Vec<&Value> = parts.map_or_else(|| vec![schema], |all| all.iter().collect());
    let own = |part: &&Value| part.get("properties").and_then(Value::as_object).cloned();
    let fields: Map<String, Value> = parts.iter().filter_map(own).flatten().collect();
    let others = parts.iter().filter(|part| part.get("$ref").is_some());
    html! {
        details.card id={ "shape-" (name) } {
            summary { code { (name) } " " span.hint { (word(schema, "description")) } }
            @for other in others { p { "Everything of " (kind_of(Some(other))) ", and:" } }
            div.scroller { table {
                caption.visually-hidden { "Fields of " (name) }
                thead { tr { th scope="col" { "Field" } th scope="col" { "Kind" } th scope="col" { "What" } } }
                tbody { @for (field, said) in if fields.is_empty() { &none } else { &fields } { tr {
                    td.name { code { (field) } }
                    td data-label="Kind" { (kind_of(Some(said))) }
                    td data-label="What" { (word(said, "description")) }
                } } }
            } }
        }
    }
}

fn word<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Says what kind of value a schema means, with a link where it has a name.
fn kind_of(schema: Option<&Value>) -> Markup {
    let Some(schema) = schema else {
        return html! {};
    };
    if let Some(name) = word(schema, "$ref")
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
    {
        return html! { a href={ "#shape-" (name) } { (name) } };
    }
    for either in ["oneOf", "anyOf", "allOf"] {
        let parts = schema.get(either).and_then(Value::as_array);
        if let Some(part) =
            parts.and_then(|parts| parts.iter().find(|one| one.get("$ref").is_some()))
        {
            return html! { (kind_of(Some(part))) " or nothing" };
        }
    }
    let items = schema.get("items");
    let kinds = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    let format = word(schema, "format");
    html! {
        @if kinds.contains(&"array") { "list of " (kind_of(items)) }
        @else {
            (kinds.iter().filter(|kind| **kind != "null").copied().collect::<Vec<_>>().join(" or "))
            @if !format.is_empty() { " (" (format) ")" }
            @if kinds.contains(&"null") { " or nothing" }
        }
    }
}
