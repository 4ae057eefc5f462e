//! Torznab, as Prowlarr, Sonarr, Radarr and cross-seed ask it: capabilities and searches.

use std::collections::HashMap;
use std::fmt::Write as _;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::id::CategoryId;
use projections::category::{Category, tree};
use projections::torrent::list::{self, Row, Sort, Wanted};
use uuid::Uuid;

use super::xml::{Channel, channel, escaped};
use super::{MOST_ROWS, ROWS, is_all_free, limit, reader, xml};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};

/// The most rows that are passed by: who wants more asks more narrowly.
const FARTHEST: i64 = 10_000;
/// Where the site's own numbers of categories begin.
const OWN: u32 = 100_000;

/// Gives the routes; tools put `/api` behind what they are given.
pub(super) fn routes() -> Routes {
    Routes::new().get("/api/torznab", Who::Anyone, answer).get(
        "/api/torznab/api",
        Who::Anyone,
        answer,
    )
}

/// The standard numbers of the categories that a site starts with.
const STANDARD: [(&str, u32); 19] = [
    ("movies", 2000),
    ("movies-hd", 2040),
    ("movies-uhd", 2045),
    ("tv", 5000),
    ("tv-hd", 5040),
    ("tv-uhd", 5045),
    ("tv-anime", 5070),
    ("audio", 3000),
    ("audio-lossless", 3040),
    ("audio-books", 3030),
    ("software", 4000),
    ("software-linux", 4020),
    ("games", 4050),
    ("games-pc", 4050),
    ("games-console", 1000),
    ("books", 7000),
    ("books-e", 7020),
    ("books-comics", 7030),
    ("other", 8000),
];

fn standard(slug: &str) -> Option<u32> {
    let found = STANDARD.iter().find(|(known, _)| *known == slug);
    found.map(|(_, number)| *number)
}

/// A category's standard number, that of the one above it where it has none, and its own.
fn numbers(category: &Category, tree: &[Category]) -> [u32; 2] {
    let above = tree.iter().find(|one| Some(one.id) == category.parent);
    let of_above = above.and_then(|above| standard(&above.slug));
    let number = standard(&category.slug).or(of_above).unwrap_or(8000);
    [number, own(category.id)]
}

fn own(id: CategoryId) -> u32 {
    let number = u32::try_from(id.0.as_u128() % u128::from(OWN)).unwrap_or(0);
    OWN + number
}

type Asked = HashMap<String, String>;

async fn answer(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let of = |name: &str| asked.get(name).map_or("", String::as_str);
    let tree = tree(&app.reads).await?;
    let kind = of("t");
    if kind == "caps" {
        return Ok(told(StatusCode::OK, capabilities(&app, &tree)));
    }
    if !matches!(
        kind,
        "search" | "tvsearch" | "movie" | "music" | "book" | "audio"
    ) {
        let (code, text) = if kind.is_empty() {
            (200, "Missing parameter (t)")
        } else {
            (202, "No such function")
        };
        return Ok(error(StatusCode::BAD_REQUEST, code, text));
    }
    let Some(reader) = reader(&app, of("apikey")).await? else {
        let text = "Incorrect user credentials";
        return Ok(error(StatusCode::UNAUTHORIZED, 100, text));
    };
    let wanted = match wanted(&asked, &tree) {
        Ok(wanted) => wanted,
        Err(parameter) => {
            let text = format!("Incorrect parameter ({parameter})");
            return Ok(error(StatusCode::BAD_REQUEST, 201, &text));
        }
    };
    let rows = list::list(&app.reads, &wanted, app.swarms.as_ref()).await?;
    let met = wanted.skip + i64::try_from(rows.rows.len()).unwrap_or(0);
    let number = |row: &Row| {
        let shelf = tree.iter().find(|one| one.slug == row.category)?;
        Some(numbers(shelf, &tree))
    };
    let text = channel(&Channel {
        title: &app.site.name(),
        origin: app.site.origin(),
        key: reader.key.reveal(),
        rows: &rows.rows,
        all_free: is_all_free(&app),
        category: &number,
        response: Some((wanted.skip, met + i64::from(rows.next.is_some()))),
    });
    Ok(told(StatusCode::OK, text))
}

/// Reads what is wanted; otherwise names the parameter that can't be.
fn wanted(asked: &Asked, tree: &[Category]) -> Result<Wanted, &'static str> {
    let of = |name: &str| asked.get(name).map_or("", |value| value.trim());
    let limit = match of("limit") {
        // Tools ask for more than there may be, and take what they get.
        text if text.parse().is_ok_and(|limit: i64| limit > MOST_ROWS) => MOST_ROWS,
        text => limit(text).ok_or("limit")?,
    };
    let skip = match of("offset") {
        "" => 0,
        text => text.parse().map_err(|_| "offset")?,
    };
    if !(0..=FARTHEST).contains(&skip) {
        return Err("offset");
    }
    let words = [of("q").to_owned(), episode(of("season"), of("ep"))?];
    let words = words.join(" ").trim().to_owned();
    // Ids of other sites are known of no torrent, so what asks by them alone finds none.
    let foreign = ["imdbid", "tmdbid", "tvdbid", "tvmazeid", "rid"];
    let nothing = words.is_empty() && foreign.iter().any(|name| !of(name).is_empty());
    let mut categories = categories(of("cat"), tree)?;
    if nothing {
        categories = vec![CategoryId(Uuid::nil())];
    }
    Ok(Wanted {
        words: Some(words).filter(|words| !words.is_empty()),
        categories,
        sort: Sort::default(),
        limit,
        skip,
        ..Wanted::default()
    })
}

/// Writes a season and an episode as names of torrents do.
fn episode(season: &str, episode: &str) -> Result<String, &'static str> {
    if season.is_empty() {
        return Ok(String::new());
    }
    // A year with a day, as daily shows have it.
    if let (4, Some((month, day))) = (season.len(), episode.split_once('/')) {
        return Ok(format!("{season} {month} {day}"));
    }
    let season: u32 = season
        .trim_start_matches(['S', 's'])
        .parse()
        .map_err(|_| "season")?;
    if episode.is_empty() {
        return Ok(format!("S{season:02}"));
    }
    let episode: u32 = episode.parse().map_err(|_| "ep")?;
    Ok(format!("S{season:02}E{episode:02}"))
}

/// Finds the categories of some numbers; nothing stands in those that aren't there.
fn categories(text: &str, tree: &[Category]) -> Result<Vec<CategoryId>, &'static str> {
    if text.is_empty() {
        return Ok(vec![]);
    }
    let mut wanted: Vec<u32> = vec![];
    for number in text.split(',').map(str::trim) {
        wanted.push(number.parse().map_err(|_| "cat")?);
    }
    let fits = |category: &&Category| {
        let [number, own] = numbers(category, tree);
        // A number of whole thousands stands for all below it.
        wanted.iter().any(|one| {
            *one == own || *one == number || one.is_multiple_of(1000) && number / 1000 == one / 1000
        })
    };
    let mut found: Vec<CategoryId> = tree.iter().filter(fits).map(|one| one.id).collect();
    if found.is_empty() {
        found.push(CategoryId(Uuid::nil()));
    }
    Ok(found)
}

fn capabilities(app: &App, tree: &[Category]) -> String {
    let mut to = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<caps>\n");
    let _written = writeln!(
        to,
        "<server title=\"{}\" url=\"{}\"/>\n<limits max=\"{MOST_ROWS}\" default=\"{ROWS}\"/>\n<searching>",
        escaped(&app.site.name()),
        escaped(app.site.origin())
    );
    for (kind, parameters) in [
        ("search", "q"),
        ("tv-search", "q,season,ep"),
        ("movie-search", "q"),
        ("music-search", "q"),
        ("audio-search", "q"),
        ("book-search", "q"),
    ] {
        let _written = writeln!(
            to,
            "<{kind} available=\"yes\" supportedParams=\"{parameters}\"/>"
        );
    }
    to.push_str("</searching>\n<categories>\n");
    for category in tree.iter().filter(|one| one.depth == 0) {
        let [number, own] = numbers(category, tree);
        let name = escaped(&category.name);
        let _written = writeln!(to, "<category id=\"{number}\" name=\"{name}\">");
        let _written = writeln!(to, "<subcat id=\"{own}\" name=\"{name}\"/>");
        for below in tree.iter().filter(|one| one.parent == Some(category.id)) {
            let name = escaped(&below.name);
            for id in numbers(below, tree).into_iter().filter(|id| *id != number) {
                let _written = writeln!(to, "<subcat id=\"{id}\" name=\"{name}\"/>");
            }
        }
        to.push_str("</category>\n");
    }
    to.push_str("</categories>\n</caps>\n");
    to
}

fn told(status: StatusCode, text: String) -> Response {
    xml(status, "application/xml; charset=utf-8", text)
}

fn error(status: StatusCode, code: u16, text: &str) -> Response {
    let text = escaped(text);
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error code=\"{code}\" description=\"{text}\"/>\n"
    );
    told(status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Vec<Category> {
        let seeded = domain::category::seeded().into_iter();
        seeded
            .map(|(id, shelf)| Category {
                id,
                depth: i32::from(shelf.parent.is_some()),
                slug: shelf.slug,
                name: shelf.name,
                parent: shelf.parent,
                rank: shelf.rank,
                retired: false,
            })
            .collect()
    }

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn seasons_and_episodes_are_words_of_names() {
        let words = |season, ep| {
            let asked = asked(&[("q", "Llama"), ("season", season), ("ep", ep)]);
            wanted(&asked, &[]).map(|wanted| wanted.words.unwrap())
        };
        assert_eq!(words("1", "2"), Ok("Llama S01E02".to_owned()));
        assert_eq!(words("00", ""), Ok("Llama S00".to_owned()));
        assert_eq!(words("2026", "11/26"), Ok("Llama 2026 11 26".to_owned()));
        assert_eq!(words("one", ""), Err("season"));
    }

    #[test]
    fn numbers_name_categories_and_thousands_all_below_them() {
        let tree = tree();
        let slugs = |numbers: &str| -> Vec<String> {
            let found = categories(numbers, &tree).unwrap();
            let some = tree.iter().filter(|one| found.contains(&one.id));
            some.map(|one| one.slug.clone()).collect()
        };
        assert_eq!(slugs("5070"), ["tv-anime"]);
        assert_eq!(slugs("2000"), ["movies", "movies-hd", "movies-uhd"]);
        assert_eq!(slugs("2040,7030"), ["movies-hd", "books-comics"]);
        assert!(slugs("6000").is_empty());
        let own = own(tree[3].id).to_string();
        assert!(slugs(&own).contains(&"tv".to_owned()));
        assert!(categories("x", &tree).is_err());
    }

    #[test]
    fn what_asks_by_a_foreign_id_alone_finds_nothing_rather_than_everything() {
        let found = wanted(&asked(&[("imdbid", "tt123")]), &tree()).unwrap();
        assert_eq!(found.categories, [CategoryId(Uuid::nil())]);
        let found = wanted(&asked(&[("imdbid", "tt123"), ("q", "llama")]), &tree()).unwrap();
        assert_eq!(found.categories, []);
    }

    #[test]
    fn limits_and_offsets_hold_to_theirs() {
        let limits = |text| wanted(&asked(&[("limit", text)]), &[]).map(|wanted| wanted.limit);
        assert_eq!(limits(""), Ok(50));
        assert_eq!(limits("1000"), Ok(100));
        for wrong in ["0", "-1", "x"] {
            assert_eq!(limits(wrong), Err("limit"), "{wrong}");
        }
        for wrong in ["-1", "10001", "x"] {
            assert_eq!(
                wanted(&asked(&[("offset", wrong)]), &[]).err(),
                Some("offset")
            );
        }
    }
}
