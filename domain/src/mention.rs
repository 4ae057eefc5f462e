//! Whom a text names: `@name`, and whose posts it quotes.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::id::PostId;
use crate::user::Name;

/// The most members that one text names.
pub const MOST: usize = 20;

/// Finds each `@name` of a text, with the bytes that it takes.
pub fn find(text: &str) -> Vec<(Range<usize>, Name)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut found = vec![];
    let mut before = ' ';
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let begins = letter == '@' && !is_part(before) && !matches!(before, '/' | '@' | '.');
        before = letter;
        if !begins {
            continue;
        }
        let mut name = String::new();
        while let Some((_, next)) = letters.next_if(|(_, next)| is_part(*next)) {
            name.push(next);
            before = next;
        }
        let end = at + 1 + name.len();
        if let Ok(name) = Name::parse(&name) {
            found.push((at..end, name));
        }
    }
    found
}

/// Gives the members that a text names in words of its own, each once: what it quotes is left out.
pub fn names(text: &str) -> Vec<Name> {
    let mut seen = BTreeSet::new();
    let own = text.lines().filter(|line| !is_quoted(line));
    own.flat_map(find)
        .map(|(_, name)| name)
        .filter(|name| seen.insert(name.folded()))
        .take(MOST)
        .collect()
}

/// Gives the posts that a text quotes, by the addresses in what it quotes, each once.
pub fn quoted(text: &str) -> BTreeSet<PostId> {
    let quotes = text.lines().filter(|line| is_quoted(line));
    let addresses = quotes.flat_map(|line| line.split("/forum/posts/").skip(1));
    let ids = addresses.filter_map(|rest| rest.get(..36)?.parse().ok());
    ids.take(MOST).collect()
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_wherever_it_stands_and_no_mail_address_is() {
        let told = |text: &str| -> Vec<String> {
            let names = names(text);
            names.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told("@alice, (@bob-2) and @zoë_42."),
            ["alice", "bob-2", "zoë_42"]
        );
        assert_eq!(told("@Alice @alice"), ["Alice"]);
        for none in [
            "a@alice",
            "https://x/@alice",
            "@@alice",
            "@al",
            "@",
            "> @alice",
        ] {
            assert_eq!(told(none), Vec::<String>::new(), "{none}");
        }
        assert_eq!(
            told(&(0..40).map(|n| format!("@name{n} ")).collect::<String>()).len(),
            MOST
        );
        let text = "é @bob!";
        let (range, _) = find(text).remove(0);
        assert_eq!(text.get(range), Some("@bob"));
    }

    #[test]
    fn a_quoted_post_is_found_in_what_is_quoted_alone() {
        let id = PostId(uuid::Uuid::from_u128(7));
        let line = format!("**bob** [wrote](/forum/posts/{id}):");
        assert_eq!(
            quoted(&format!("> {line}\n> words\n\nmine")),
            BTreeSet::from([id])
        );
        assert_eq!(quoted(&line), BTreeSet::new());
        assert_eq!(quoted("> /forum/posts/é"), BTreeSet::new());
    }
}
