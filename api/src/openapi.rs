//! The document of the JSON API (`OpenAPI` 3.1), made of what stands above its handlers.
//!
//! What is the same for all is added here: the key and the scope that a route declares, the headers
//! of reads and writes, and the answers that every route may give. So a handler names only its own.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::__dev::{SchemaReferences, Tags};
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema};

use crate::problem::FieldError;
use crate::route::{Routes, Who};

/// Where the document is.
pub(crate) const PATH: &str = "/api/v1/openapi.json";

/// What stands above a handler.
pub(crate) trait Described: utoipa::Path + SchemaReferences + for<'t> Tags<'t> {}

impl<P: utoipa::Path + SchemaReferences + for<'t> Tags<'t>> Described for P {}

/// What is known of the routes for scripts.
#[derive(Default)]
pub(crate) struct Document {
    paths: Paths,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}

/// What went wrong, by RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
struct Told {
    /// What kind of problem it is, such as `/problems/missing-scope`.
    r#type: String,
    /// What happened.
    title: String,
    /// The status once more.
    status: u16,
    /// What to do next.
    detail: String,
    /// What was wrong with which field, where that is known.
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

impl Document {
    /// Adds a route.
    pub(crate) fn add<P: Described>(&mut self, who: Who) {
        let mut operation = P::operation();
        operation.tags = Some(P::tags().into_iter().map(str::to_owned).collect());
        let methods = P::methods();
        let reads = methods.iter().all(|one| matches!(one, HttpMethod::Get));
        if let Who::Key(scope, permission) = who {
            let keys = SecurityRequirement::new("key", [scope.name()]);
            operation.security = Some(vec![keys]);
            let needs = match permission {
                None => format!("Scope `{}`.", scope.name()),
                Some(permission) => format!(
                    "Scope `{}`, and a role with the permission `{}`.",
                    scope.name(),
                    permission.name()
                ),
            };
            let said = operation.description.take().unwrap_or_default();
            operation.description = Some(format!("{said}\n\n{needs}").trim().to_owned());
            header_of(&mut operation, reads);
        }
        answers(&mut operation, &P::path(), who, reads);
        self.paths.add_path_operation(P::path(), methods, operation);
        P::schemas(&mut self.schemas);
    }

    /// Adds those of another feature.
    pub(crate) fn merge(&mut self, other: Self) {
        self.paths.merge(other.paths);
        self.schemas.extend(other.schemas);
    }

    fn finish(mut self) -> OpenApi {
        self.schemas.push((Told::name().into(), Told::schema()));
        Told::schemas(&mut self.schemas);
        let mut key = Http::new(HttpAuthScheme::Bearer);
        key.description = Some(
            "An API key, which members make in their settings. It has scopes, and does what they say as far as its \
             member may."
                .to_owned(),
        );
        let components = ComponentsBuilder::new()
            .schemas_from_iter(self.schemas)
            .security_scheme("key", SecurityScheme::Http(key))
            .build();
        let info = InfoBuilder::new()
            .title("OpenTracker")
            .version("1")
            .description(Some(
                "A read with `after` shows what was written up to that position, which the answer to a write bears as \
                 `X-Position`. A write with an `Idempotency-Key` happens once: whoever repeats it gets the first \
                 answer. What goes wrong is told by RFC 9457.",
            ))
            .build();
        OpenApiBuilder::new()
            .info(info)
            .paths(self.paths)
            .components(Some(components))
            .build()
    }
}

/// The headers and the query that reads and writes have in common.
fn header_of(operation: &mut Operation, reads: bool) {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let parameter = |name: &str, place, about: &str, schema: Schema| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(schema))
            .build()
    };
    let parameters = operation.parameters.get_or_insert_default();
    if reads {
        let position = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0));
        parameters.push(parameter(
            "after",
            ParameterIn::Query,
            "A position that the answer should show; it bears `X-Stale: true` where it doesn't within two seconds.",
            position.into(),
        ));
        parameters.push(parameter(
            "If-None-Match",
            ParameterIn::Header,
            "The `ETag` of what you have: 304 where it is the same.",
            text.into(),
        ));
    } else {
        let key = text.min_length(Some(1)).max_length(Some(200));
        parameters.push(parameter(
            "Idempotency-Key",
            ParameterIn::Header,
            "Your own name for this write, of printable ASCII; the write happens once under it.",
            key.pattern(Some("^[ -~]+$")).into(),
        ));
    }
}

/// The answers that a route may give besides its own.
fn answers(operation: &mut Operation, path: &str, who: Who, reads: bool) {
    let keyed = matches!(who, Who::Key(..));
    let body = operation.request_body.is_some();
    let query = reads && operation.parameters.is_some();
    for (holds, status, about) in [
        (keyed && reads, "304", "You have the same already."),
        (
            body || query || keyed,
            "400",
            "What was sent can't be read.",
        ),
        (keyed, "401", "There is no key, or it isn't one."),
        (keyed, "403", "The key or its member's role doesn't reach."),
        (path.contains('{'), "404", "There is nothing here."),
        (
            keyed && !reads,
            "409",
            "Somebody changed the same thing at the same moment.",
        ),
        (body, "413", "It is too large."),
        (
            body,
            "415",
            "The body is of another type than it says here.",
        ),
        (
            body,
            "422",
            "It can be read, and can't be done; `errors` names the fields.",
        ),
        (
            keyed,
            "503",
            "The site can't serve just now; try again after `Retry-After`.",
        ),
    ] {
        let responses = &mut operation.responses.responses;
        if !holds || responses.contains_key(status) {
            continue;
        }
        let response = ResponseBuilder::new().description(about);
        responses.insert(status.to_owned(), response.build().into());
    }
    // What a handler says of its own refusals has the same shape.
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            let kind = "application/problem+json".to_owned();
            response.content.insert(kind, problem);
        }
    }
}

/// The document of this program.
pub(crate) static DOCUMENT: LazyLock<OpenApi> =
    LazyLock::new(|| crate::routes().document().finish());

/// Gives the route.
pub(crate) fn routes() -> Routes {
    Routes::new().api(Who::Anyone, document, __path_document)
}

/// This document.
#[utoipa::path(
    get, path = PATH, tag = "site",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
async fn document() -> Response {
    let json = HeaderValue::from_static("application/json");
    let text = serde_json::to_vec(&*DOCUMENT).unwrap_or_default();
    ([(header::CONTENT_TYPE, json)], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn operations() -> Vec<(String, Value)> {
        let document = serde_json::to_value(&*DOCUMENT).unwrap();
        let mut found = vec![];
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                found.push((
                    format!("{} {path}", method.to_uppercase()),
                    operation.clone(),
                ));
            }
        }
        found
    }

    #[test]
    fn every_route_for_scripts_is_in_the_document_and_nothing_else() {
        let routes: BTreeSet<String> = crate::declared()
            .into_iter()
            .filter(|one| one.path.starts_with("/api/v1/"))
            .map(|one| format!("{} {}", one.method, one.path))
            .collect();
        let told: BTreeSet<String> = operations().into_iter().map(|(name, _)| name).collect();
        assert_eq!(routes, told);
        assert!(routes.len() > 25, "{routes:?}");
    }

    #[test]
    fn no_route_for_scripts_is_written_to_without_a_key() {
        for one in crate::declared() {
            let keyed = matches!(one.who, Who::Key(..));
            assert_eq!(
                keyed,
                one.path.starts_with("/api/v1/") && one.who != Who::Anyone,
                "{one:?}"
            );
            let api = one.path.starts_with("/api/v1/");
            assert!(!api || keyed || one.method == "GET", "{one:?}");
        }
    }

    #[test]
    fn every_operation_says_what_it_does_and_every_reference_leads_somewhere() {
        let mut names = BTreeSet::new();
        for (name, operation) in operations() {
            for field in ["summary", "operationId", "tags"] {
                assert!(operation.get(field).is_some(), "{name} has no {field}");
            }
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(names.insert(id), "{name} shares its operationId");
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with('2')),
                "{name}"
            );
        }
        let document = serde_json::to_value(&*DOCUMENT).unwrap();
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
