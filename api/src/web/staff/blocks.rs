//! Addresses that are blocked, and those whose requests look like attacks. Nobody sees an address: each
//! goes by a short name that only this site's keys make of it.

use axum::extract::State;
use axum::response::Redirect;
use commands::limit::{Block, SHORT, Suspect};
use domain::{Actor, Permission};
use maud::{Markup, html};

use super::super::component::{empty, instant, notice};
use super::super::form::token;
use super::super::layout::{Theme, framed};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Gives the routes.
pub(super) fn routes() -> Routes {
    let who = Who::May(Permission::Members);
    Routes::new()
        .get("/staff/blocks", who, page)
        .post("/staff/blocks/lift", who, lift)
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let limiter = app.shield.limiter();
    let (blocks, suspects) = (limiter.blocks().await?, limiter.suspects().await?);
    let here = ("Blocks", "/staff/blocks");
    let body = body(
        &blocks,
        &suspects,
        limiter.is_alone(),
        signed_in.form_token(),
    );
    framed(&app, theme, &signed_in, here, &body).await
}

pub(in super::super) fn body(
    blocks: &[Block],
    suspects: &[Suspect],
    alone: bool,
    form_token: &str,
) -> Markup {
    html! {
        h1 { "Blocks" }
        p.lead {
            "Addresses that asked for too much, or looked like attacks, are blocked for a while by themselves. "
            "No address is shown: each has a name that only this site can make of it."
        }
        @if alone {
            (notice("bad", &html! { "Redis is away: each node counts and blocks for itself." }))
        }
        @if blocks.is_empty() {
            (empty("Nobody is blocked.", &html! { "Blocks appear here, and end by themselves." }))
        } @else {
            ul.rows {
                @for block in blocks {
                    li {
                        span {
                            code { (block.name()) } " " span.badge.bad { (block.reason()) }
                            @if block.times > 1 { " " span.badge { "block " (block.times) " of this address" } }
                        }
                        span.hint { "since " (instant(block.since)) ", until " (instant(block.until)) }
                        form.inline action="/staff/blocks/lift" method="post" {
                            (token(form_token))
                            button type="submit" name="name" value=(block.whose) aria-label={ "Lift the block of " (block.name()) } { "Lift" }
                        }
                    }
                }
            }
        }
        section.card {
            h2 { "Suspects" }
            p { "Requests that look like attacks are never refused for that alone. Their points add up for ten minutes, and block the address when they are too many." }
            @if suspects.is_empty() {
                p.hint { "Nobody has points just now." }
            } @else {
                ul.rows {
                    @for one in suspects {
                        li {
                            code { (one.whose.get(..SHORT).unwrap_or(&one.whose)) }
                            span { (one.about) }
                            span.num { (one.points) " points" }
                        }
                    }
                }
            }
        }
    }
}

async fn lift(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let by = Actor::Member(form.signed_in.profile.id);
    lifted(&app, by, form.field("name")).await?;
    Ok(Redirect::to("/staff/blocks"))
}

/// Lifts a block and notes who did it.
pub(crate) async fn lifted(app: &App, by: Actor, name: &str) -> Result<Block, Problem> {
    let lifted = app.shield.limiter().lift(name).await?;
    let block = lifted.ok_or_else(Problem::not_found)?;
    app.commands
        .note_lifting(by, block.name(), &block.reason())
        .await?;
    Ok(block)
}
