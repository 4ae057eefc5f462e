//! Every page rendered from a sample, and what must hold of each.

use domain::amount::{Bytes, Seconds};
use domain::id::{CategoryId, CommandId, MemberId, TagId, TorrentId};
use domain::setting::Key;
use domain::site::{Freeleech, Registration};
use domain::tag::Colour;
use domain::torrent::Review;
use domain::user::Role;
use domain::{Actor, Fact, Meta, Position, Recorded};
use maud::Markup;
use projections::category::Category;
use projections::history::Events;
use projections::page::{Cursor, Page as Rows};
use projections::progress::Standing;
use projections::proof;
use projections::rebuild::Rebuilding;
use projections::site::Settings;
use projections::swarm::Count;
use projections::tag::Tag;
use projections::torrent::Detail;
use projections::torrent::list::Row;
use projections::traffic::{Line, Totals};
use projections::user::Profile;
use projections::viewer::Figures;
use time::OffsetDateTime;
use uuid::Uuid;

use super::layout::{Page, Theme, Viewer, document, problem_page};
use super::{
    audit, erasure, help, home, password, profile, register, settings, setup, sign_in, staff,
    torrent, torrents,
};
use crate::app::Site;
use crate::problem::Problem;
use crate::session::Session;

mod forum;
mod key;
mod member;
mod reports;
mod rules;
mod shelves;
mod transfer;
mod uploads;
mod vault;
mod version;

pub(super) use forum::post;
use rules::{check, texts};

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn site() -> Site {
    Site {
        name: "A & B".into(),
        source: "AB".into(),
        origins: vec!["http://localhost:3000".into()],
        announce: "http://localhost:8080/announce".into(),
        announce_also: vec![],
        work_bits: 20,
        trusted_proxies: vec![],
        asks_code: false,
        as_of: None,
        live: crate::app::Live::default(),
        iterations: 600_000,
    }
}

fn viewer() -> Viewer {
    let profile = Profile {
        id: MemberId(Uuid::from_u128(1)),
        name: "zoë_42".into(),
        role: Role::Administrator,
        roles: member::roles(),
        joined: AT,
        banned_until: Some(i64::MAX),
        proves_since: None,
        second_factor: true,
        erased: false,
    };
    Viewer {
        profile,
        figures: Figures {
            totals: totals(),
            unread: 3,
        },
        swarm: Count {
            seeders: 3,
            leechers: 1,
        },
        reports: 100,
        token: "00".repeat(16),
        dismissed: None,
    }
}

fn totals() -> Totals {
    let (uploaded, downloaded) = (Bytes(5 << 30), Bytes(1 << 30));
    Totals {
        uploaded,
        downloaded,
        charged: Bytes(1 << 29),
        credit: Bytes(1 << 30),
        seeded: Seconds(90_000),
        leeched: Seconds(61),
        snatches: 2,
        marks: 1,
    }
}

fn row() -> Row {
    Row {
        id: TorrentId(Uuid::from_u128(2)),
        name: "<b>A \"name\"</b>".into(),
        category: "movies".into(),
        category_name: "Movies".into(),
        uploader_name: "zoë_42".into(),
        uploaded_at: AT,
        size: Bytes(1 << 30),
        files: 2,
        tags: tags(),
        free_until: Some(i64::MAX),
        info_hash: "01".repeat(20),
        review: Some(Review::Waiting),
        snatches: 4,
        swarm: Count {
            seeders: 2,
            leechers: 1,
        },
    }
}

fn tree() -> Vec<Category> {
    let shelf = |slug: &str, depth| Category {
        id: CategoryId(Uuid::nil()),
        slug: slug.into(),
        name: slug.into(),
        depth,
        parent: None,
        rank: 0,
        retired: depth > 0,
    };
    vec![shelf("movies", 0), shelf("movies-hd", 1)]
}

fn tags() -> Vec<Tag> {
    let tag = |id, name: &str, retired| Tag {
        id: TagId(Uuid::from_u128(id)),
        name: name.into(),
        colour: Colour::Teal,
        rank: 1,
        retired,
    };
    vec![tag(70, "<b>remux</b>", false), tag(71, "old", true)]
}

fn detail() -> Detail {
    Detail {
        id: row().id,
        name: row().name,
        category: CategoryId(Uuid::nil()),
        category_name: "Movies".into(),
        description: "**bold** <script>alert(1)</script>".into(),
        uploader: viewer().profile.id,
        uploader_name: "zoë_42".into(),
        uploaded_at: AT,
        size: Bytes(10),
        files: 3,
        piece_length: Bytes(16_384),
        info_hash: "01".repeat(20),
        info_hash_v2: Some("02".repeat(32)),
        withdrawn: None,
        tags: tags(),
        review: Some(Review::ChangesAsked {
            reason: "<i>".into(),
        }),
        snatches: 1,
    }
}

fn site_settings() -> staff::settings::Shown {
    let change = projections::site::Change {
        key: Key::LeastRatio,
        value: Some("0.50".into()),
        at: AT,
        member: Some(viewer().profile.id),
    };
    staff::settings::Shown {
        changes: vec![change],
        names: names(),
        token: "00".into(),
        typed: vec![(Key::LeastRatio, "<b>".into(), Some("Not so.".into()))],
        alone: true,
        ..staff::settings::Shown::default()
    }
}

fn lines() -> Rows<Line> {
    let line = Line {
        torrent: row().id,
        name: row().name,
        client: "00".repeat(8),
        run: 0,
        uploaded: Bytes(1),
        downloaded: Bytes(2),
        charged: Bytes(1),
        left: Bytes(0),
        seeded: Seconds(3),
        leeched: Seconds(4),
        completed: true,
        first_at: AT,
        last_at: AT,
    };
    Rows {
        rows: vec![line],
        next: Some(Cursor("00".into())),
    }
}

/// The bodies of all pages, with what they look like when empty where that differs.
#[expect(clippy::too_many_lines, reason = "a list of all pages")]
fn bodies() -> Vec<(&'static str, Markup)> {
    let rows = |rows: Vec<Row>| torrents::Shown {
        asked: torrents::Asked {
            q: "a&b \"c\"".into(),
            ..torrents::Asked::default()
        },
        tree: tree(),
        rows: Rows {
            rows,
            next: Some(Cursor("00".into())),
        },
        tags: tags(),
        wrong: vec!["<b>".into()],
    };
    let session = Session {
        begun: 0,
        seen: 0,
        device: "Firefox on Linux".into(),
    };
    let announces = vec!["http://localhost:8080/announce?passkey=0".to_owned()];
    let sessions = vec![
        ("session:a".into(), session.clone()),
        ("session:b".into(), session),
    ];
    let standing = Standing {
        stopped: Some("event 3 tastes odd".into()),
        ..Standing::default()
    };
    let projected = staff::Projected {
        name: "torrent",
        standing,
        behind: 3,
        waits: 4_000,
        rebuilding: Some(Rebuilding::At {
            position: Position(3),
            of: Position(9),
        }),
    };
    let open = Settings {
        registration: Registration::Open,
        announcement: "*hello*".into(),
        ..Settings::default()
    };
    let own = viewer().profile;
    vec![
        (
            "home",
            home::body(
                &home::Home {
                    texts: texts(),
                    latest: vec![row()],
                    seeded: vec![row()],
                    forum: vec![forum::row()],
                },
                &viewer(),
            ),
        ),
        (
            "empty home",
            home::body(
                &home::Home {
                    texts: domain::setting::Settings::default(),
                    latest: vec![],
                    seeded: vec![],
                    forum: vec![],
                },
                &viewer(),
            ),
        ),
        ("torrents", torrents::body(&rows(vec![row()]))),
        ("no torrents", torrents::body(&rows(vec![]))),
        ("bookmarks", torrents::bookmarks::body(&rows(vec![row()]))),
        (
            "no bookmarks",
            torrents::bookmarks::body(&torrents::Shown::default()),
        ),
        (
            "profile",
            profile::body(&profile::Shown {
                profile: own,
                totals: totals(),
                swarm: Count::default(),
                uploads: vec![row()],
                uploaded: 1_000,
                here: Some(profile::here::Here::Nowhere),
                posts: vec![forum::hit()],
                own: true,
                sanctions: member::sanctions(),
                names: names(),
                may_sanction: Some("00".into()),
                handing: Some(staff::roles::Handing {
                    offered: member::roles(),
                    may: Role::Administrator.permissions(),
                    token: "00".into(),
                }),
                staff: Some(profile::Staff {
                    may_audit: true,
                    may_invite: true,
                    may_assign: true,
                    token: "00".into(),
                }),
            }),
        ),
        (
            "ledger",
            profile::ledger::body(&lines(), &totals(), Some(row().id)),
        ),
        (
            "settings",
            settings::body(&settings::Shown {
                announces,
                codes: true,
                keys: 1,
                sessions,
                current: "session:a".into(),
                token: "00".into(),
            }),
        ),
        ("passkey", settings::confirmation("00")),
        ("password", password::body("<b>", 600_000, 1)),
        ("recovery", password::back(600_000)),
        ("erasure", erasure::body(&member::leaving("<b>"))),
        (
            "another one's erasure",
            erasure::body(&member::leaving("bob")),
        ),
        (
            "staff",
            staff::body(&open, &[projected], &reports::dashboard(), "00"),
        ),
        (
            "settings of the site",
            staff::settings::body(&site_settings()),
        ),
        (
            "freeleech",
            staff::freeleech::body(Some(Freeleech { until: None }), "00"),
        ),
        (
            "audit",
            audit::body(&audit::Asked::default(), &history(), &names()),
        ),
        ("stream", audit::stream::body(&stream())),
        ("proof", audit::proof::body(Some(&proof()), "00")),
        ("no proof", audit::proof::body(None, "00")),
        ("help", help::index()),
        (
            "operator's guide",
            help::body(&help::text("operator").unwrap_or_default()),
        ),
        ("setup", setup::body(600_000, false)),
        ("setup from elsewhere", setup::body(600_000, true)),
        (
            "register",
            register::body(Registration::Open, "<b>", 600_000),
        ),
        ("closed", register::body(Registration::Closed, "", 600_000)),
        ("sign-in", sign_in::body(&sign_in::Asked::default())),
    ]
}

fn names() -> audit::Names {
    audit::Names::from([(viewer().profile.id, viewer().profile.name)])
}

fn history() -> Events {
    let withdrawn = domain::torrent::Event::TorrentWithdrawn {
        reason: Some("<i>".into()),
        by_staff: true,
    };
    let event = Recorded {
        position: Position(7),
        stream_type: "torrent".into(),
        stream_id: Uuid::from_u128(2),
        sequence: 2,
        at: AT,
        command: CommandId(Uuid::from_u128(3)),
        meta: Meta {
            actor: Actor::Member(viewer().profile.id),
            correlation: Uuid::nil(),
            causation: Some(Position(3)),
            reason: Some("<i>".into()),
        },
        fact: Fact::Torrent(Box::new(withdrawn)),
    };
    Events {
        events: vec![event],
        older: Some(Position(7)),
    }
}

fn proof() -> proof::Standing {
    proof::Standing::Done {
        verdict: proof::Verdict::Differs {
            event: Position(3),
            reason: "its content doesn't open".into(),
        },
        at: OffsetDateTime::UNIX_EPOCH,
        took: std::time::Duration::from_secs(3),
    }
}

fn stream() -> audit::stream::Shown {
    audit::stream::Shown {
        stream: format!("torrent-{}", Uuid::from_u128(2)),
        at: "7".into(),
        events: history().events,
        upto: Position(7),
        then: serde_json::json!({ "situation": "Offered", "name": "<b>" }),
        now: serde_json::json!({ "situation": "Withdrawn", "name": "<b>", "files": [] }),
        names: names(),
    }
}

#[test]
fn every_page_holds_to_the_rules() {
    let (site, viewer) = (site(), viewer());
    for (name, body) in bodies()
        .into_iter()
        .chain(key::bodies())
        .chain(uploads::bodies())
        .chain(shelves::bodies())
        .chain(vault::bodies())
        .chain(forum::bodies())
        .chain(member::bodies())
        .chain(transfer::bodies())
        .chain(reports::bodies())
    {
        for viewer in [None, Some(&viewer)] {
            let page = Page {
                title: name,
                site: &site,
                viewer,
                theme: Theme::Dark,
                section: "/",
            };
            check(name, &document(&page, &body).into_string());
        }
    }
    check(
        "problem",
        &problem_page(&site, Theme::System, &Problem::unavailable(), "0").into_string(),
    );
}

#[test]
fn what_members_write_is_shown_as_text() {
    let page = torrent::body(&uploads::one_torrent()).into_string();
    assert!(
        page.contains("&lt;b&gt;A &quot;name&quot;&lt;/b&gt;") && page.contains("&lt;one&gt;"),
        "{page}"
    );
    assert!(page.contains("&lt;u&gt;Friends</span>"), "{page}");
}
