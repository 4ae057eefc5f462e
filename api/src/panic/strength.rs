//! How hard a Panic Password is to guess.

use std::fmt::Write as _;

use crate::vault::{LONGEST, SHORTEST, Secret};

/// The fewest guesses that a Panic Password must withstand. Each costs a second of a core and 256 MiB.
const FEWEST_GUESSES: u64 = 10_000_000_000;

/// Says what is wrong with a password that is too short, too long or too easy to guess; `known` is
/// what who guesses tries first.
pub(crate) fn check(password: &Secret, known: &[&str]) -> Result<(), String> {
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(format!(
            "A Panic Password has {SHORTEST} to {LONGEST} characters; this one has {length}."
        ));
    }
    let estimate = zxcvbn::zxcvbn(password, known);
    if estimate.guesses() >= FEWEST_GUESSES {
        return Ok(());
    }
    let mut advice = "This Panic Password is too easy to guess.".to_owned();
    let feedback = estimate.feedback();
    if let Some(warning) = feedback.and_then(zxcvbn::feedback::Feedback::warning) {
        let _always = write!(advice, " {warning}");
    }
    match feedback.map(zxcvbn::feedback::Feedback::suggestions) {
        Some(suggestions) if !suggestions.is_empty() => {
            for suggestion in suggestions {
                let _always = write!(advice, " {suggestion}");
            }
        }
        _ => advice.push_str(" Add another word or two. Uncommon words are better."),
    }
    Err(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(password: &str) -> String {
        let password = Secret::new(password.to_owned());
        check(&password, &["Secret Harbour", "alice"])
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn what_is_guessed_soon_is_refused_with_advice() {
        assert_eq!(
            told("short"),
            "A Panic Password has 12 to 128 characters; this one has 5."
        );
        assert!(told(&"x".repeat(129)).contains("this one has 129"));
        assert_eq!(
            told("password1234"),
            "This Panic Password is too easy to guess. This is a very common password. \
             Add another word or two. Uncommon words are better."
        );
        for weak in [
            "aaaaaaaaaaaaaaaa",
            "abcdefghijklmnop",
            "qwertyuiop12345",
            "Secret Harbour",
        ] {
            assert!(
                told(weak).starts_with("This Panic Password is too easy"),
                "{weak}"
            );
        }
    }

    #[test]
    fn a_few_words_that_do_not_belong_together_are_enough() {
        for strong in [
            "correct horse battery staple",
            "rivers run to the sea",
            "and the sea is not full",
            "kX3#vB9!qLm2",
            "ungewöhnlich große Wörter",
        ] {
            assert_eq!(told(strong), "", "{strong}");
        }
    }
}
