//! Who may ask for what: declared where a route is, and refused before its handler runs.
//!
//! A feature's `routes()` names method, path and [`Who`] in one line. That line is the check: a
//! handler has no second one, except for what depends on the thing itself, such as whose torrent it
//! is, which commands decide. [`crate::declared`] lists every line, for the tests that walk them. What
//! scripts ask for has path and method above its handler instead, where [`crate::openapi`] reads them.

use std::pin::Pin;

use axum::Router;
use axum::extract::{FromRequestParts as _, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use domain::Permission;
use domain::api_key::Scope;
use utoipa::openapi::HttpMethod;

use crate::app::App;
use crate::caller::Caller;
use crate::etag;
use crate::openapi::{Described, Document};
use crate::problem::Problem;
use crate::session::{NotSignedIn, SignedIn};
use crate::sign_in::second_factor;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever it is, signed in or not.
    Anyone,
    /// Every signed-in member.
    Member,
    /// Members whose role lets them.
    May(Permission),
    /// Scripts whose key has a scope, and whose member's role lets them where it takes that.
    Key(Scope, Option<Permission>),
}

/// A route as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What is asked by; a `GET` answers `HEAD` too.
    pub method: Method,
    /// The path, with `{names}` where it varies.
    pub path: String,
    /// Who may ask.
    pub who: Who,
}

/// Routes with who may ask for them.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    router: Router<App>,
    declared: Vec<Declared>,
    document: Document,
}

/// Tells whether scripts ask at a path, by their keys, rather than people by a session.
pub(crate) fn is_api(path: &str) -> bool {
    path.starts_with("/api/v1/")
}

impl Routes {
    /// Begins without any.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds what is read.
    pub(crate) fn get<T: 'static>(
        self,
        path: &'static str,
        who: Who,
        handler: impl Handler<T, App>,
    ) -> Self {
        self.route((Method::GET, MethodFilter::GET), path, who, handler)
    }

    /// Adds what is sent.
    pub(crate) fn post<T: 'static>(
        self,
        path: &'static str,
        who: Who,
        handler: impl Handler<T, App>,
    ) -> Self {
        self.route((Method::POST, MethodFilter::POST), path, who, handler)
    }

    fn route<T: 'static>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &str,
        who: Who,
        handler: impl Handler<T, App>,
    ) -> Self {
        self.router = self
            .router
            .route(path, on(filter, Guarded { who, handler }));
        let path = path.to_owned();
        self.declared.push(Declared { method, path, who });
        self
    }

    /// Adds what scripts ask for, as it is described above its handler: `list, __path_list`.
    pub(crate) fn api<T: 'static, P: Described>(
        mut self,
        who: Who,
        handler: impl Handler<T, App>,
        _: P,
    ) -> Self {
        let (method, filter) = match P::methods().first() {
            Some(HttpMethod::Post) => (Method::POST, MethodFilter::POST),
            Some(HttpMethod::Put) => (Method::PUT, MethodFilter::PUT),
            Some(HttpMethod::Patch) => (Method::PATCH, MethodFilter::PATCH),
            Some(HttpMethod::Delete) => (Method::DELETE, MethodFilter::DELETE),
            Some(HttpMethod::Get | HttpMethod::Options | HttpMethod::Head | HttpMethod::Trace)
            | None => (Method::GET, MethodFilter::GET),
        };
        self.document.add::<P>(who);
        self.route((method, filter), &P::path(), who, handler)
    }

    /// Adds those of another feature.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.declared.extend(other.declared);
        self.document.merge(other.document);
        self
    }

    /// Gives the lines.
    pub(crate) fn declared(self) -> Vec<Declared> {
        self.declared
    }

    /// Gives what is known of those for scripts.
    pub(crate) fn document(self) -> Document {
        self.document
    }

    /// Gives the router that they are enforced by.
    pub(crate) fn router(self) -> Router<App> {
        self.router
    }
}

/// A handler that is asked only by who may.
#[derive(Debug, Clone)]
struct Guarded<H> {
    who: Who,
    handler: H,
}

impl<T, H: Handler<T, App>> Handler<T, App> for Guarded<H> {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: App) -> Self::Future {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Err(refused) = self.who.admits(&mut parts, &app).await {
                return refused;
            }
            let reads = matches!(self.who, Who::Key(..)) && parts.method == Method::GET;
            let has = etag::asked(&parts.headers);
            let request = Request::from_parts(parts, body);
            let response = self.handler.call(request, app).await;
            if reads {
                etag::tagged(response, has.as_deref()).await
            } else {
                response
            }
        })
    }
}

impl Who {
    async fn admits(self, parts: &mut Parts, app: &App) -> Result<(), Response> {
        let permission = match self {
            Self::Anyone => return Ok(()),
            Self::Member => None,
            Self::May(permission) => Some(permission),
            Self::Key(scope, permission) => {
                let caller = Caller::from_request_parts(parts, app).await;
                let caller = caller.map_err(Problem::into_response)?;
                if let Some(refusal) = second_factor::refusal(app, &caller.profile, parts) {
                    return Err(refusal);
                }
                let admitted = caller.require(scope, permission);
                return admitted.map_err(Problem::into_response);
            }
        };
        let signed_in = SignedIn::from_request_parts(parts, app).await;
        let signed_in = signed_in.map_err(NotSignedIn::into_response)?;
        if let Some(refusal) = second_factor::refusal(app, &signed_in.profile, parts) {
            return Err(refusal);
        }
        match permission {
            Some(permission) if !signed_in.may(permission) => {
                Err(missing(permission).into_response())
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Says that a member's role doesn't let them.
pub(crate) fn missing(permission: Permission) -> Problem {
    let who = match permission {
        Permission::Administer => "administrators",
        Permission::Audit => "auditors",
        Permission::UploadAtOnce
        | Permission::Torrents
        | Permission::Forum
        | Permission::Reports
        | Permission::Members
        | Permission::Traffic
        | Permission::Categories
        | Permission::Invites
        | Permission::Settings
        | Permission::Roles => "the staff",
    };
    Problem::new(
        StatusCode::FORBIDDEN,
        "missing-permission",
        "You may not do this",
        &format!(
            "This is for {who}. It needs the permission `{}`.",
            permission.name()
        ),
    )
}
