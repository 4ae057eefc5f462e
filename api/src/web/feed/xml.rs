//! Feeds as XML: RSS 2.0 with the attributes of Torznab.

use std::fmt::Write as _;

use projections::torrent::list::Row;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::page_of;

/// What a feed is made of.
pub(super) struct Channel<'a> {
    pub(super) title: &'a str,
    /// Where the site is found.
    pub(super) origin: &'a str,
    /// The feed key, for the addresses of downloads.
    pub(super) key: &'a str,
    pub(super) rows: &'a [Row],
    /// Whether no download is charged anywhere just now.
    pub(super) all_free: bool,
    /// The numbers of a category, for tools.
    pub(super) category: &'a dyn Fn(&Row) -> Option<[u32; 2]>,
    /// How many rows were passed by, and how many there are at least, for tools.
    pub(super) response: Option<(i64, i64)>,
}

/// Writes a feed.
pub(super) fn channel(channel: &Channel<'_>) -> String {
    let mut to = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\" \
         xmlns:newznab=\"http://www.newznab.com/DTD/2010/feeds/attributes/\" \
         xmlns:torznab=\"http://torznab.com/schemas/2015/feed\">\n<channel>\n",
    );
    element(&mut to, "title", channel.title);
    element(&mut to, "link", &format!("{}/torrents", channel.origin));
    element(&mut to, "description", channel.title);
    if let Some((offset, total)) = channel.response {
        let _written = writeln!(
            to,
            "<newznab:response offset=\"{offset}\" total=\"{total}\"/>"
        );
    }
    for row in channel.rows {
        item(&mut to, channel, row);
    }
    to.push_str("</channel>\n</rss>\n");
    to
}

fn item(to: &mut String, channel: &Channel<'_>, row: &Row) {
    let page = page_of(channel.origin, row);
    let file = format!(
        "{}/rss/download/{}?key={}",
        channel.origin, row.id, channel.key
    );
    to.push_str("<item>\n");
    element(to, "title", &row.name);
    let _written = writeln!(to, "<guid isPermaLink=\"true\">{}</guid>", escaped(&page));
    element(to, "link", &file);
    element(to, "comments", &format!("{page}#comments"));
    if let Ok(at) = row.uploaded_at.format(&Rfc2822) {
        element(to, "pubDate", &at);
    }
    element(to, "category", &row.category_name);
    element(to, "size", &row.size.0.to_string());
    let swarm = row.swarm;
    let described = format!(
        "{}, {} files, in {}, by {}. Seeders {}, leechers {}, snatches {}.",
        row.size,
        row.files,
        row.category_name,
        row.uploader_name,
        swarm.seeders,
        swarm.leechers,
        row.snatches
    );
    element(to, "description", &described);
    let _written = writeln!(
        to,
        "<enclosure url=\"{}\" length=\"{}\" type=\"application/x-bittorrent\"/>",
        escaped(&file),
        row.size.0
    );
    attributes(to, channel, row);
    to.push_str("</item>\n");
}

fn attributes(to: &mut String, channel: &Channel<'_>, row: &Row) {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let is_free = channel.all_free || row.free_until.is_some_and(|until| now < until);
    let peers = u64::from(row.swarm.seeders) + u64::from(row.swarm.leechers);
    let mut attribute = |name: &str, value: &str| {
        let value = escaped(value);
        let _written = writeln!(to, "<torznab:attr name=\"{name}\" value=\"{value}\"/>");
    };
    for number in (channel.category)(row).into_iter().flatten() {
        attribute("category", &number.to_string());
    }
    attribute("seeders", &row.swarm.seeders.to_string());
    attribute("peers", &peers.to_string());
    attribute("grabs", &row.snatches.to_string());
    attribute("files", &row.files.to_string());
    attribute("size", &row.size.0.to_string());
    attribute("infohash", &row.info_hash);
    attribute("downloadvolumefactor", if is_free { "0" } else { "1" });
    attribute("uploadvolumefactor", "1");
}

/// Writes an element with a text.
pub(super) fn element(to: &mut String, name: &str, text: &str) {
    let _written = writeln!(to, "<{name}>{}</{name}>", escaped(text));
}

/// Writes a text so that it can stand anywhere; what XML can't hold is left out.
pub(super) fn escaped(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            '\t' | '\n' | '\r' => to.push(letter),
            '\u{FFFE}' | '\u{FFFF}' => {}
            letter if letter < ' ' => {}
            letter => to.push(letter),
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn no_text_breaks_out_of_its_element() {
        assert_eq!(
            escaped("]]></title>\u{0}\u{1b}\u{FFFF}<\"a\" & 'b'>\n"),
            "]]&gt;&lt;/title&gt;&lt;&quot;a&quot; &amp; &#39;b&#39;&gt;\n"
        );
    }
}
