//! What must hold of each page.

use std::collections::HashSet;

use domain::setting::{Key, Settings, Value};

/// The values of an attribute.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    html.split(start.as_str())
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

/// Checks what must hold of a page.
pub(super) fn check(name: &str, html: &str) {
    for forbidden in [
        " style=",
        "javascript:",
        " onclick=",
        " onload=",
        " onerror=",
        "<script>alert",
    ] {
        assert!(!html.contains(forbidden), "{name} has {forbidden}");
    }
    assert_eq!(html.matches("<h1").count(), 1, "{name} has one heading");
    assert_eq!(
        html.matches("<table").count(),
        html.matches("<caption").count(),
        "{name}: tables have captions"
    );
    let ids = values(html, "id");
    assert_eq!(
        ids.len(),
        ids.iter().collect::<HashSet<_>>().len(),
        "{name}: ids are unique: {ids:?}"
    );
    let labelled: HashSet<&str> = values(html, "for").into_iter().collect();
    for tag in ["<input ", "<select ", "<textarea "] {
        for field in html
            .split(tag)
            .skip(1)
            .filter_map(|rest| rest.split('>').next())
        {
            let field = format!(" {field}");
            let named = values(&field, "id").iter().any(|id| labelled.contains(id));
            assert!(
                named || field.contains("type=\"hidden\""),
                "{name}: unlabelled {field}"
            );
        }
    }
    let described = values(html, "aria-describedby");
    for described in described.iter().flat_map(|ids| ids.split(' ')) {
        assert!(
            ids.contains(&described),
            "{name}: {described} describes nothing"
        );
    }
}

/// Texts of the first page.
pub(super) fn texts() -> Settings {
    let mut texts = Settings::default();
    for key in [Key::HeroTitle, Key::Feature2Text, Key::Rules] {
        texts.set(key, Some(Value::Text("<b>text</b>".into())));
    }
    texts
}
