//! What who is refused reads.

use std::time::Duration;

use axum::http::StatusCode;
use commands::limit::Why;

use super::Class;
use crate::problem::Problem;

/// Gives whole seconds, rounded up.
pub(super) fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// Says that more was asked than fits.
pub(super) fn too_often(class: Class, window: &str, wait: Duration) -> Problem {
    let left = in_words(wait);
    let detail = match class {
        Class::Pages => format!("You asked for more than fits into a minute. Go on in {left}."),
        Class::Writes if window == "household" => {
            format!("Too much is written from where you are. Go on in {left}.")
        }
        Class::Writes => format!(
            "You wrote more than fits into a minute; nothing was changed. Go on in {left}. Each repeat within the hour doubles the wait."
        ),
        Class::SignIn => format!("Too many sign-ins failed. Try again in {left}."),
    };
    Problem::too_often(&detail, seconds(wait).max(1))
}

/// Says that the address is blocked.
pub(super) fn blocked(why: Why, left: Duration) -> Problem {
    let why = match why {
        Why::Flood => "Too many requests came from where you are in a few seconds.",
        Why::SignIn => "Too many sign-ins from where you are were refused.",
        Why::Attack => "Requests from where you are looked like attacks.",
    };
    let detail = format!(
        "{why} It ends by itself in {}; the staff of the site can lift it.",
        in_words(left)
    );
    Problem {
        retry_after: Some(seconds(left).max(1)),
        ..Problem::new(
            StatusCode::FORBIDDEN,
            "blocked",
            "Your address is blocked for a while",
            &detail,
        )
    }
}

/// Writes how long something takes, rounded up.
fn in_words(span: Duration) -> String {
    let seconds = seconds(span).max(1);
    let (count, unit) = match seconds {
        0..=90 => (seconds, "second"),
        91..=5_400 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3_600), "hour"),
    };
    let more = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words() {
        let told = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(told(0), "1 second");
        assert_eq!(told(59), "59 seconds");
        assert_eq!(told(300), "5 minutes");
        assert_eq!(told(86_400), "24 hours");
    }
}
