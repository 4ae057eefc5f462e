//! The forum's pages.

use domain::id::{PostId, SectionId, TopicId};
use domain::section::Board;
use domain::user::Role;
use maud::Markup;
use projections::page::{Cursor, Page};
use projections::section::{Latest, Section};
use projections::topic::list::{Hit, Row};
use projections::topic::page::{Head, Post, Removed, Wording};
use uuid::Uuid;

use super::{AT, member, viewer};
use crate::web::forum::compose::Draft;
use crate::web::forum::{self, Seen, post as posts, search, section as of_section, topic};
use crate::web::markdown::Known;
use crate::web::staff::sections;

fn section(retired: bool) -> Section {
    Section {
        id: SectionId(Uuid::from_u128(20)),
        slug: "general".into(),
        board: Board {
            name: "<b>General</b>".into(),
            description: "Talk about anything.".into(),
            staff_only: true,
        },
        rank: 1,
        retired,
        topics: 1,
        posts: 30,
        latest: (!retired).then(|| Latest {
            topic: TopicId(Uuid::from_u128(21)),
            title: "<i>Title</i>".into(),
            post: PostId(Uuid::from_u128(22)),
            by_name: viewer().profile.name,
            at: AT,
            activity: 9,
        }),
    }
}

pub(super) fn row() -> Row {
    Row {
        id: TopicId(Uuid::from_u128(21)),
        title: "<i>Title</i>".into(),
        section: "general".into(),
        section_name: "General".into(),
        author_name: viewer().profile.name,
        opened_at: AT,
        pinned: true,
        locked: true,
        posts: 30,
        last_post: PostId(Uuid::from_u128(22)),
        last_name: viewer().profile.name,
        last_at: AT,
        activity: 9,
    }
}

pub(super) fn hit() -> Hit {
    Hit {
        post: PostId(Uuid::from_u128(22)),
        title: "<i>Title</i>".into(),
        section_name: "General".into(),
        author_name: viewer().profile.name,
        at: AT,
        text: "> quoted\n\nwords <script>".into(),
    }
}

fn removed() -> Removed {
    Removed {
        by_staff: true,
        by_name: viewer().profile.name,
        reason: Some("<spam>".into()),
    }
}

fn head(gone: bool) -> Head {
    Head {
        id: TopicId(Uuid::from_u128(21)),
        title: "<i>Title</i>".into(),
        section: section(false).id,
        slug: "general".into(),
        section_name: "General".into(),
        staff_only: true,
        author: viewer().profile.id,
        pinned: true,
        locked: true,
        removed: gone.then(removed),
        posts: 300,
        last_post: PostId(Uuid::from_u128(22)),
    }
}

pub(in crate::web) fn post(number: i32) -> Post {
    Post {
        id: PostId(Uuid::from_u128(u128::from(number.unsigned_abs()) + 100)),
        topic: head(false).id,
        number,
        author: viewer().profile.id,
        author_name: viewer().profile.name,
        role: Some(Role::Moderator),
        own_roles: member::roles(),
        at: AT,
        position: 9,
        text: "**bold** <script>alert(1)</script> @zoë_42".into(),
        version: 2,
        edited_at: Some(AT),
        removed: (number == 3).then(removed),
    }
}

fn draft() -> Draft {
    Draft {
        title: Some("<b>".into()),
        text: "<script>alert(1)".into(),
        preview: Some(maud::html! { p { "so" } }),
        error: Some("Too long.".into()),
        nonce: "00".into(),
        token: "00".into(),
    }
}

fn one_topic(gone: bool) -> topic::Shown {
    topic::Shown {
        head: head(gone),
        posts: vec![post(1), post(2), post(3)],
        page: 4,
        known: Known::from([("zoë_42".into(), "zoë_42".into())]),
        looks: posts::Looks {
            member: viewer().profile.id,
            is_staff: true,
            locked: true,
        },
        sections: vec![section(false)],
        may_audit: true,
        draft: (!gone).then(|| Draft {
            title: None,
            ..draft()
        }),
    }
}

fn sections_of(sections: Vec<Section>) -> forum::Shown {
    forum::Shown {
        sections,
        seen: Seen::nothing(),
        may_administer: true,
        token: "00".into(),
    }
}

fn topics_of(section: Section, rows: Vec<Row>) -> of_section::Shown {
    let next = rows.first().map(|_| Cursor("7b".into()));
    of_section::Shown {
        section,
        topics: Page { rows, next },
        seen: Seen::nothing(),
    }
}

pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    let mut all = of_lists();
    all.extend(of_posts());
    all.extend(of_sections());
    all
}

fn of_lists() -> Vec<(&'static str, Markup)> {
    let both = vec![section(false), section(true)];
    let asked = |q: &str| search::Asked {
        q: q.into(),
        ..search::Asked::default()
    };
    let hits = |rows: Vec<Hit>| Page {
        next: rows.first().map(|_| Cursor("7b".into())),
        rows,
    };
    let found = |q, rows| search::body(&asked(q), &hits(rows));
    let listed = |retired, rows| of_section::body(&topics_of(section(retired), rows));
    vec![
        ("forum", forum::body(&sections_of(both))),
        ("no forum", forum::body(&sections_of(vec![]))),
        ("section", listed(false, vec![row()])),
        ("empty section", listed(true, vec![])),
        ("forum search", found("", vec![])),
        ("forum found", found("<b>", vec![hit()])),
        ("forum found nothing", found("<b>", vec![])),
    ]
}

fn of_posts() -> Vec<(&'static str, Markup)> {
    let wording = |version, text: &str| Wording {
        version,
        by_name: viewer().profile.name,
        at: AT,
        text: text.into(),
    };
    let wordings = [wording(1, "old <b>"), wording(2, "new <b>")];
    let (head, draft) = (head(false), draft());
    let opening = |retired| of_section::compose_body(&section(retired), &draft);
    let removal = |number| posts::confirmation(&head, &post(number), "00");
    vec![
        ("open a topic", opening(false)),
        ("open none", opening(true)),
        ("topic", topic::body(&one_topic(false), "00")),
        ("removed topic", topic::body(&one_topic(true), "00")),
        ("answer", topic::compose_body(&head, &draft)),
        (
            "edit a post",
            posts::compose_body(&head, post(2).id, &draft),
        ),
        ("wordings", posts::history_body(&head, &post(2), &wordings)),
        ("remove a post", removal(2)),
        ("remove a topic", removal(1)),
    ]
}

fn of_sections() -> Vec<(&'static str, Markup)> {
    let wrong = sections::Draft {
        error: Some("Not so.".into()),
        ..sections::Draft::default()
    };
    let both = [section(false), section(true)];
    let one = |retired| sections::one_body(&section(retired), &wrong, "00");
    vec![
        ("sections", sections::body(&both, &wrong, "00")),
        ("no sections", sections::body(&[], &wrong, "00")),
        ("change a section", one(false)),
        ("reopen a section", one(true)),
        (
            "retire a section",
            sections::confirmation(&section(false), "00"),
        ),
    ]
}
