//! The versions of a torrent's page.

use domain::id::CategoryId;
use domain::torrent::Edit;
use domain::torrent::version::Version;
use domain::{Actor, Position};
use uuid::Uuid;

use super::{AT, names, row, tags, tree, viewer};
use crate::web::torrent;

pub(super) fn versions() -> torrent::version::Shown {
    let version = |number, description: &str| Version {
        number,
        position: Position(0),
        at: AT,
        by: Actor::Member(viewer().profile.id),
        brings_back: (number > 1).then_some(1),
        said: Edit {
            category: CategoryId(Uuid::nil()),
            description: description.into(),
            tags: (number > 1)
                .then(|| tags().into_iter().map(|tag| tag.id))
                .into_iter()
                .flatten()
                .collect(),
        },
    };
    torrent::version::Shown {
        torrent: row().id,
        name: row().name,
        versions: vec![version(1, "old\nsame"), version(2, "<script>alert\nsame")],
        tree: tree(),
        tags: tags(),
        names: names(),
        may_change: true,
    }
}
