//! The history of everything, for auditors: what happened, when, by whom. Each look is noted.

use axum::extract::{Query, State};
use domain::user::Name;
use domain::{Actor, Fact, Permission, Position, Recorded, history};
use maud::{Markup, html};
use projections::history::{Events, Filter};
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, Time, macros::format_description};

use super::component::{age, empty};
use super::layout::{Theme, framed};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{Asks, SignedIn};

pub(crate) mod proof;
pub(crate) mod stream;

/// Events of a page.
const ROWS: usize = 50;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/audit", Who::May(Permission::Audit), timeline)
        .get("/audit/proof", Who::May(Permission::Audit), proof::page)
        .post("/audit/proof", Who::May(Permission::Audit), proof::start)
        .get("/audit/{stream}", Who::May(Permission::Audit), stream::page)
}

/// What the address asks for; it is the page's whole state.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) of: String,
    pub(crate) event: String,
    pub(crate) by: String,
    pub(crate) until: String,
    pub(crate) before: String,
}

/// The members who acted, by id.
pub(crate) use projections::user::Names;

async fn timeline(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let filter = filter(&app, &asked).await?;
    let found = app.history.events(&filter, ROWS).await?;
    note(&app, &signed_in, "log").await?;
    let names = names(&app, &found.events).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Audit", "/audit"),
        &body(&asked, &found, &names),
    )
    .await
}

/// Notes in the log that somebody read it.
pub(crate) async fn note(app: &App, asks: &impl Asks, what: &str) -> Result<(), Problem> {
    let by = Actor::Member(asks.profile().id);
    app.commands.note_reading(by, what).await?;
    Ok(())
}

pub(crate) async fn filter(app: &App, asked: &Asked) -> Result<Filter, Problem> {
    let mut filter = Filter {
        stream_type: history::STREAMS
            .contains(&asked.of.as_str())
            .then(|| asked.of.clone()),
        event: Some(asked.event.trim().to_owned()).filter(|event| !event.is_empty()),
        ..Filter::default()
    };
    if !asked.by.trim().is_empty() {
        let found = match Name::parse(asked.by.trim()) {
            Ok(name) => projections::user::named(&app.reads, &name).await?,
            Err(_) => None,
        };
        let member = found.ok_or_else(|| Problem::invalid("There is no member of that name."))?;
        filter.actor = Some(member.id);
    }
    if !asked.until.is_empty() {
        let upto = moment(app, &asked.until).await?;
        filter.before = Some(Position(upto.0 + 1));
    }
    if let Ok(before) = asked.before.parse() {
        filter.before = Some(Position(before));
    }
    Ok(filter)
}

/// Reads a position, a time as browsers write it (taken as UTC), or a whole day.
pub(super) async fn moment(app: &App, text: &str) -> Result<Position, Problem> {
    if let Ok(position) = text.parse() {
        return Ok(Position(position));
    }
    let at = read_time(text).ok_or_else(|| {
        Problem::invalid("A moment is a time such as 2026-11-23T10:00, or a position.")
    })?;
    Ok(app.history.position_at(at).await?)
}

fn read_time(text: &str) -> Option<OffsetDateTime> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(at);
    }
    let minute = format_description!("[year]-[month]-[day]T[hour]:[minute][optional [:[second]]]");
    if let Ok(at) = time::PrimitiveDateTime::parse(text, &minute) {
        return Some(at.assume_utc());
    }
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    Some(day.next_day()?.with_time(Time::MIDNIGHT).assume_utc())
}

/// Gives the names of those who acted.
pub(crate) async fn names(app: &App, events: &[Recorded]) -> Result<Names, Problem> {
    let acted = events.iter().filter_map(|event| match event.meta.actor {
        Actor::Member(member) => Some(member),
        Actor::Operator | Actor::System => None,
    });
    Ok(projections::user::names(&app.reads, acted).await?)
}

pub(crate) fn body(asked: &Asked, found: &Events, names: &Names) -> Markup {
    html! {
        h1 { "Audit" }
        p.lead {
            "Everything that ever happened, the latest first. What you read here is itself noted. "
            a href="/audit/proof" { "Prove that nothing was changed" } "."
        }
        form.filters.audit-filters action="/audit" method="get" {
            div.field {
                label for="of" { "Streams" }
                select id="of" name="of" {
                    option value="" { "all" }
                    @for of in history::STREAMS.iter().copied() { option value=(of) selected[of == asked.of] { (of) } }
                }
            }
            div.field { label for="event" { "Event" } input id="event" name="event" type="text" value=(asked.event) placeholder="TorrentUploaded"; }
            div.field { label for="by" { "By member" } input id="by" name="by" type="text" value=(asked.by) autocapitalize="none"; }
            div.field { label for="until" { "Up to (UTC)" } input id="until" name="until" type="datetime-local" value=(asked.until); }
            button type="submit" { "Show" }
        }
        @if found.events.is_empty() {
            (empty("Nothing like this happened.", &html! { a href="/audit" { "Show everything" } "." }))
        } @else {
            (table(&found.events, names, "Events, the latest first"))
            @if let Some(older) = found.older {
                nav.pager aria-label="Pages" { a.button rel="next" href=(link(asked, older)) { "Older events" } }
            }
        }
    }
}

fn link(asked: &Asked, before: Position) -> String {
    let mut address = format!("/audit?before={before}");
    for (name, value) in [
        ("of", &asked.of),
        ("event", &asked.event),
        ("by", &asked.by),
    ] {
        if !value.is_empty() {
            let value =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            address = format!("{address}&{name}={value}");
        }
    }
    address
}

/// The way from a page to what happened to what it shows, and to how it stood at any moment.
pub(super) fn behind(stream: &str) -> Markup {
    html! {
        form.actions action={ "/audit/" (stream) } method="get" {
            a.button href={ "/audit/" (stream) } { "History" }
            label for="as-of" { "As of (UTC)" }
            input id="as-of" name="at" type="datetime-local" required;
            button type="submit" { "Show" }
        }
    }
}

/// Events as a table.
fn table(events: &[Recorded], names: &Names, caption: &str) -> Markup {
    html! {
        div.scroller {
            table.events {
                caption.visually-hidden { (caption) }
                thead { tr {
                    th.num scope="col" { "Position" } th scope="col" { "What" } th scope="col" { "Stream" }
                    th scope="col" { "By" } th.num scope="col" { "When" }
                } }
                tbody { @for event in events { (row(event, names)) } }
            }
        }
    }
}

fn row(event: &Recorded, names: &Names) -> Markup {
    let stream = format!("{}-{}", event.stream_type, event.stream_id);
    let short: String = stream.chars().take(event.stream_type.len() + 9).collect();
    html! {
        tr id={ "event-" (event.position) } {
            td.num data-label="Position" { (event.position) }
            td.name {
                (event.fact.name())
                @if let Some(about) = about(&event.fact) { " " span.hint { (about) } }
                @if let Some(cause) = event.meta.causation {
                    " " span.hint { "because of " a href={ "/audit?before=" (cause.0 + 1) "#event-" (cause) } { "event " (cause) } }
                }
            }
            td data-label="Stream" { a href={ "/audit/" (stream) "?at=" (event.position) } title=(stream) { (short) "…" } }
            td data-label="By" { (by(event, names)) @if let Some(reason) = &event.meta.reason { " " span.hint { "“" (reason) "”" } } }
            td.num data-label="When" { (age(event.at)) }
        }
    }
}

/// Says who acted, unless that went with an erased member.
pub(super) fn by(event: &Recorded, names: &Names) -> Markup {
    if event.fact.is_erased() {
        return html! { (history::ERASED) };
    }
    actor(event.meta.actor, names)
}

pub(super) fn actor(actor: Actor, names: &Names) -> Markup {
    match actor {
        Actor::Member(member) => html! {
            @if let Some(name) = names.get(&member).filter(|name| !name.is_empty()) {
                a href={ "/members/" (name) } { (name) }
            } @else { code { (member) } }
        },
        Actor::Operator => html! { "the operator" },
        Actor::System => html! { "the program" },
    }
}

/// Says in a few words what an event was about, where its name doesn't.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest is said by its name"
)]
fn about(fact: &Fact) -> Option<String> {
    use domain::{audit, category, role, tag, torrent, user};
    match fact {
        Fact::User(user::Event::MemberRegistered { name, role, .. }) => {
            Some(format!("{name}, {}", role.name()))
        }
        Fact::Erased(_) => Some(history::ERASED.to_owned()),
        Fact::User(user::Event::RoleAssigned { role }) => Some(role.name().to_owned()),
        Fact::Torrent(event) => match event.as_ref() {
            torrent::Event::TorrentUploaded(upload) => Some(upload.name.clone()),
            torrent::Event::TorrentWithdrawn { by_staff, .. } => {
                by_staff.then(|| "by the staff".to_owned())
            }
            torrent::Event::TorrentRejected { reason }
            | torrent::Event::TorrentChangesAsked { reason } => Some(reason.clone()),
            _ => None,
        },
        Fact::Category(
            category::Event::CategoryCreated(shelf) | category::Event::CategoryChanged(shelf),
        ) => Some(shelf.name.clone()),
        Fact::Tag(tag::Event::TagCreated(label) | tag::Event::TagChanged(label)) => {
            Some(label.name.clone())
        }
        Fact::Role(role::Event::RoleCreated(mandate) | role::Event::RoleChanged(mandate)) => {
            Some(mandate.name.clone())
        }
        Fact::Traffic(domain::traffic::Event::TrafficRecorded(batch)) => {
            Some(format!("{} clients", batch.entries.len()))
        }
        Fact::Audit(audit::Event::CheckpointSet(checkpoint)) => {
            Some(format!("up to {}", checkpoint.upto))
        }
        Fact::Audit(audit::Event::BackupMade(backup) | audit::Event::BackupVerified(backup)) => {
            Some(format!("up to {}", backup.upto))
        }
        Fact::Audit(audit::Event::HistoryRead { what }) => Some(what.clone()),
        Fact::Audit(audit::Event::BlockLifted { whose, why }) => Some(format!("{whose}: {why}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_browsers_write_them() {
        let told = |text| read_time(text).map(OffsetDateTime::unix_timestamp);
        assert_eq!(told("1970-01-01T00:01"), Some(60));
        assert_eq!(told("1970-01-01T00:01:01"), Some(61));
        assert_eq!(told("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(told("1970-01-01"), Some(86_400), "a day ends at its end");
        assert_eq!(told("yesterday"), None);
    }
}
