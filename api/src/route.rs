//! Who may ask for what: declared where a route is, and refused before its handler runs.
//!
//! A feature's `routes()` names method, path and [`Who`] in one line. That line is the check: a
//! handler has no second one, except for what depends on the thing itself, such as whose torrent it
//! is, which commands decide. [`crate::declared`] lists every line, for the tests that walk them.

use std::pin::Pin;

use axum::Router;
use axum::extract::{FromRequestParts as _, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use domain::Permission;

use crate::app::App;
use crate::problem::Problem;
use crate::session::{NotSignedIn, SignedIn};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever it is, signed in or not.
    Anyone,
    /// Every signed-in member.
    Member,
    /// Members whose role lets them.
    May(Permission),
}

/// A route as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What is asked by; a `GET` answers `HEAD` too.
    pub method: Method,
    /// The path, with `{names}` where it varies.
    pub path: &'static str,
    /// Who may ask.
    pub who: Who,
}

/// Routes with who may ask for them.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    router: Router<App>,
    declared: Vec<Declared>,
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
        path: &'static str,
        who: Who,
        handler: impl Handler<T, App>,
    ) -> Self {
        self.router = self
            .router
            .route(path, on(filter, Guarded { who, handler }));
        self.declared.push(Declared { method, path, who });
        self
    }

    /// Adds those of another feature.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.declared.extend(other.declared);
        self
    }

    /// Gives the lines.
    pub(crate) fn declared(self) -> Vec<Declared> {
        self.declared
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
            match self.who.admits(&mut parts, &app).await {
                Ok(()) => {
                    let request = Request::from_parts(parts, body);
                    self.handler.call(request, app).await
                }
                Err(refused) => refused,
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
        };
        let signed_in = SignedIn::from_request_parts(parts, app).await;
        let signed_in = signed_in.map_err(NotSignedIn::into_response)?;
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
        | Permission::Traffic => "the staff",
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
