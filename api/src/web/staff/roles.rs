//! The site's own roles, for who may make them: made, changed, retired, given and taken away.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use domain::id::RoleId;
use domain::permission::Area;
use domain::role::{LONGEST_NAME, Mandate, Rejection};
use domain::tag::Colour;
use domain::user::Role;
use domain::{Permission, Permissions};
use maud::{Markup, html};
use projections::role::OwnRole;
use projections::user::Profile;

use super::super::component::{empty, notice};
use super::super::form::{retire_form, submit, token};
use super::super::layout::{Theme, framed, unfit};
use super::members::find;
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// The title and the section of the pages.
const HERE: (&str, &str) = ("Roles", "/staff/roles");

/// Gives the routes.
pub(super) fn routes() -> Routes {
    let who = Who::May(Permission::Roles);
    Routes::new()
        .get("/staff/roles", who, page)
        .post("/staff/roles", who, create)
        .get("/staff/roles/{id}", who, one)
        .post("/staff/roles/{id}", who, change)
        .get("/staff/roles/{id}/retire", who, confirm)
        .post("/staff/roles/{id}/retire", who, retire)
        .post("/members/{name}/roles", who, hand)
}

/// What the form of a role holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) permissions: Permissions,
    /// What is wrong with the name.
    pub(crate) error: Option<String>,
    /// What is wrong with the permissions.
    pub(crate) beyond: Option<String>,
}

impl Draft {
    fn sent(form: &CheckedForm) -> Self {
        let ticked = form.named("may-").into_iter();
        Self {
            name: form.field("name").trim().to_owned(),
            colour: Colour::named(form.field("colour")).unwrap_or_default(),
            permissions: ticked.filter_map(Permission::named).collect(),
            ..Self::default()
        }
    }

    fn of(role: &OwnRole) -> Self {
        Self {
            name: role.name.clone(),
            colour: role.colour,
            permissions: role.permissions,
            ..Self::default()
        }
    }

    fn mandate(&self) -> Mandate {
        Mandate {
            name: self.name.clone(),
            colour: self.colour,
            permissions: self.permissions,
        }
    }
}

/// A role as members see it.
pub(in super::super) fn badge(role: &OwnRole) -> Markup {
    html! { span class={ "tag " (role.colour.name()) } { (role.name) } }
}

/// Somebody's roles, as they stand beside their name.
pub(in super::super) fn badges(built_in: Option<Role>, own: &[OwnRole]) -> Markup {
    html! {
        @if let Some(role) = built_in.filter(|role| *role != Role::Member) { " " span.badge { (role.name()) } }
        @for role in own { " " (badge(role)) }
    }
}

/// Gives a role with how many members have it.
async fn role(app: &App, id: &str) -> Result<(OwnRole, i64), Problem> {
    let id: RoleId = id.parse().map_err(|_| Problem::not_found())?;
    let all = projections::role::all(&app.reads).await?;
    let found = all.into_iter().find(|(role, _)| role.id == id);
    found.ok_or_else(Problem::not_found)
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let roles = projections::role::all(&app.reads).await?;
    let may = signed_in.profile.permissions();
    let body = body(&roles, &Draft::default(), may, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn body(
    roles: &[(OwnRole, i64)],
    draft: &Draft,
    may: Permissions,
    form_token: &str,
) -> Markup {
    html! {
        h1 { "Roles" }
        p.lead {
            "Besides the built-in roles a site has its own: a name in a colour, and what its members may do besides. "
            "You give them in a member's profile."
        }
        @if roles.is_empty() {
            (empty("There is no role of your own yet.", &html! { "Make the first one below." }))
        } @else {
            ul.rows {
                @for (role, members) in roles {
                    li {
                        span {
                            (badge(role)) " "
                            span.hint { (reach(role.permissions)) }
                        }
                        span.actions {
                            span.hint { (counted(*members)) }
                            @if role.permissions.are_within(may) {
                                a.button href={ "/staff/roles/" (role.id) } { "Change" span.visually-hidden { " " (role.name) } }
                            } @else { span.badge { "reaches further than you" } }
                        }
                    }
                }
            }
        }
        section.card {
            h2 { "Make a role" }
            form action="/staff/roles" method="post" {
                (token(form_token))
                (fields(draft, may))
                (submit("Make it"))
            }
        }
    }
}

fn counted(members: i64) -> String {
    match members {
        1 => "1 member".to_owned(),
        members => format!("{members} members"),
    }
}

fn reach(permissions: Permissions) -> String {
    let names: Vec<String> = permissions
        .iter()
        .map(|one| one.name().replace('_', " "))
        .collect();
    if names.is_empty() {
        "a name alone".to_owned()
    } else {
        names.join(", ")
    }
}

fn fields(draft: &Draft, may: Permissions) -> Markup {
    let wrong = draft.error.as_deref();
    html! {
        div.field {
            label for="name" { "Name" }
            input id="name" name="name" type="text" value=(draft.name) required maxlength=(LONGEST_NAME) autocomplete="off"
                aria-describedby=[wrong.map(|_| "name-error")] aria-invalid=[wrong.map(|_| "true")];
            @if let Some(wrong) = wrong { p.hint.bad id="name-error" { (wrong) } }
        }
        (super::colour_field(draft.colour))
        @if let Some(beyond) = &draft.beyond { (notice("bad", &html! { (beyond) })) }
        @for area in Area::ALL {
            // Nobody gives what they may not do themselves.
            @let offered: Vec<&Permission> = area.permissions().iter().filter(|one| may.has(**one)).collect();
            @if !offered.is_empty() {
                fieldset.choices {
                    legend { (area.about()) }
                    @for one in offered {
                        div.choice {
                            input id={ "may-" (one.name()) } name={ "may-" (one.name()) } type="checkbox" value="1"
                                checked[draft.permissions.has(*one)];
                            label for={ "may-" (one.name()) } { (one.about()) }
                        }
                    }
                }
            }
        }
    }
}

/// Says in the form what can be mended, beside what is wrong.
fn mended(draft: Draft, refusal: Refusal<Rejection>) -> Result<Draft, Problem> {
    let beyond = matches!(
        refusal,
        Refusal::Rejected(Rejection::Beyond | Rejection::Administers)
    );
    let taken = "Another role has this name, or one that looks like it.";
    let said = Some(super::told(refusal, taken)?);
    Ok(if beyond {
        Draft {
            beyond: said,
            ..draft
        }
    } else {
        Draft {
            error: said,
            ..draft
        }
    })
}

async fn create(
    State(app): State<App>,
    theme: Theme,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let draft = Draft::sent(&form);
    let by = &form.signed_in.profile;
    let draft = match app.commands.create_role(by.id, draft.mandate()).await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            return Ok(Redirect::to("/staff/roles").into_response());
        }
        Err(refusal) => mended(draft, refusal)?,
    };
    let roles = projections::role::all(&app.reads).await?;
    let body = body(
        &roles,
        &draft,
        by.permissions(),
        form.signed_in.form_token(),
    );
    unfit(&app, theme, &form.signed_in, HERE, &body).await
}

async fn one(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let (role, _) = role(&app, &id).await?;
    let may = signed_in.profile.permissions();
    let body = one_body(&role, &Draft::of(&role), may, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn one_body(
    role: &OwnRole,
    draft: &Draft,
    may: Permissions,
    form_token: &str,
) -> Markup {
    let here = format!("/staff/roles/{}", role.id);
    html! {
        section.narrow {
            h1 { "Change a role" }
            p { (badge(role)) }
            @if role.permissions.are_within(may) {
                form action=(here) method="post" {
                    (token(form_token))
                    (fields(draft, may))
                    p.hint { "What you change holds at the next request of everybody who has it." }
                    (submit("Save"))
                }
                p.more { a.button href={ (here) "/retire" } { "Retire it" } }
            } @else {
                (notice("bad", &html! { "It reaches further than you do, so it isn't yours to change." }))
                p { (reach(role.permissions)) }
            }
            p.more { a href="/staff/roles" { "All roles" } }
        }
    }
}

async fn change(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let (role, _) = role(&app, &id).await?;
    let draft = Draft::sent(&form);
    let by = &form.signed_in.profile;
    let changed = app.commands.change_role(by.id, role.id, draft.mandate());
    let draft = match changed.await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            return Ok(Redirect::to("/staff/roles").into_response());
        }
        Err(refusal) => mended(draft, refusal)?,
    };
    let token = form.signed_in.form_token();
    let body = one_body(&role, &draft, by.permissions(), token);
    unfit(&app, theme, &form.signed_in, HERE, &body).await
}

async fn confirm(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let (role, members) = role(&app, &id).await?;
    let body = confirmation(&role, members, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn confirmation(role: &OwnRole, members: i64, form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Retire a role" }
            p { (badge(role)) ", which " (counted(members)) @if members == 1 { " has" } @else { " have" } }
            (notice("bad", &html! {
                "Nobody has it any more from their next request on, and its name is free for another. "
                "It can't be brought back."
            }))
            (retire_form(&format!("/staff/roles/{}", role.id), "Keep it", form_token))
        }
    }
}

async fn retire(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let (role, _) = role(&app, &id).await?;
    let by = form.signed_in.profile.id;
    let done = app.commands.retire_role(by, role.id).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to("/staff/roles"))
}

/// What who may give roles finds on a profile.
pub(in super::super) struct Handing {
    /// The site's own roles that may be given.
    pub(in super::super) offered: Vec<OwnRole>,
    /// What who looks may do.
    pub(in super::super) may: Permissions,
    pub(in super::super) token: String,
}

/// Gives what who looks may do about a member's roles; nothing, where that is nothing.
pub(in super::super) async fn handing(
    app: &App,
    signed_in: &SignedIn,
    of: &Profile,
) -> Result<Option<Handing>, Problem> {
    let (may, theirs) = (signed_in.profile.permissions(), of.permissions());
    let above = theirs.has(Permission::Administer) && !may.has(Permission::Administer);
    if !may.has(Permission::Roles) || above {
        return Ok(None);
    }
    let all = projections::role::all(&app.reads).await?.into_iter();
    let has = |role: &OwnRole| of.roles.iter().any(|one| one.id == role.id);
    Ok(Some(Handing {
        offered: all
            .map(|(role, _)| role)
            .filter(|role| role.permissions.are_within(may) && !has(role))
            .collect(),
        may,
        token: signed_in.form_token().to_owned(),
    }))
}

/// The roles of a member, with what can be done about them.
pub(in super::super) fn handed(profile: &Profile, handing: &Handing) -> Markup {
    let to = format!("/members/{}/roles", profile.name);
    html! {
        section.card {
            h2 { "Roles" }
            @if profile.roles.is_empty() { p.hint { "None of the site's own." } }
            ul.rows {
                @for role in &profile.roles {
                    li {
                        span { (badge(role)) " " span.hint { (reach(role.permissions)) } }
                        @if role.permissions.are_within(handing.may) {
                            form action=(to) method="post" {
                                (token(&handing.token))
                                input type="hidden" name="role" value=(role.id);
                                button.quiet type="submit" name="act" value="withdraw" aria-label={ "Withdraw " (role.name) } { "Withdraw" }
                            }
                        }
                    }
                }
            }
            @if !handing.offered.is_empty() {
                form.inline action=(to) method="post" {
                    (token(&handing.token))
                    label for="own-role" { "Another role" }
                    select id="own-role" name="role" {
                        @for role in &handing.offered { option value=(role.id) { (role.name) } }
                    }
                    button type="submit" name="act" value="grant" { "Give" }
                }
            }
            p.hint { a href="/staff/roles" { "The site's roles" } }
        }
    }
}

async fn hand(
    State(app): State<App>,
    Path(name): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let member = find(&app, &name).await?;
    let role: RoleId = form
        .field("role")
        .parse()
        .map_err(|_| Problem::not_found())?;
    let granted = match form.field("act") {
        "grant" => true,
        "withdraw" => false,
        _ => return Err(Problem::invalid("A role is given or taken away.")),
    };
    let by = form.signed_in.profile.id;
    let done = app.commands.hand_role(by, member.id, role, granted);
    app.reads.wait_for(done.await?.position).await;
    Ok(Redirect::to(&format!("/members/{}", member.name)))
}
