//! Keyset pages and their opaque cursors.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A page of rows, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; absent on the last.
    pub next: Option<Cursor>,
}

/// Where a page begins: opaque to who carries it, and worthless when it was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl Cursor {
    /// Writes the sort key of a page's last row.
    pub(crate) fn of<K: Serialize>(key: &K) -> Option<Self> {
        serde_json::to_vec(key).ok().map(|json| Self(hex(&json)))
    }

    /// Reads the sort key back; a foreign text begins at the first page.
    pub(crate) fn key<K: DeserializeOwned>(&self) -> Option<K> {
        serde_json::from_slice(&unhex(&self.0)?).ok()
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            rows: vec![],
            next: None,
        }
    }
}

impl<T> Page<T> {
    /// Cuts a page out of one row more than it shows.
    pub(crate) fn cut<K: Serialize>(mut rows: Vec<T>, limit: i64, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if rows.len() <= limit {
            return Self { rows, next: None };
        }
        rows.truncate(limit);
        let next = rows.last().and_then(|row| Cursor::of(&key(row)));
        Self { rows, next }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| {
        pairs
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_carries_its_key_and_a_foreign_text_none() {
        let cursor = Cursor::of(&("Größe", 7)).unwrap();
        assert_eq!(cursor.key(), Some(("Größe".to_owned(), 7)));
        for foreign in ["", "zz", "7", "7b7d", "'; drop table"] {
            assert_eq!(
                Cursor(foreign.into()).key::<(String, i64)>(),
                None,
                "{foreign}"
            );
        }
    }

    #[test]
    fn a_page_shows_its_limit_and_says_whether_there_is_more() {
        let page = Page::cut(vec![1, 2, 3], 2, |row| *row);
        assert_eq!(
            (page.rows, page.next.and_then(|next| next.key())),
            (vec![1, 2], Some(2))
        );
        assert_eq!(Page::cut(vec![1, 2], 2, |row| *row).next, None);
    }
}
