//! The site's settings: read, and changed by key.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use commands::Refusal;
use domain::Permission;
use domain::api_key::Scope;
use domain::setting::{self, Key};
use domain::site::{Changes, Command, Rejection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Body;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{FieldError, Problem, sentence};
use crate::route::{Routes, Who};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let administer = Who::Key(Scope::Administer, Some(Permission::Settings));
    Routes::new()
        .api(administer, settings, __path_settings)
        .api(administer, change, __path_change)
}

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Setting {
    /// What it is called in a change.
    key: String,
    /// What it is.
    label: String,
    /// Where it stands on the page.
    section: String,
    /// What it was set to, as people write it; nothing for the default.
    value: Option<String>,
}

/// What settings are changed to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Each by its key, as people write it, such as `10 GiB`; null for the default.
    values: BTreeMap<String, Option<String>>,
}

async fn shown(app: &App) -> Result<Json<Vec<Setting>>, Problem> {
    let settings = projections::site::settings(&app.reads).await?;
    let values = &settings.values;
    let one = |key: &Key| Setting {
        key: key.name().to_owned(),
        label: key.label().to_owned(),
        section: key.section().title().to_owned(),
        value: values.get(*key).map(|value| setting::write(*key, value)),
    };
    Ok(Json(Key::ALL.iter().map(one).collect()))
}

/// Gives every setting of the site.
#[utoipa::path(
    get, path = "/api/v1/settings", tag = "site",
    responses((status = 200, description = "Every setting", body = Vec<Setting>))
)]
async fn settings(State(app): State<App>) -> Result<Json<Vec<Setting>>, Problem> {
    shown(&app).await
}

/// Changes settings: all that are named, or none.
#[utoipa::path(
    patch, path = "/api/v1/settings", tag = "site", request_body = Wanted,
    responses((status = 200, description = "Every setting as it is now", body = Vec<Setting>))
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Vec<Setting>>, Problem> {
    let (mut changes, mut wrong) = (Changes::new(), vec![]);
    for (field, text) in wanted.values {
        let Some(key) = Key::named(&field) else {
            let detail = "There is no such setting.".to_owned();
            wrong.push(FieldError { field, detail });
            continue;
        };
        match setting::read(key, text.as_deref().unwrap_or_default()) {
            Ok(value) => {
                changes.insert(key, value);
            }
            Err(reason) => {
                let detail = sentence(&reason);
                wrong.push(FieldError { field, detail });
            }
        }
    }
    if !wrong.is_empty() {
        return Err(Problem::fields(wrong));
    }
    let by = caller.profile.id;
    let done = match app.commands.set_site(by, Command::Change(changes)).await {
        Err(Refusal::Rejected(Rejection::Setting { key, reason })) => {
            return Err(Problem::field(key.name(), &sentence(&reason)));
        }
        done => done?,
    };
    app.reads.wait_for(done.position).await;
    shown(&app).await
}
