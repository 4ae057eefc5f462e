//! Tickets: who proved a password, or brought a recovery code, and must bring a second factor yet. One is good
//! for nothing else, five minutes.

use std::time::Duration;

use domain::id::MemberId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::unauthorized;
use crate::app::App;
use crate::problem::Problem;
use crate::session;

/// How long a ticket holds.
const LIFE: Duration = Duration::from_mins(5);

/// What whoever has it may do: bring a second factor.
#[derive(Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) member: MemberId,
    /// Seconds since 1970.
    at: i64,
    /// Whether the try counts for the name till the second factor succeeds.
    pub(super) counted: bool,
    /// Whether it is for who forgot the password, and signs nobody in.
    #[serde(default)]
    pub(super) recovers: bool,
}

/// Gives the name under which something of a ticket is kept.
pub(super) fn key(what: &str, ticket: &str) -> String {
    format!("{what}:{}", hex::encode(Sha256::digest(ticket)))
}

fn place(ticket: &str) -> String {
    key("sign-in-ticket", ticket)
}

fn over() -> Problem {
    unauthorized("This took too long. Load the page and sign in again.")
}

/// Makes a ticket for a member.
pub(super) async fn make(
    app: &App,
    member: MemberId,
    counted: bool,
    recovers: bool,
) -> Result<String, Problem> {
    let mut random = [0; 32];
    app.random.fill(&mut random);
    let text = hex::encode(random);
    let ticket = Ticket {
        member,
        at: session::proved_at(app, member).await?,
        counted,
        recovers,
    };
    let ticket = serde_json::to_vec(&ticket).unwrap_or_default();
    app.ephemera.put(&place(&text), &ticket, LIFE).await?;
    Ok(text)
}

/// Reads a ticket that hasn't been used.
pub(super) async fn read(app: &App, ticket: &str) -> Result<Ticket, Problem> {
    let kept = app.ephemera.get(&place(ticket)).await?;
    let read = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
    read.ok_or_else(over)
}

/// Checks that the password by which a ticket was had is still the one.
pub(super) async fn check(app: &App, ticket: &Ticket) -> Result<(), Problem> {
    let profile = projections::user::profile(&app.reads, ticket.member).await?;
    let since = profile.and_then(|profile| profile.proves_since);
    if since.is_some_and(|since| ticket.at <= since) {
        return Err(over());
    }
    Ok(())
}

/// Uses a ticket up; of many at once, one succeeds.
pub(super) async fn spend(app: &App, ticket: &str) -> Result<(), Problem> {
    let taken = app.ephemera.take(&place(ticket)).await?;
    taken.map(|_| ()).ok_or_else(over)
}
