//! The pages, one file for each; what they share is [`layout`], [`component`] and [`form`].

use crate::route::Routes;

pub(crate) mod asset;
pub(crate) mod component;
pub(crate) mod form;
pub(crate) mod layout;
pub(crate) mod markdown;

pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod banner;
pub(crate) mod docs;
pub(crate) mod erasure;
pub(crate) mod feed;
pub(crate) mod forum;
pub(crate) mod help;
pub(crate) mod home;
pub(crate) mod invite;
pub(crate) mod notification;
pub(crate) mod panic;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod qr;
pub(crate) mod queue;
pub(crate) mod register;
pub(crate) mod report;
pub(crate) mod sealed;
pub(crate) mod second_factor;
mod security_key;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod staff;
pub(crate) mod statistic;
pub(crate) mod torrent;
pub(crate) mod torrents;
pub(crate) mod transfer;
pub(crate) mod upload;

#[cfg(test)]
mod samples;

/// Gives the routes of all pages.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(asset::routes())
        .merge(api_key::routes())
        .merge(audit::routes())
        .merge(banner::routes())
        .merge(docs::routes())
        .merge(erasure::routes())
        .merge(forum::routes())
        .merge(feed::routes())
        .merge(help::routes())
        .merge(home::routes())
        .merge(invite::routes())
        .merge(notification::routes())
        .merge(panic::routes())
        .merge(profile::routes())
        .merge(queue::routes())
        .merge(password::routes())
        .merge(register::routes())
        .merge(report::routes())
        .merge(second_factor::routes())
        .merge(security_key::routes())
        .merge(settings::routes())
        .merge(setup::routes())
        .merge(sign_in::routes())
        .merge(staff::routes())
        .merge(statistic::routes())
        .merge(torrent::routes())
        .merge(torrents::routes())
        .merge(transfer::routes())
        .merge(upload::routes())
}
