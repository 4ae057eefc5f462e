//! What the address of a list asks for.

use domain::id::MemberId;
use domain::setting;
use domain::user::Name;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::category::Category;
use projections::page::Cursor;
use projections::torrent::list::{Column, Sort, Wanted};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;

/// The columns by which the list can be sorted, with the words of the address and the head.
pub(super) const COLUMNS: [(Column, &str, &str); 7] = [
    (Column::Category, "category", "Category"),
    (Column::Name, "name", "Name"),
    (Column::Size, "size", "Size"),
    (Column::Added, "added", "Added"),
    (Column::Seeders, "seeders", "Seeders"),
    (Column::Leechers, "leechers", "Leechers"),
    (Column::Snatches, "snatches", "Snatches"),
];

/// Within how many days something was uploaded.
pub(super) const AGES: [(&str, &str); 5] = [
    ("1", "a day"),
    ("7", "a week"),
    ("30", "a month"),
    ("90", "three months"),
    ("365", "a year"),
];

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) q: String,
    pub(crate) category: String,
    pub(crate) tag: String,
    pub(crate) uploader: String,
    pub(crate) least: String,
    pub(crate) most: String,
    pub(crate) age: String,
    pub(crate) seeds: String,
    pub(crate) free: String,
    pub(crate) sort: String,
    pub(crate) dir: String,
    pub(crate) from: String,
    /// Whether the list is the member's bookmarks.
    #[serde(skip)]
    pub(crate) bookmarks: bool,
}

/// What was read of an address.
pub(crate) struct Read {
    pub(crate) wanted: Wanted,
    /// What can't be.
    pub(crate) wrong: Vec<String>,
}

impl Asked {
    pub(super) fn sort(&self) -> Sort {
        sort(&self.q, &self.sort, &self.dir)
    }

    /// Each filter with what it says.
    fn filters(&self) -> [(&'static str, &str); 9] {
        [
            ("q", &self.q),
            ("category", &self.category),
            ("tag", &self.tag),
            ("uploader", &self.uploader),
            ("least", &self.least),
            ("most", &self.most),
            ("age", &self.age),
            ("seeds", &self.seeds),
            ("free", &self.free),
        ]
    }

    /// Tells whether nothing narrows the list.
    pub(super) fn is_anything(&self) -> bool {
        self.filters()
            .iter()
            .all(|(_, value)| value.trim().is_empty())
    }

    /// Tells whether a filter is set that is asked for less often.
    pub(super) fn is_narrow(&self) -> bool {
        let mut rest = self.filters().into_iter().skip(2);
        rest.any(|(_, value)| !value.is_empty())
    }

    /// Writes the address of the same question with another sort or another page.
    pub(super) fn address(&self, sort: &str, dir: &str, from: Option<&Cursor>) -> String {
        let from = from.map_or("", |cursor| cursor.0.as_str());
        let place = [("sort", sort), ("dir", dir), ("from", from)];
        let path = if self.bookmarks {
            "/bookmarks"
        } else {
            "/torrents"
        };
        written(path, self.filters().into_iter().chain(place))
    }

    /// Writes the address at which the same question becomes a feed.
    pub(super) fn feed(&self) -> String {
        written("/settings/feeds", self.filters().into_iter())
    }

    /// Writes the filters alone, to stand in an address.
    pub(crate) fn query(&self) -> String {
        let address = written("", self.filters().into_iter());
        address.trim_start_matches('?').to_owned()
    }

    /// Reads what is wanted, and what can't be.
    pub(crate) async fn read(&self, app: &App, tree: &[Category]) -> Result<Read, Problem> {
        let mut wrong = vec![];
        let mut size = |text: &str| {
            let read = setting::bytes(text);
            if read.is_none() && !text.trim().is_empty() {
                wrong.push(format!(
                    "{text} is no size. Write it as 700 MiB or 4.5 GiB."
                ));
            }
            read
        };
        let sizes = (size(&self.least), size(&self.most));
        let shelf = tree.iter().find(|one| one.slug == self.category);
        if shelf.is_none() && !self.category.is_empty() {
            wrong.push("There is no such category.".to_owned());
        }
        let now = OffsetDateTime::now_utc();
        let known = AGES.iter().any(|(days, _)| *days == self.age);
        let days: Option<i64> = self.age.parse().ok().filter(|_| known);
        let everywhere = app.site.live.get().freeleech;
        let moment = now.unix_timestamp();
        let all_free = everywhere.is_some_and(|freeleech| freeleech.holds(moment));
        let uploader = match self.uploader.trim() {
            "" => None,
            name => Some(uploader(app, name, &mut wrong).await?),
        };
        let words = Some(self.q.clone()).filter(|words| !words.trim().is_empty());
        let wanted = Wanted {
            words,
            // What isn't there has nothing in it.
            categories: match (shelf, self.category.is_empty()) {
                (Some(shelf), _) => vec![shelf.id],
                (None, true) => vec![],
                (None, false) => vec![domain::id::CategoryId(Uuid::nil())],
            },
            tag: match self.tag.as_str() {
                "" => None,
                tag => Some(tag.parse().unwrap_or(domain::id::TagId(Uuid::nil()))),
            },
            uploader,
            size: sizes,
            since: days.map(|days| now - Duration::days(days)),
            free_at: (self.free == "yes" && !all_free).then_some(moment),
            seeded: match self.seeds.as_str() {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            },
            sort: self.sort(),
            from: Some(Cursor(self.from.clone())).filter(|cursor| !cursor.0.is_empty()),
            ..Wanted::default()
        };
        Ok(Read { wanted, wrong })
    }
}

/// Finds a member; nobody has uploaded what a name that is nobody's did.
async fn uploader(app: &App, name: &str, wrong: &mut Vec<String>) -> Result<MemberId, Problem> {
    let found = match Name::parse(name) {
        Ok(name) => projections::user::named(&app.reads, &name).await?,
        Err(_) => None,
    };
    if found.is_none() {
        wrong.push(format!("There is no member {name}."));
    }
    Ok(found.map_or(MemberId(Uuid::nil()), |profile| profile.id))
}

fn written<'a>(path: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let said = pairs.filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = said
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

/// Reads by which column to sort; without a name the best fit or the newest is first.
pub(crate) fn sort(words: &str, name: &str, dir: &str) -> Sort {
    let named = COLUMNS.iter().find(|(_, one, _)| *one == name);
    let without = if words.trim().is_empty() {
        Column::Added
    } else {
        Column::Relevance
    };
    Sort {
        by: named.map_or(without, |(column, _, _)| *column),
        ascending: dir == "asc",
    }
}
