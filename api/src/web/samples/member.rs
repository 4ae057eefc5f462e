//! Pages of members: invites, sanctions, the list, blocks.

use commands::limit::{Block, Suspect, Why};
use domain::id::{InviteId, RoleId};
use domain::tag::Colour;
use domain::user::{HeldKey, Opaque, PublicKey, SecurityKey};
use domain::{Permission, Permissions};
use maud::Markup;
use projections::invite::{Guest, Invite, Standing};
use projections::page::Page as Rows;
use projections::role::OwnRole;
use projections::user::sanction::{Kind, Sanction};
use uuid::Uuid;

use super::super::{erasure, invite, second_factor, security_key, staff};
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
        ("blocks", blocks(&held(), &suspects(), true)),
        ("no blocks", blocks(&[], &[], false)),
        ("second factor", second_factor::set_up(&setting_up())),
        ("second factor is on", second_factor::is_on("zoë_42", 1)),
        (
            "another one's second factor",
            second_factor::locked_out("bob", "zoë_42", true),
        ),
        ("security keys", security_key::body(&keys(2, true))),
        ("no security keys", security_key::body(&keys(0, true))),
        (
            "too many security keys",
            security_key::body(&keys(10, true)),
        ),
        ("no security keys here", security_key::body(&keys(0, false))),
    ]
    .into_iter()
    .chain(of_roles())
    .collect()
}

fn of_roles() -> Vec<(&'static str, Markup)> {
    let counted: Vec<(OwnRole, i64)> = roles().into_iter().zip([1, 2]).collect();
    let draft = staff::roles::Draft {
        name: "<b>".into(),
        error: Some("Not so.".into()),
        beyond: Some("Not so far.".into()),
        ..staff::roles::Draft::default()
    };
    let all = Permissions::everything();
    let few: Permissions = [Permission::Roles].into_iter().collect();
    let mut pages = vec![
        ("roles", staff::roles::body(&counted, &draft, all, "00")),
        (
            "roles above",
            staff::roles::body(&counted, &draft, few, "00"),
        ),
        ("no roles", staff::roles::body(&[], &draft, few, "00")),
    ];
    for (role, members) in &counted {
        for may in [all, few] {
            pages.push(("role", staff::roles::one_body(role, &draft, may, "00")));
        }
        pages.push((
            "retire a role",
            staff::roles::confirmation(role, *members, "00"),
        ));
    }
    pages
}

/// Roles of the site's own.
pub(super) fn roles() -> Vec<OwnRole> {
    let role = |number, name: &str, permissions: &[Permission]| OwnRole {
        id: RoleId(Uuid::from_u128(number)),
        name: name.into(),
        colour: Colour::Teal,
        permissions: permissions.iter().copied().collect(),
    };
    vec![
        role(8, "Forum guides", &[Permission::Forum, Permission::Reports]),
        role(9, "<u>Friends", &[]),
    ]
}

fn keys(count: u8, possible: bool) -> security_key::Shown {
    let key = |number: u8| HeldKey {
        key: SecurityKey {
            id: Opaque(vec![number; 16]),
            name: "<b>".into(),
            public_key: PublicKey::Es256 {
                x: Opaque(vec![1; 32]),
                y: Opaque(vec![2; 32]),
            },
            counter: 1,
            user_verified: true,
            backup_eligible: false,
            transports: vec![],
            added: AT.unix_timestamp(),
        },
        used: (number > 0).then_some(AT.unix_timestamp()),
    };
    security_key::Shown {
        name: "zoë_42".into(),
        keys: (0..count).map(key).collect(),
        codes: 0,
        possible,
        needed: !possible,
    }
}

fn setting_up() -> second_factor::Setup {
    second_factor::Setup {
        name: "zoë_42".into(),
        site: "A & B".into(),
        secret: domain::user::TotpSecret::new([7; 20]),
        needed: true,
    }
}

/// The page on which `bob` is erased, by themself or another.
pub(super) fn leaving(by: &str) -> erasure::Shown {
    erasure::Shown {
        name: "bob".into(),
        by: by.into(),
        is_administrator: false,
    }
}

fn blocks(held: &[Block], suspects: &[Suspect], alone: bool) -> Markup {
    staff::blocks::body(held, suspects, alone, "00")
}

fn held() -> Vec<Block> {
    let block = |why, about: &str, times| Block {
        whose: "3f0c6a1b92de".repeat(2),
        why,
        about: about.into(),
        since: 0,
        until: 300,
        times,
    };
    vec![
        block(Why::Attack, "<b>, traversal", 2),
        block(Why::Flood, "", 1),
        block(Why::SignIn, "", 1),
    ]
}

fn suspects() -> Vec<Suspect> {
    vec![Suspect {
        whose: "3f0c6a1b92de".repeat(2),
        points: 20,
        about: "scanner".into(),
    }]
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
        by_address: true,
        at: AT,
        by: Some(viewer().profile.id),
    }]
}
