//! Two texts beside each other, with what differs marked.

use std::time::{Duration, Instant};

use maud::{Markup, html};
use similar::{ChangeTag, DiffOp, DiffTag, TextDiff};

/// How long the smallest difference is looked for; after that a larger one has to do.
const PATIENCE: Duration = Duration::from_millis(100);

/// A piece of a text, and whether the other text lacks it.
type Piece = (String, bool);

/// A text then and today as a table: what is the same stands on one line.
pub(super) fn beside(then: &str, today: &str) -> Markup {
    named(then, today, ["Then", "Today"])
}

/// Two texts as a table, each side with its name.
pub(crate) fn named(then: &str, today: &str, [left, right]: [&str; 2]) -> Markup {
    html! {
        div.scroller {
            table.differences {
                caption.visually-hidden { "Two texts: " (left) ", " (right) }
                thead { tr { th scope="col" { (left) } th scope="col" { (right) } } }
                tbody { @for (then, today, differs) in rows(then, today) {
                    tr.changed[differs] {
                        td data-label=(left) { (marked(&then, |text| html! { del { (text) } })) }
                        td data-label=(right) { (marked(&today, |text| html! { ins { (text) } })) }
                    }
                } }
            }
        }
    }
}

fn marked(pieces: &[Piece], mark: fn(&str) -> Markup) -> Markup {
    html! { @for (text, differs) in pieces { @if *differs { (mark(text)) } @else { (text) } } }
}

fn rows(then: &str, today: &str) -> Vec<(Vec<Piece>, Vec<Piece>, bool)> {
    let until = Instant::now() + PATIENCE;
    let lines = TextDiff::configure()
        .deadline(until)
        .diff_lines(then, today);
    let row = |op: &DiffOp| {
        let old: String = op
            .old_range()
            .filter_map(|at| lines.old_slice(at))
            .collect();
        let new: String = op
            .new_range()
            .filter_map(|at| lines.new_slice(at))
            .collect();
        match op.tag() {
            DiffTag::Equal => (vec![(old, false)], vec![(new, false)], false),
            DiffTag::Delete => (vec![(old, true)], vec![], true),
            DiffTag::Insert => (vec![], vec![(new, true)], true),
            DiffTag::Replace => {
                let (then, today) = words(&old, &new, until);
                (then, today, true)
            }
        }
    };
    lines.ops().iter().map(row).collect()
}

/// Marks the words that differ between lines.
fn words(old: &str, new: &str, until: Instant) -> (Vec<Piece>, Vec<Piece>) {
    let (mut then, mut today) = (vec![], vec![]);
    let words = TextDiff::configure().deadline(until).diff_words(old, new);
    for change in words.iter_all_changes() {
        let text = change.value();
        match change.tag() {
            ChangeTag::Equal => {
                join(&mut then, text, false);
                join(&mut today, text, false);
            }
            ChangeTag::Delete => join(&mut then, text, true),
            ChangeTag::Insert => join(&mut today, text, true),
        }
    }
    (then, today)
}

fn join(pieces: &mut Vec<Piece>, text: &str, differs: bool) {
    match pieces.last_mut() {
        Some((last, same)) if *same == differs => last.push_str(text),
        _ => pieces.push((text.to_owned(), differs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_what_is_new_is_marked_and_all_else_stands_beside() {
        let then = "the same\nan old line\nlost\n";
        let today = "the same\na new line\nlost\ncame\n";
        let told = |pieces: &[Piece]| -> String {
            let told = |(text, differs): &Piece| match differs {
                true => format!("[{text}]"),
                false => text.clone(),
            };
            pieces.iter().map(told).collect()
        };
        let rows = rows(then, today);
        let shown: Vec<_> = rows
            .iter()
            .map(|(then, today, differs)| (told(then), told(today), *differs))
            .collect();
        let row = |then: &str, today: &str, differs| (then.to_owned(), today.to_owned(), differs);
        let expected = [
            row("the same\n", "the same\n", false),
            row("[an] [old] line\n", "[a] [new] line\n", true),
            row("lost\n", "lost\n", false),
            row("", "[came\n]", true),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn large_texts_take_no_longer_than_the_patience_allows() {
        let text = |from: usize| -> String {
            (from..from + 16_000)
                .map(|n| format!("{:x}\n", n * n))
                .collect()
        };
        let began = Instant::now();
        let (then, today) = (text(0), text(9_000));
        assert!(!rows(&then, &today).is_empty());
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
}
