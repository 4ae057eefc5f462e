//! Pages of members: invites, sanctions, the list.

use domain::id::InviteId;
use maud::Markup;
use projections::invite::{Guest, Invite, Standing};
use projections::page::Page as Rows;
use projections::user::sanction::{Kind, Sanction};
use uuid::Uuid;

use super::super::{invite, staff};
use super::{AT, viewer};

/// The pages with their names.
pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    let members = staff::members::body(
        &staff::members::Asked::default(),
        &rows_of(vec![viewer().profile]),
    );
    vec![
        ("invites", invite::body(&invites(), 0)),
        (
            "everybody's invites",
            invite::all_body(&rows_of(invites().invites), 0),
        ),
        ("members", members),
    ]
}

fn rows_of<T>(rows: Vec<T>) -> Rows<T> {
    Rows { rows, next: None }
}

fn invites() -> invite::Shown {
    let id = InviteId(Uuid::from_u128(7));
    let one = Invite {
        id,
        issuer: viewer().profile.id,
        issuer_name: "zoë_42".into(),
        issued_at: AT,
        expires: 100,
        standing: Standing::Open,
        position: 3,
    };
    let guest = |depth| Guest {
        name: "bob".into(),
        depth,
        joined: AT,
    };
    invite::Shown {
        left: 1,
        invites: vec![one],
        links: [(id, "http://localhost/register?invite=00".to_owned())].into(),
        guests: vec![guest(1), guest(2)],
        inviter: Some("alice".into()),
        token: "00".into(),
        ..invite::Shown::default()
    }
}

/// What was imposed on somebody.
pub(super) fn sanctions() -> Vec<Sanction> {
    vec![Sanction {
        kind: Kind::Ban,
        reason: "<b>".into(),
        until: Some(9),
        at: AT,
        by: Some(viewer().profile.id),
    }]
}
