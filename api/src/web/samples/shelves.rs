//! Categories, tags and feeds.

use maud::Markup;

use super::{tags, tree};
use crate::web::feed::key;
use crate::web::staff::{categories, tags as of_tags};

/// The bodies of the pages.
pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    let (tree, tags) = (tree(), tags());
    let category = categories::Draft {
        error: Some("Not so.".into()),
        ..categories::Draft::default()
    };
    let tag = of_tags::Draft {
        name: "<b>".into(),
        error: Some("Not so.".into()),
        ..of_tags::Draft::default()
    };
    let mut pages = vec![
        ("categories", categories::body(&tree, &category, "00")),
        ("no categories", categories::body(&[], &category, "00")),
        ("tags", of_tags::body(&tags, &tag, "00")),
        ("no tags", of_tags::body(&[], &tag, "00")),
        ("no feed key", key::body(&key::Shown::default())),
        ("feed key", key::confirmation("00")),
    ];
    for one in &tree {
        pages.push((
            "category",
            categories::one_body(one, &tree, &category, "00"),
        ));
        pages.push(("retire a category", categories::confirmation(one, "00")));
    }
    for one in &tags {
        pages.push(("tag", of_tags::one_body(one, &tag, "00")));
        pages.push(("retire a tag", of_tags::confirmation(one, "00")));
    }
    let feeds = key::Shown {
        origin: "http://localhost:3000".into(),
        key: Some("00".repeat(16)),
        search: "q=a%26b".into(),
        tree,
        token: "00".into(),
    };
    pages.push(("feeds", key::body(&feeds)));
    pages
}
