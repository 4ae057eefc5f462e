//! The pages about one torrent, and those that wait.

use domain::Actor;
use domain::amount::Bytes;
use domain::comment::wording::Wording;
use domain::id::CommentId;
use domain::site::Freeleech;
use domain::torrent::File;
use domain::user::Role;
use maud::Markup;
use projections::comment::{Comment, Removed};
use projections::page::{Cursor, Page as Rows};
use projections::swarm::{Count, Peer};
use projections::torrent::queue::Row as Held;
use projections::torrent::withdrawal::Withdrawal;
use uuid::Uuid;

use super::version::versions;
use super::{AT, detail, member, names, row, tags, tree, viewer};
use crate::web::forum::compose::Draft as Written;
use crate::web::upload::Draft;
use crate::web::{queue, torrent, upload};

pub(super) fn one_torrent() -> torrent::Shown {
    let file = |path: &str| File {
        path: path.into(),
        size: Bytes(5),
    };
    let client = "Transmission 3.00".to_owned();
    let peer = Peer {
        member: viewer().profile.id,
        client,
        left: 3,
        uploaded: 1,
        downloaded: 2,
        idle: 70,
    };
    torrent::Shown {
        detail: detail(),
        files: vec![file("folder/<one>"), file("two")],
        swarm: Count {
            seeders: 250,
            leechers: 2,
        },
        peers: vec![("zoë_42".into(), peer)],
        may_change: true,
        may_review: true,
        token: "00".into(),
        may_audit: true,
        free: Some(Freeleech { until: Some(9) }),
        may_free: true,
        bookmarked: true,
        comments: comments(),
    }
}

fn edit() -> torrent::edit::Shown {
    torrent::edit::Shown {
        torrent: row().id,
        name: row().name,
        draft: draft(),
        token: "00".into(),
        error: Some("Too long.".into()),
    }
}

fn draft() -> Draft {
    Draft {
        tree: tree(),
        tags: tags(),
        category: "movies".into(),
        description: detail().description,
        chosen: tags().into_iter().map(|tag| tag.id).collect(),
        preview: true,
    }
}

fn one_comment(removed: Option<Removed>) -> Comment {
    Comment {
        id: CommentId(Uuid::from_u128(80 + u128::from(removed.is_some()))),
        torrent: row().id,
        author: viewer().profile.id,
        author_name: "zoë_42".into(),
        role: Some(Role::Moderator),
        own_roles: member::roles(),
        text: "*thanks* <script>alert(1)</script>".into(),
        at: AT,
        edited_at: Some(AT),
        removed,
        position: 3,
    }
}

fn comments() -> torrent::comment::Shown {
    torrent::comment::Shown {
        rows: Rows {
            rows: vec![one_comment(None), one_comment(Some(Removed::ByStaff))],
            next: Some(Cursor("00".into())),
        },
        count: 1,
        looks: torrent::comment::Looks {
            member: None,
            is_staff: true,
        },
        draft: Some(written()),
        later: true,
        ..torrent::comment::Shown::default()
    }
}

fn written() -> Written {
    Written {
        text: "<b>".into(),
        error: Some("Too long.".into()),
        nonce: "00".into(),
        token: "00".into(),
        ..Written::default()
    }
}

fn wordings() -> Vec<Wording> {
    let wording = |number, text: &str| Wording {
        number,
        at: AT,
        by: Actor::Member(viewer().profile.id),
        text: text.into(),
    };
    vec![wording(1, "old <b>"), wording(2, "new <b>")]
}

fn review() -> torrent::review::Shown {
    torrent::review::Shown {
        detail: detail(),
        reason: "<b>".into(),
        token: "00".into(),
        error: Some("Say why.".into()),
    }
}

fn withdrawal() -> Withdrawal {
    Withdrawal {
        by_staff: true,
        reason: Some("<u>".into()),
    }
}

fn withdrawn() -> torrent::Shown {
    let mut shown = one_torrent();
    shown.detail.withdrawn = Some(withdrawal());
    shown
}

fn held(some: bool) -> Rows<Held> {
    let one = Held {
        id: row().id,
        name: row().name,
        category_name: "Movies".into(),
        uploader_name: "zoë_42".into(),
        uploaded_at: AT,
        size: Bytes(1),
        withdrawn: None,
        review: detail().review,
    };
    let gone = Held {
        withdrawn: Some(withdrawal()),
        ..one.clone()
    };
    Rows {
        rows: some.then_some([one, gone]).into_iter().flatten().collect(),
        next: some.then(|| Cursor("00".into())),
    }
}

/// The bodies of the pages.
pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    vec![
        ("torrent", torrent::body(&one_torrent())),
        ("withdrawn", torrent::body(&withdrawn())),
        ("withdraw", torrent::confirmation(&detail(), "00")),
        ("edit", torrent::edit::body(&edit())),
        ("review", torrent::review::body(&review())),
        (
            "comment",
            torrent::comment::compose_body(&detail(), "/comments/0/edit", "Edit", &written()),
        ),
        (
            "what a comment said",
            torrent::comment::history_body(&detail(), &one_comment(None), &wordings(), &names()),
        ),
        (
            "remove a comment",
            torrent::comment::confirmation(&detail(), &one_comment(None), "00"),
        ),
        ("queue", queue::waiting_body(&held(true), "00")),
        ("empty queue", queue::waiting_body(&held(false), "00")),
        ("uploads", queue::uploads_body(&held(true))),
        ("no uploads", queue::uploads_body(&held(false))),
        ("versions", torrent::version::list_body(&versions())),
        (
            "version",
            torrent::version::one_body(&versions(), 1, "00").unwrap_or_default(),
        ),
        (
            "upload",
            upload::body(&upload::Shown {
                draft: draft(),
                error: Some(maud::html! { "wrong" }),
                ..upload::Shown::default()
            }),
        ),
        ("uploaded", upload::changed(row().id)),
    ]
}
