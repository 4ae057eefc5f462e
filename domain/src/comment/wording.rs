//! What a comment said at any time: wording 1 is as it was written, each edit is one more.

use time::OffsetDateTime;

use super::Event;
use crate::fact::Fact;
use crate::recorded::{Actor, Recorded};

/// What a comment said from one event to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// Its number, starting at 1.
    pub number: usize,
    /// When it was written.
    pub at: OffsetDateTime,
    /// Who wrote it.
    pub by: Actor,
    /// The text in markdown.
    pub text: String,
}

/// Gives the wordings that a comment's stream holds, the first first.
pub fn wordings(stream: &[Recorded]) -> Vec<Wording> {
    let texts = stream.iter().filter_map(|event| {
        let Fact::Comment(Event::CommentWritten { text, .. } | Event::CommentEdited { text, .. }) =
            &event.fact
        else {
            return None;
        };
        Some((event, text))
    });
    let number = texts.zip(1..);
    number
        .map(|((event, text), number)| Wording {
            number,
            at: event.at,
            by: event.meta.actor,
            text: text.clone(),
        })
        .collect()
}
