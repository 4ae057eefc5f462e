//! Where members signed in from, and from where nobody may.
//!
//! Of an address nothing is kept but a keyed hash of its network: beside the sessions for a month, and in
//! a ban that covers it. Its key is the vault's, the same on every node until a panic takes it away.

use std::time::Duration;

use axum::http::StatusCode;
use domain::id::MemberId;
use domain::user::Network;
use domain::{Purpose, address};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::app::App;
use crate::limit::Client;
use crate::problem::Problem;
use crate::sign_in::now;

/// How long it is kept where a member signed in from.
const KEPT: Duration = Duration::from_hours(24 * 30);

fn key(member: MemberId) -> String {
    format!("network:{member}")
}

fn hidden(app: &App, client: Client) -> Network {
    let (network, version) = address::network(client.0);
    let message = [b"ban ".as_slice(), &[version], &network.to_be_bytes()].concat();
    let mac = app.keys.mac(Purpose::Address, &message);
    Network(mac.first_chunk().copied().unwrap_or_default())
}

/// Remembers where a member signed in from.
pub(crate) async fn note(app: &App, member: MemberId, client: Client) -> Result<(), Problem> {
    let network = hidden(app, client).0;
    app.ephemera.put(&key(member), &network, KEPT).await?;
    Ok(())
}

/// Forgets where a member signed in from.
pub(crate) async fn forget(app: &App, member: MemberId) -> Result<(), Problem> {
    app.ephemera.take(&key(member)).await?;
    Ok(())
}

/// Gives where a member signed in from last.
pub(crate) async fn last(app: &App, member: MemberId) -> Result<Network, Problem> {
    let kept = app.ephemera.get(&key(member)).await?;
    let network = kept.and_then(|kept| kept.try_into().ok()).map(Network);
    network.ok_or_else(|| {
        let detail = "Nothing is known of where they signed in from. Ban without the address; nothing was changed.";
        Problem::field("address", detail)
    })
}

/// Refuses who comes from where nobody may join or sign in.
pub(crate) async fn check(app: &App, client: Client) -> Result<(), Problem> {
    let network = hidden(app, client);
    let covering = projections::user::sanction::covering(&app.reads, network, now()).await?;
    let Some(until) = covering else {
        return Ok(());
    };
    let detail = format!(
        "A ban covers where you are: nobody joins or signs in from there.{} The staff of the site can lift it.",
        ends(Some(until))
    );
    let title = "Your address is banned";
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "banned",
        title,
        &detail,
    ))
}

/// Says when a ban ends, where it does.
pub(crate) fn ends(until: Option<i64>) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let end = until.and_then(|until| OffsetDateTime::from_unix_timestamp(until).ok());
    let end = end.and_then(|end| end.format(format).ok());
    end.map_or_else(String::new, |end| format!(" The ban ends at {end}."))
}
