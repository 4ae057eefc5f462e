//! The administrators' page of the vault: the Panic Password, its recovery sheet, and the panic.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::Permission;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::component::{icon, notice};
use super::form::{Field, field, kept_here, progress, strength, submit, token};
use super::layout::{Page, Theme, document};
use crate::app::{App, Site};
use crate::csrf::CheckedForm;
use crate::panic::{not_done, strength};

use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;
use crate::vault::{NotDone, PHRASE, Sheet};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/staff/panic", Who::May(Permission::Administer), panic)
        .post(
            "/staff/panic/password",
            Who::May(Permission::Administer),
            set_password,
        )
        .get(
            "/staff/panic/sheet",
            Who::May(Permission::Administer),
            sheet,
        )
}

/// What the page shows.
pub(super) struct Shown {
    /// The panic slot, or why it can't be shown.
    pub(super) sheet: Result<Option<Sheet>, String>,
    /// Whether the password was set just now.
    pub(super) saved: bool,
    /// What was wrong with a password.
    pub(super) wrong: Option<String>,
    /// The administrator's name, under which the login is proved anew.
    pub(super) name: String,
    pub(super) token: String,
}

#[derive(Default, Deserialize)]
struct Asked {
    saved: Option<String>,
}

async fn panic(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let saved = asked.saved.is_some();
    page(&app, theme, &signed_in, StatusCode::OK, saved, None).await
}

async fn page(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    status: StatusCode,
    saved: bool,
    wrong: Option<String>,
) -> Result<Response, Problem> {
    let viewer = signed_in.viewer(app).await?;
    let shown = Shown {
        sheet: match app.vault.sheet().await {
            Ok(sheet) => Ok(sheet),
            Err(NotDone::Away) => return Err(Problem::unavailable()),
            Err(why) => Err(sentence(&why)),
        },
        saved,
        wrong,
        name: viewer.profile.name.clone(),
        token: viewer.token.clone(),
    };
    let frame = Page {
        title: "Panic",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/staff",
    };
    Ok((status, document(&frame, &body(&shown))).into_response())
}

pub(super) fn body(shown: &Shown) -> Markup {
    html! {
        h1 { "Panic" }
        p.lead {
            "For the day on which this site must not be readable by anybody: everything is encrypted at once, and only "
            "the Panic Password brings it back."
        }
        @if shown.saved {
            (notice("good", &html! {
                "The Panic Password is set. " a href="/staff/panic/sheet" { "Print the recovery sheet" }
                " and keep it where no one machine can lose it."
            }))
        }
        @match &shown.sheet {
            Err(why) => (notice("bad", &html! { strong { "There is no way back just now." } " " (why) })),
            Ok(sheet) => {
                (password(shown, sheet.as_ref()))
                section.card {
                    h2 { "Encrypt everything" }
                    (consequences())
                    @if sheet.is_some() { (press(shown)) } @else {
                        p { strong { "There is no Panic Password yet, so nothing could be brought back." } " Set one first." }
                    }
                }
            }
        }
        p.more { a href="/staff" { "Back to the staff page" } }
    }
}

fn password(shown: &Shown, sheet: Option<&Sheet>) -> Markup {
    html! {
        section.card {
            h2 { "The Panic Password" }
            @if let Some(sheet) = sheet {
                p { "There is one. It is kept nowhere: not on this site, and not on this machine. This fingerprint names it:" }
                p.copy { code data-copy { (sheet.key) } }
                p { a.button href="/staff/panic/sheet" { "Show the recovery sheet" } }
                h3 { "Change it" }
                p { "The old one stops working at once, and its recovery sheets are void." }
            } @else {
                p {
                    "There is none yet. It is the one thing that brings the site back after a panic. Nobody can reset it, "
                    "so write it down, and let more than one person know where."
                }
            }
            @if let Some(wrong) = &shown.wrong {
                div.notice.bad role="alert" { (icon("bad")) div { (wrong) } }
            }
            form.slim action="/staff/panic/password" method="post" autocomplete="off" {
                (token(&shown.token))
                @if sheet.is_some() {
                    (field(&Field {
                        name: "old", label: "Panic Password of today", kind: "password", autocomplete: "off",
                        ..Field::default()
                    }))
                }
                (field(&Field {
                    name: "new", label: "New Panic Password", kind: "password", autocomplete: "off",
                    hint: "12 to 128 characters. A few words that don't belong together are best.",
                    ..Field::default()
                }))
                (strength("new"))
                (field(&Field {
                    name: "again", label: "New Panic Password, once more", kind: "password", autocomplete: "off",
                    ..Field::default()
                }))
                (submit(if sheet.is_some() { "Change the Panic Password" } else { "Set the Panic Password" }))
            }
        }
    }
}

/// Says plainly what a panic does.
fn consequences() -> Markup {
    html! {
        div.columns.outcome {
            div {
                h3 { "What goes dark, at once" }
                ul {
                    li { "Every page, every download and every answer to a program, for members, for staff and for you." }
                    li { "The tracker: clients are told that it is closed, and ask again later by themselves." }
                    li { "Every session: all members are signed out." }
                    li { "This machine's master key is destroyed, and everything that is stored is encrypted once more." }
                }
            }
            div {
                h3 { "What is kept" }
                ul {
                    li { "Everything, to the last byte: torrents, members, passwords, passkeys, figures, and this history." }
                    li { "What clients have moved until that moment is credited after the restore." }
                }
            }
            div {
                h3 { "The way back" }
                ul {
                    li { "The Panic Password, typed on the sealed site by anybody who knows it. Then members sign in as before." }
                    li {
                        strong { "Without the Panic Password it can't be undone" }
                        ", by no administrator and by nobody who holds this machine."
                    }
                }
            }
        }
    }
}

fn press(shown: &Shown) -> Markup {
    html! {
        form.slim data-panic=(shown.name) data-phrase=(PHRASE) autocomplete="off" {
            (kept_here(&Field {
                name: "confirm", label: &format!("Type {PHRASE}"), kind: "text", autocomplete: "off", ..Field::default()
            }))
            (kept_here(&Field {
                name: "password", label: "Your own password", kind: "password", autocomplete: "current-password",
                hint: "The one that you sign in with: your browser proves it anew, and never sends it.",
                ..Field::default()
            }))
            (progress())
            button.danger type="submit" { "Encrypt everything now" }
        }
    }
}

async fn set_password(
    State(app): State<App>,
    theme: Theme,
    mut form: CheckedForm,
) -> Result<Response, Problem> {
    let (old, new, again) = (form.secret("old"), form.secret("new"), form.secret("again"));
    let signed_in = &form.signed_in;
    let name = app.site.name();
    let known = [name.as_str(), signed_in.profile.name.as_str()];
    let checked = if *new == *again {
        strength::check(&new, &known)
    } else {
        Err("The two new ones differ.".to_owned())
    };
    if let Err(wrong) = checked {
        let told = Some(format!("{wrong} Nothing was changed."));
        return page(&app, theme, signed_in, StatusCode::BAD_REQUEST, false, told).await;
    }
    let old = Some(old).filter(|old| !old.is_empty());
    match app.vault.set_password(signed_in.profile.id, old, new).await {
        Ok(position) => {
            app.reads.wait_for(position).await;
            Ok(Redirect::to("/staff/panic?saved=1").into_response())
        }
        Err(why) => {
            let problem = not_done(why);
            let told = Some(problem.detail);
            page(&app, theme, signed_in, problem.status, false, told).await
        }
    }
}

async fn sheet(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Response, Problem> {
    let Some(sheet) = app.vault.sheet().await.map_err(not_done)? else {
        return Ok(Redirect::to("/staff/panic").into_response());
    };
    let viewer = signed_in.viewer(&app).await?;
    let frame = Page {
        title: "Recovery sheet",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/staff",
    };
    let body = sheet_body(&app.site, &sheet, OffsetDateTime::now_utc());
    Ok(document(&frame, &body).into_response())
}

pub(super) fn sheet_body(site: &Site, sheet: &Sheet, at: OffsetDateTime) -> Markup {
    let date = at
        .format(format_description!("[year]-[month]-[day]"))
        .unwrap_or_default();
    html! {
        article.sheet {
            h1 { "Recovery sheet of " (site.name()) }
            p.not-printed {
                "Print this, write the Panic Password on it by hand, and keep it where no one machine and no one person "
                "can lose it. Print it anew when the Panic Password was changed."
            }
            p.not-printed {
                button.primary type="button" data-print hidden { "Print" }
                " " a.button href="/staff/panic" { "Back" }
            }
            dl.facts.even {
                div { dt { "Site" } dd { (site.name()) } }
                div { dt { "Date" } dd { time datetime=(date) { (date) } } }
                div.wide { dt { "Address" } dd { (site.origin()) } }
                div.wide { dt { "Fingerprint of the Panic Password" } dd { code { (sheet.key) } } }
            }
            h2 { "The Panic Password" }
            div.by-hand aria-label="Lines to write on" role="img" { div {} div {} }
            h2 { "When the site is sealed" }
            ol {
                li { "Open " strong { (site.origin()) } " in a browser. Every address of the site shows the same page." }
                li { "Type the Panic Password as it stands above, and press " strong { "Restore" } "." }
                li { "Wait. The page tells how far it is, and leads to the site when everything is back." }
                li { "Without a browser, on the machine itself: " code { "opentracker panic restore" } "." }
                li { "Afterwards members sign in with the passwords that they had; their clients go on by themselves." }
            }
            h2 { "The slot" }
            p {
                "This stands in the database, in the table " code { "panic_slot" } ". It opens by the Panic Password alone, "
                "and anybody may see it. If the database lost it, put it back from here."
            }
            pre.slot tabindex="0" { code { (sheet.slot) } }
        }
    }
}
