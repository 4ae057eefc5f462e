//! The proof that the log is what was appended, made on the spot.

use axum::extract::State;
use axum::response::Redirect;
use domain::amount::Seconds;
use maud::{Markup, html};
use projections::proof::{Standing, Verdict};

use super::note;
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::session::SignedIn;
use crate::web::component::{age, duration};
use crate::web::form::token;
use crate::web::layout::{Theme, framed};

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let standing = app.proofs.standing();
    framed(
        &app,
        theme,
        &signed_in,
        ("Proof of the log", "/audit"),
        &body(standing.as_ref(), signed_in.form_token()),
    )
    .await
}

pub(super) async fn start(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    note(&app, &form.signed_in, "proof").await?;
    app.proofs.start();
    Ok(Redirect::to("/audit/proof"))
}

pub(crate) fn body(standing: Option<&Standing>, form_token: &str) -> Markup {
    html! {
        h1 { "Proof of the log" }
        p.lead {
            "Opens every event and checks its place, its hash and the chain that links it to all before it, and "
            "every checkpoint."
        }
        section.card {
            div data-region="proof" data-live { (found(standing)) }
            form action="/audit/proof" method="post" {
                (token(form_token))
                button.primary type="submit" { "Prove the whole log" }
            }
            p.hint {
                "Keep the root where who runs this machine can't change it: who holds the database and its keys could "
                "write another log from its beginning, and only an older root shows that. "
                code { "opentracker audit export" } " writes a file that proves itself on another machine."
            }
        }
        p { a href="/audit" { "Back to the events" } }
    }
}

fn found(standing: Option<&Standing>) -> Markup {
    match standing {
        None => html! { p { "Nobody has asked for it since the program started." } },
        Some(Standing::Failed(reason)) => html! {
            p.error role="alert" { "The log couldn't be read: " (reason) ". Try again when the database answers." }
        },
        Some(Standing::At { position, of }) => html! {
            p data-moving {
                progress max=(of.0.max(1)) value=(position.0) aria-label="Proving the log" {}
                @if of.0 > 0 { " " span.num { (position) " of " (of) } }
            }
        },
        Some(Standing::Done { verdict, at, took }) => html! {
            @match verdict {
                Verdict::Fits { position, chain, root } => {
                    p { span.badge.good { "everything fits" } " " (position) " events, " (age(*at)) ", in " (duration(Seconds(took.as_secs().max(1)))) "." }
                    dl.facts {
                        div.wide { dt { "Root" } dd { code.hash { (root) } } }
                        div.wide { dt { "Chain" } dd { code.hash { (chain) } } }
                    }
                }
                Verdict::Differs { event, reason } => {
                    p.error role="alert" { "Event " (event) " doesn't fit: " (reason) "." }
                    p.hint { "Found " (age(*at)) ". Everything before it fits. Compare with an export or a backup that is kept elsewhere." }
                }
            }
        },
    }
}
