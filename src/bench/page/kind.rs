//! Which pages are asked for.

use anyhow::Context as _;

use crate::bench::browser::Browser;

/// Pages alike, asked for in turn.
pub(super) struct Kind {
    pub(super) name: &'static str,
    addresses: Vec<String>,
}

impl Kind {
    pub(super) fn address(&self, number: u32) -> anyhow::Result<&str> {
        let place = usize::try_from(number)? % self.addresses.len().max(1);
        let address = self.addresses.get(place);
        Ok(address.with_context(|| format!("there is no {}", self.name))?)
    }
}

/// How many pages are turned over for those that lie deep.
const DEEP: usize = 100;
const SECTIONS: [&str; 2] = ["/forum/general", "/forum/requests"];
const MEMBERS: [&str; 4] = ["demo-0", "demo-3", "demo-7", "demo-9"];
const SORTED: [(&str, &str); 5] = [
    ("sorted_by_category", "category"),
    ("sorted_by_name", "name"),
    ("sorted_by_size", "size"),
    ("sorted_by_seeders", "seeders"),
    ("sorted_by_snatches", "snatches"),
];
const COMMON: [&str; 4] = ["linux", "archive", "debian+ubuntu", "film"];
const RARE: [&str; 4] = ["0000017", "0000333", "0000512", "0000777"];

/// Finds pages of every kind by following the site's own links.
pub(super) async fn all(browser: &mut Browser) -> anyhow::Result<Vec<Kind>> {
    let first = browser.get("/torrents").await?;
    let (mut deep, mut torrents) = (vec![], links(&first, "/torrents/"));
    let mut next = next_of(&first);
    while let Some(address) = next.filter(|_| deep.len() < DEEP) {
        let page = browser.get(&address).await?;
        torrents.extend(links(&page, "/torrents/"));
        next = next_of(&page);
        deep.push(address);
    }
    let mut topics = vec![];
    for section in SECTIONS {
        topics.extend(links(&browser.get(section).await?, "/forum/topics/"));
    }
    let mut kinds = vec![
        ("browse", vec!["/torrents".to_owned()]),
        ("browse_deep", deep.split_off(deep.len() / 2)),
        ("by_category", by("category", options(&first, "category"))),
        ("by_tag", by("tag", options(&first, "tag"))),
        ("by_uploader", by("uploader", MEMBERS)),
    ];
    for (name, column) in SORTED {
        let both = ["desc", "asc"].map(|dir| format!("/torrents?sort={column}&dir={dir}"));
        kinds.push((name, both.to_vec()));
    }
    kinds.extend([
        ("search_common", by("q", COMMON)),
        ("search_rare", by("q", RARE)),
        ("torrent", torrents),
        ("forum", vec!["/forum".to_owned()]),
        ("section", SECTIONS.map(str::to_owned).to_vec()),
        ("topic", topics),
        (
            "profile",
            MEMBERS.map(|name| format!("/members/{name}")).to_vec(),
        ),
        ("home", vec!["/".to_owned()]),
    ]);
    let kind = |(name, addresses)| Kind { name, addresses };
    Ok(kinds.into_iter().map(kind).collect())
}

/// Gives lists that a filter narrows.
fn by(filter: &str, values: impl IntoIterator<Item = impl std::fmt::Display>) -> Vec<String> {
    let values = values.into_iter();
    values
        .map(|value| format!("/torrents?{filter}={value}"))
        .collect()
}

/// Gives where the next page is.
fn next_of(page: &str) -> Option<String> {
    let link = page.split("rel=\"next\" href=\"").nth(1)?;
    Some(link.split('"').next()?.replace("&amp;", "&"))
}

/// Gives the links to things whose ids stand behind a path.
fn links(page: &str, path: &str) -> Vec<String> {
    let begins = format!("href=\"{path}");
    let ids = page
        .split(&begins)
        .skip(1)
        .filter_map(|rest| rest.get(..36));
    let ids = ids.filter(|id| uuid::Uuid::parse_str(id).is_ok());
    ids.map(|id| format!("{path}{id}")).collect()
}

/// Gives the values of a field that chooses.
fn options(page: &str, field: &str) -> Vec<String> {
    let field = format!("<select id=\"{field}\"");
    let choices = page.split(&field).nth(1).unwrap_or_default();
    let choices = choices.split("</select>").next().unwrap_or_default();
    let values = choices.split("value=\"").skip(1);
    let values = values.filter_map(|rest| rest.split('"').next());
    values
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
        .collect()
}
