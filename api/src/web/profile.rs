//! A member's profile.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::user::{Name, Role};
use domain::{Actor, Permission};
use maud::{Markup, html};
use projections::swarm::Count;
use projections::topic::list::Hit;
use projections::torrent::list::{self, Row, Wanted};
use projections::traffic::{self, Totals};
use projections::user::sanction::{self, Sanction};
use projections::user::{self, Names, Profile};

use super::component::{age, duration, empty, ratio, size};
use super::form::token;
use super::layout::{Theme, framed};
use super::staff::{members, roles};
use super::{audit, forum, torrents};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

pub(crate) mod here;
pub(crate) mod ledger;

use here::Here;

/// Posts of a profile.
const POSTS: i64 = 10;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/members/{name}", Who::Member, profile)
        .post(
            "/members/{name}/role",
            Who::May(Permission::Administer),
            assign_role,
        )
        .merge(ledger::routes())
}

/// What the profile shows.
pub(super) struct Shown {
    pub(super) profile: Profile,
    pub(super) totals: Totals,
    pub(super) swarm: Count,
    pub(super) uploads: Vec<Row>,
    /// How many of them who looks may see, up to [`list::MOST_COUNTED`].
    pub(super) uploaded: i64,
    /// When they were here last, for the member and who keeps order among members.
    pub(super) here: Option<Here>,
    /// What they wrote last in the forum.
    pub(super) posts: Vec<Hit>,
    pub(super) own: bool,
    /// Sanctions, for the member and who keeps order among them.
    pub(super) sanctions: Vec<Sanction>,
    pub(super) names: Names,
    /// The token of who may sanction the member.
    pub(super) may_sanction: Option<String>,
    /// Who looks, where they may look behind it.
    pub(super) staff: Option<Staff>,
    /// The site's own roles, for who may give them.
    pub(super) handing: Option<roles::Handing>,
}

/// What auditors, administrators and who grants invites find on a profile besides.
pub(super) struct Staff {
    pub(super) may_audit: bool,
    pub(super) may_invite: bool,
    pub(super) may_assign: bool,
    pub(super) token: String,
}

async fn profile(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(name): Path<String>,
) -> Result<Markup, Problem> {
    if name == user::ERASED {
        let titled = ("Erased member", "");
        return framed(&app, theme, &signed_in, titled, &erased()).await;
    }
    let name = Name::parse(&name).map_err(|_| Problem::not_found())?;
    let profile = user::named(&app.reads, &name)
        .await?
        .ok_or_else(Problem::not_found)?;
    let wanted = Wanted {
        uploader: Some(profile.id),
        eyes: torrents::eyes(&signed_in),
        limit: 20,
        ..Wanted::default()
    };
    let own = profile.id == signed_in.profile.id;
    let sanctions = if own || signed_in.may(Permission::Members) {
        sanction::of(&app.reads, profile.id).await?
    } else {
        vec![]
    };
    let may_sanction =
        !own && (signed_in.profile.permissions()).may_sanction(profile.permissions());
    let may_invite = signed_in.may(Permission::Invites);
    let shown = Shown {
        totals: traffic::totals(&app.reads, profile.id).await?,
        swarm: app.swarms.of_member(profile.id),
        uploads: list::list(&app.reads, &wanted, app.swarms.as_ref())
            .await?
            .rows,
        uploaded: list::count(&app.reads, profile.id, wanted.eyes).await?,
        here: Here::of(&app, &signed_in, profile.id).await?,
        posts: projections::topic::list::by_member(
            &app.reads,
            profile.id,
            forum::is_staff(&signed_in),
            POSTS,
        )
        .await?,
        own,
        names: user::names(&app.reads, sanctions.iter().filter_map(|one| one.by)).await?,
        sanctions,
        may_sanction: may_sanction.then(|| signed_in.form_token().to_owned()),
        staff: (signed_in.may(Permission::Audit) || may_invite).then(|| Staff {
            may_audit: signed_in.may(Permission::Audit),
            may_invite,
            may_assign: signed_in.may(Permission::Administer) && profile.id != signed_in.profile.id,
            token: signed_in.form_token().to_owned(),
        }),
        handing: roles::handing(&app, &signed_in, &profile).await?,
        profile,
    };
    let section = if shown.own { "/members" } else { "" };
    let title = shown.profile.name.clone();
    framed(&app, theme, &signed_in, (&title, section), &body(&shown)).await
}

pub(super) fn body(shown: &Shown) -> Markup {
    let Shown {
        profile,
        totals,
        swarm,
        ..
    } = shown;
    html! {
        h1 { (profile.name) (roles::badges(Some(profile.role), &profile.roles)) }
        dl.facts {
            div { dt { "Joined" } dd { (age(profile.joined)) } }
            @if let Some(here) = shown.here { div { dt { "Last here" } dd { (here.shown()) } } }
            div { dt { "Uploads" } dd.num { (shown.uploaded) @if shown.uploaded >= list::MOST_COUNTED { " or more" } } }
            div { dt { "Uploaded" } dd { (size(totals.uploaded)) } }
            div { dt { "Downloaded" } dd { (size(totals.downloaded)) } }
            @if totals.charged != totals.downloaded { div { dt { "Of it charged" } dd { (size(totals.charged)) } } }
            @if totals.credit.0 > 0 { div { dt { "Credit" } dd { (size(totals.credit)) } } }
            div { dt { "Ratio" } dd { (ratio(totals.ratio())) } }
            div { dt { "Seed time" } dd.num { (duration(totals.seeded)) } }
            div { dt { "Snatches" } dd.num { (totals.snatches) } }
            div { dt { "Seeding" } dd.num { (swarm.seeders) } }
            div { dt { "Leeching" } dd.num { (swarm.leechers) } }
            div { dt { "Hit-and-runs" } dd.num { (totals.marks) } }
        }
        @if shown.own {
            p.actions {
                a.button href="/ledger" { "Your ledger: every credited byte" }
                a.button href="/uploads" { "Your uploads" }
                a.button href="/reports" { "Your reports" }
            }
        } @else {
            p.actions { a.button href={ "/report/member/" (profile.name) } { "Report" } }
        }
        @if let Some(staff) = &shown.staff { (behind(profile, staff)) }
        @if let Some(handing) = &shown.handing { (roles::handed(profile, handing)) }
        (members::sanctions(profile, &shown.sanctions, &shown.names, shown.may_sanction.as_deref()))
        section {
            h2 { "Uploads" }
            @if shown.uploads.is_empty() {
                (empty("No uploads yet.", &html! { @if shown.own { a href="/upload" { "Upload a torrent" } "." } @else { "They may come." } }))
            } @else {
                (torrents::table(&shown.uploads, "Torrents that this member uploaded", None))
                p { a href={ "/torrents?uploader=" (profile.name) } { "All that " (profile.name) " uploaded" } }
            }
        }
        section {
            h2 { "Posts" }
            @if shown.posts.is_empty() {
                (empty("Nothing in the forum yet.", &html! { @if shown.own { "Say something in " a href="/forum" { "the forum" } "." } @else { "They may come." } }))
            } @else { (forum::search::listed(&shown.posts)) }
        }
    }
}

/// What stands where an erased member's name leads.
fn erased() -> Markup {
    html! {
        section.narrow {
            h1 { "Erased member" }
            p.lead { "Whoever this was left for ever, and took name and figures along." }
            p { "What they gave the site stays: torrents, comments and posts of all who left stand under this one name." }
        }
    }
}

/// The member's history, and the role for who may assign it.
fn behind(profile: &Profile, staff: &Staff) -> Markup {
    html! {
        @if staff.may_audit { (audit::behind(&format!("user-{}", profile.id))) }
        @if staff.may_assign { p.actions {
            a.button href={ "/members/" (profile.name) "/erase" } { "Erase this member" }
            @if profile.second_factor { a.button href={ "/members/" (profile.name) "/second-factor" } { "Turn off their second factor" } }
        } }
        @if staff.may_assign || staff.may_invite { div.actions {
            @if staff.may_assign {
                form.inline action={ "/members/" (profile.name) "/role" } method="post" {
                    (token(&staff.token))
                    label for="role" { "Built-in role" }
                    select id="role" name="role" {
                        @for role in Role::ALL { option value=(role.name()) selected[role == profile.role] { (role.name()) } }
                    }
                    button type="submit" { "Assign" }
                }
            }
            @if staff.may_invite {
                form.inline action={ "/members/" (profile.name) "/invites" } method="post" {
                    (token(&staff.token))
                    label for="count" { "Invites" }
                    input id="count" type="number" name="count" min="1" max="100" value="1";
                    button type="submit" { "Grant" }
                }
            }
        } }
    }
}

async fn assign_role(
    State(app): State<App>,
    Path(name): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let name = Name::parse(&name).map_err(|_| Problem::not_found())?;
    let role = Role::named(form.field("role"))
        .ok_or_else(|| Problem::invalid("There is no such role."))?;
    let member = user::named(&app.reads, &name)
        .await?
        .ok_or_else(Problem::not_found)?;
    let by = Actor::Member(form.signed_in.profile.id);
    let done = app.commands.assign_role(by, member.id, role).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/members/{}", member.name)))
}
