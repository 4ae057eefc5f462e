//! The sealed site: every address says that it is sealed, and the Panic Password leads back.
//!
//! It holds nothing of what was sealed, and needs neither database nor session.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use domain::vault::State as Stands;
use serde::Deserialize;

use crate::app::Site;
use crate::front::Closed;
use crate::limit::Client;
use crate::problem::{self, Problem, reads_html};
use crate::vault::{NotDone, Secret, Standing, Vault};
use crate::web::layout::{Page, SEALED, Theme, document};
use crate::web::{asset, home, sealed as page};
use crate::{csrf, headers, health, panic};
use attempts::Attempts;

mod attempts;

/// The largest body: a password in a form.
const LARGEST_BODY: usize = 4 * 1024;
/// Seconds after which looking again makes sense, while something moves and while nothing does.
const SOON: u32 = 5;
const LATER: u32 = 60;
/// Seconds after which another password may be tried, where somebody tries one just now.
const BUSY: u32 = 2;
/// How long the answer to the right password waits for the vault to say that it moves.
const PATIENCE: Duration = Duration::from_secs(2);
/// What stands for every name.
pub(crate) const ENCRYPTED: &str = "[ENCRYPTED]";

/// What its handlers share.
#[derive(Debug, Clone)]
struct Sealed {
    vault: Arc<dyn Vault>,
    /// The site's facts without its name.
    site: Arc<Site>,
    attempts: Arc<Attempts>,
}

impl Sealed {
    fn standing(&self) -> Standing {
        self.vault.standing().borrow().clone()
    }
}

/// Gives every route with its layers.
pub(crate) fn router(closed: Closed) -> Router {
    let mut site = closed.site.as_ref().clone();
    ENCRYPTED.clone_into(&mut site.name);
    let site = Arc::new(site);
    let sealed = Sealed {
        vault: closed.vault,
        site: Arc::clone(&site),
        attempts: Arc::new(Attempts::new(closed.random.as_ref())),
    };
    Router::new()
        .route(asset::PATH, get(asset::asset))
        .route(headers::REPORTS, post(headers::reported))
        .route("/theme", post(home::theme))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(ready))
        .route("/api/v1/panic", get(standing))
        .route("/restore", post(restore))
        .route(panic::RESTORE, post(restore_by_program))
        .fallback(dark)
        .method_not_allowed_fallback(dark)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(Arc::clone(&site), csrf::check_guest))
        .layer(from_fn(problem::in_time))
        .layer(from_fn_with_state(Arc::clone(&site), problem::show))
        .layer(from_fn_with_state(site, headers::set))
        .layer(from_fn(problem::name_request))
        .with_state(sealed)
}

/// Says that the site is sealed, whatever was asked.
async fn dark(State(sealed): State<Sealed>, theme: Theme, headers: HeaderMap) -> Response {
    let standing = sealed.standing();
    if !reads_html(&headers) {
        return told(&standing).into_response();
    }
    shown(
        &sealed,
        theme,
        told(&standing).status,
        None,
        wait(&standing),
    )
}

/// Says in a problem that the site is sealed.
fn told(standing: &Standing) -> Problem {
    let (title, detail) = match standing.state {
        Stands::Open => (
            "The site isn't ready",
            "Its vault is open, but this machine doesn't serve yet. Try again in a few seconds.",
        ),
        Stands::Sealing | Stands::Sealed => (
            "The site is sealed",
            "Everything on it is unreadable until the Panic Password brings it back.",
        ),
        Stands::Restoring => (
            "The site is being restored",
            "The Panic Password was given, and everything is on its way back. Try again in a few seconds.",
        ),
    };
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "sealed", title, detail);
    Problem {
        retry_after: Some(wait(standing)),
        ..problem
    }
}

fn wait(standing: &Standing) -> u32 {
    match standing.state {
        Stands::Open | Stands::Restoring => SOON,
        Stands::Sealing | Stands::Sealed => LATER,
    }
}

/// Shows the sealed page, with what went wrong with a password if one was tried.
fn shown(
    sealed: &Sealed,
    theme: Theme,
    status: StatusCode,
    wrong: Option<&str>,
    wait: u32,
) -> Response {
    let frame = Page {
        title: "Sealed",
        site: &sealed.site,
        viewer: None,
        theme,
        section: SEALED,
    };
    let body = page::body(&sealed.standing(), wrong);
    let mut answer = (status, document(&frame, &body)).into_response();
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(wait));
    answer
}

async fn ready(State(sealed): State<Sealed>) -> Response {
    unready(&sealed.standing())
}

/// Says that the node doesn't serve, and why.
pub(crate) fn unready(standing: &Standing) -> Response {
    let reason = match standing.state {
        Stands::Open => "the vault is open, but this node doesn't serve yet".to_owned(),
        state @ (Stands::Sealing | Stands::Sealed | Stands::Restoring) => {
            format!("the vault is {}", state.name())
        }
    };
    let mut reasons = vec![reason];
    reasons.extend(
        Some(&standing.doing)
            .filter(|doing| !doing.is_empty())
            .cloned(),
    );
    reasons.extend(standing.trouble.clone());
    health::told(&reasons, &[])
}

async fn standing(State(sealed): State<Sealed>) -> Response {
    panic::told(&sealed.standing()).into_response()
}

/// What the page's form has.
#[derive(Deserialize)]
struct Typed {
    password: String,
}

async fn restore(
    State(sealed): State<Sealed>,
    theme: Theme,
    from: Client,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let password = typed.map(|Form(typed)| Secret::new(typed.password));
    match tried(&sealed, &from, password.ok()).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(problem) => {
            let wait = problem.retry_after.unwrap_or(BUSY);
            shown(&sealed, theme, problem.status, Some(&problem.detail), wait)
        }
    }
}

/// What a program sends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sent {
    panic_password: String,
}

async fn restore_by_program(
    State(sealed): State<Sealed>,
    from: Client,
    sent: Result<Json<Sent>, JsonRejection>,
) -> Result<Response, Problem> {
    let password = sent.map(|Json(sent)| Secret::new(sent.panic_password));
    tried(&sealed, &from, password.ok()).await?;
    let state = panic::told(&sealed.standing());
    Ok((StatusCode::ACCEPTED, state).into_response())
}

/// Tries a password. What was wrong about it is told, and counted where it was another one.
async fn tried(sealed: &Sealed, from: &Client, password: Option<Secret>) -> Result<(), Problem> {
    let password = password
        .filter(|password| !password.is_empty())
        .ok_or_else(|| Problem::invalid("Type the Panic Password. Nothing was changed."))?;
    let attempt = sealed.attempts.begin(from.0).map_err(|wait| {
        let minutes = wait.div_ceil(60);
        let unit = if minutes == 1 { "minute" } else { "minutes" };
        let detail = format!(
            "Too many wrong passwords came from your address. Nothing was changed. Try again in {minutes} {unit}."
        );
        Problem::too_often(&detail, wait)
    })?;
    match sealed.vault.restore(password).await {
        Err(NotDone::Wrong) => {
            tracing::warn!("somebody tried a wrong Panic Password");
            Err(panic::not_done(NotDone::Wrong))
        }
        other => {
            sealed.attempts.forgive(&attempt);
            other.map_err(panic::not_done)?;
            begun(sealed).await;
            Ok(())
        }
    }
}

/// Waits until the vault says that it is on its way back, so that the next look finds it so.
async fn begun(sealed: &Sealed) {
    let mut standing = sealed.vault.standing();
    let moves =
        standing.wait_for(|standing| matches!(standing.state, Stands::Restoring | Stands::Open));
    let _seen = tokio::time::timeout(PATIENCE, moves).await;
}

#[cfg(test)]
pub(crate) mod tests;
