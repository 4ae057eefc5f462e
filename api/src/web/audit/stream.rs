//! One stream: what happened to it, and its state at any moment beside today's.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use domain::{Position, Recorded, history};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Names, by, moment, names, note, table};
use crate::app::App;
use crate::problem::Problem;
use crate::session::SignedIn;
use crate::web::component::{age, notice};
use crate::web::layout::{Theme, framed};

/// Which moment the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    at: String,
}

/// What the page shows.
pub(crate) struct Shown {
    pub(crate) stream: String,
    /// The moment as it was asked for.
    pub(crate) at: String,
    pub(crate) events: Vec<Recorded>,
    pub(crate) upto: Position,
    pub(crate) then: Value,
    pub(crate) now: Value,
    pub(crate) names: Names,
}

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(stream): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let shown = read(&app, stream, asked.at).await?;
    note(&app, &signed_in, &shown.stream).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("History", "/audit"),
        &body(&shown),
    )
    .await
}

pub(crate) async fn read(app: &App, stream: String, at: String) -> Result<Shown, Problem> {
    let (of, id) = stream.split_once('-').ok_or_else(Problem::not_found)?;
    let id = Uuid::parse_str(id).map_err(|_| Problem::not_found())?;
    let events = app.history.stream(of, id).await?;
    let last = events.last().ok_or_else(Problem::not_found)?.position;
    let upto = match at.as_str() {
        "" => last,
        at => moment(app, at).await?,
    };
    let state = |upto: Position| {
        let then = events.iter().filter(|event| event.position <= upto);
        history::state(of, then.map(|event| &event.fact))
    };
    // What the program wrote itself always reads.
    let unread = |_| Problem::unavailable();
    Ok(Shown {
        then: state(upto).map_err(unread)?,
        now: state(last).map_err(unread)?,
        names: names(app, &events).await?,
        upto,
        events,
        stream,
        at,
    })
}

pub(crate) fn body(shown: &Shown) -> Markup {
    let last = shown
        .events
        .iter()
        .rfind(|event| event.position <= shown.upto);
    html! {
        h1 { "History" }
        p.lead { code { (shown.stream) } }
        form.filters.as-of method="get" {
            div.field {
                label for="at" { "As of: a time in UTC, a position, or nothing for today" }
                input id="at" name="at" type="text" value=(shown.at) placeholder="2026-11-23T10:00";
            }
            button type="submit" { "Show" }
        }
        section {
            h2 { "State" }
            @match last {
                Some(event) => p { "After event " span.num { (event.position) } ", " (age(event.at)) ", by " (by(event, &shown.names)) ", beside today." },
                None => (notice("info", &html! { "Nothing had happened to it by then." })),
            }
            (states(&shown.then, &shown.now))
        }
        section {
            h2 { "Events" }
            (table(&shown.events, &shown.names, "Events of this stream, the first first"))
        }
    }
}

/// The state then beside today's, field by field, with the differences marked.
fn states(then: &Value, now: &Value) -> Markup {
    let mut rows: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    flatten("", then, &mut |path, value| {
        rows.entry(path).or_default()[0] = Some(value);
    });
    flatten("", now, &mut |path, value| {
        rows.entry(path).or_default()[1] = Some(value);
    });
    let side = |value: &Option<String>| {
        html! {
            @match value { Some(value) => span.value { (value) }, None => span.hint { "nothing" } }
        }
    };
    html! {
        div.scroller {
            table.states {
                caption.visually-hidden { "The state then and today" }
                thead { tr { th scope="col" { "Field" } th scope="col" { "Then" } th scope="col" { "Today" } } }
                tbody { @for (path, [then, now]) in &rows {
                    tr.changed[then != now] {
                        td.name { (path) @if then != now { " " span.badge.warn { "changed" } } }
                        td data-label="Then" { (side(then)) }
                        td data-label="Today" { (side(now)) }
                    }
                } }
            }
        }
    }
}

/// Gives each value that holds no others, with the fields on the way.
fn flatten(path: &str, value: &Value, give: &mut dyn FnMut(String, String)) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path} › {name}"),
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                flatten(&below(name), value, give);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for (place, value) in values.iter().enumerate() {
                flatten(&below(&(place + 1).to_string()), value, give);
            }
        }
        Value::Null => {}
        Value::String(text) => give(path.to_owned(), text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            give(path.to_owned(), value.to_string());
        }
    }
}
