//! Settings as people write them, and back.

use super::{Key, Kind, Unit, Value};
use crate::amount::Bytes;
use crate::client::Clients;

/// A text can't be what a setting wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// Neither on nor off.
    #[error("this is on or off")]
    Switch,
    /// Not a number of the kind that is wanted.
    #[error("this is {0}")]
    Form(&'static str),
    /// Outside the limits.
    #[error("this lies between {0} and {1}")]
    Limits(String, String),
    /// Too long.
    #[error("this has at most {0} characters")]
    Long(usize),
    /// It has a line break.
    #[error("this is one line")]
    Lines,
    /// None of the words.
    #[error("this is one of {0}")]
    Choice(String),
    /// A line of the list can't be read.
    #[error("line {0} isn't how a peer id begins, with a version where that matters")]
    Client(usize),
}

/// Reads what somebody wrote; nothing stands for the default.
pub fn read(key: Key, text: &str) -> Result<Option<Value>, NotRead> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match key.kind() {
        Kind::Switch { .. } => match text {
            "on" | "true" => Ok(Value::Switch(true)),
            "off" | "false" => Ok(Value::Switch(false)),
            _ => Err(NotRead::Switch),
        },
        Kind::Count {
            least, most, unit, ..
        } => {
            let count = amount(unit, text).ok_or(NotRead::Form(wanted(unit)))?;
            if (least..=most).contains(&count) {
                Ok(Value::Count(count))
            } else {
                Err(NotRead::Limits(shown(unit, least), shown(unit, most)))
            }
        }
        Kind::Text { most, .. } if text.chars().count() > most => Err(NotRead::Long(most)),
        Kind::Text { lines: false, .. } if text.contains(char::is_control) => Err(NotRead::Lines),
        Kind::Text { .. } => Ok(Value::Text(text.to_owned())),
        Kind::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Kind::Choice(words) => Err(NotRead::Choice(words.join(", "))),
        Kind::Clients => match Clients::parse(text) {
            Ok(_) => Ok(Value::Text(text.to_owned())),
            Err(line) => Err(NotRead::Client(line)),
        },
    }
    .map(Some)
}

/// Writes what is set, so that reading gives it back.
pub fn write(key: Key, value: &Value) -> String {
    match (value, key.kind()) {
        (Value::Switch(on), _) => if *on { "on" } else { "off" }.to_owned(),
        (Value::Count(count), Kind::Count { unit, .. }) => shown(unit, *count),
        (Value::Count(count), _) => count.to_string(),
        (Value::Text(text), _) => text.clone(),
    }
}

/// Checks a value against its key's kind and limits.
pub fn check(key: Key, value: &Value) -> Result<(), NotRead> {
    match read(key, &write(key, value))? {
        Some(read) if read == *value => Ok(()),
        _ => Err(NotRead::Form("of another kind")),
    }
}

/// The units of a size, and of a span, the greatest first.
const SIZES: [(&str, u64); 6] = [
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
const SPANS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];

/// Reads a size such as `1.5 GiB`; a number alone is bytes.
pub fn bytes(text: &str) -> Option<Bytes> {
    measured(text.trim(), &SIZES).map(Bytes)
}

fn wanted(unit: Unit) -> &'static str {
    match unit {
        Unit::Plain => "a whole number",
        Unit::Bytes => "a size, such as 10 GiB",
        Unit::Seconds => "a span, such as 24 h or 3 d",
        Unit::Hundredths => "a number with at most two decimals, such as 0.50",
    }
}

fn amount(unit: Unit, text: &str) -> Option<u64> {
    match unit {
        Unit::Plain => text.parse().ok(),
        Unit::Bytes => measured(text, &SIZES),
        Unit::Seconds => measured(text, &SPANS),
        Unit::Hundredths => hundredths(text),
    }
}

/// Reads `1.5 GiB` as exactly so many bytes; a number alone is of the least unit.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim();
    let scale = match unit {
        "" => 1,
        _ => {
            units
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(unit))?
                .1
        }
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if part.is_empty() || part.len() > 6 {
        return None;
    }
    let tenths = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let scaled = (whole.parse::<u128>().ok()?.checked_mul(tenths)? + part.parse::<u128>().ok()?)
        .checked_mul(u128::from(scale))?;
    u64::try_from(scaled / tenths).ok()
}

fn hundredths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let part: u64 = match part.len() {
        1 => part.parse::<u64>().ok()?.checked_mul(10)?,
        2 => part.parse().ok()?,
        _ => return None,
    };
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(100)?
        .checked_add(part)
}

fn shown(unit: Unit, count: u64) -> String {
    let exact = |units: &[(&str, u64)]| {
        let fits = units
            .iter()
            .find(|(_, scale)| count != 0 && count.is_multiple_of(*scale));
        fits.map_or_else(
            || "0".to_owned(),
            |(name, scale)| format!("{} {name}", count / scale),
        )
    };
    match unit {
        Unit::Plain => count.to_string(),
        Unit::Bytes => exact(&SIZES),
        Unit::Seconds => exact(&SPANS),
        Unit::Hundredths => format!("{}.{:02}", count / 100, count % 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_spans_and_ratios_are_read_as_people_write_them() {
        let read = |key, text: &str| read(key, text).unwrap();
        let count = |count| Some(Value::Count(count));
        assert_eq!(read(Key::StarterUpload, "1.5 GiB"), count(3 << 29));
        assert_eq!(read(Key::StarterUpload, "10gib"), count(10 << 30));
        assert_eq!(read(Key::SeedTime, "36 h"), count(129_600));
        assert_eq!(read(Key::LeastRatio, "0.5"), count(50));
        assert_eq!(read(Key::LeastRatio, "2"), count(200));
        assert_eq!(read(Key::HitAndRun, "on"), Some(Value::Switch(true)));
        assert_eq!(read(Key::SiteName, "  "), None);
    }

    #[test]
    fn what_lies_outside_is_named() {
        let told = |key, text: &str| read(key, text).unwrap_err().to_string();
        assert_eq!(
            told(Key::Interval, "10 s"),
            "this lies between 1 min and 2 h"
        );
        assert_eq!(
            told(Key::LeastRatio, "10.01"),
            "this lies between 0.00 and 10.00"
        );
        assert_eq!(
            told(Key::LeastRatio, "0.001"),
            "this is a number with at most two decimals, such as 0.50"
        );
        assert_eq!(
            told(Key::StarterUpload, "much"),
            "this is a size, such as 10 GiB"
        );
        assert_eq!(
            told(Key::StarterUpload, "99999999999999999999 PiB"),
            "this is a size, such as 10 GiB"
        );
        assert_eq!(
            told(Key::AnnouncementKind, "loud"),
            "this is one of info, warning, error"
        );
        assert_eq!(
            told(Key::SiteName, &"x".repeat(51)),
            "this has at most 50 characters"
        );
        assert_eq!(told(Key::SiteName, "a\nb"), "this is one line");
        assert_eq!(told(Key::HitAndRun, "maybe"), "this is on or off");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(count in 0_u64..=1 << 50) {
            for key in [Key::StarterUpload, Key::RatioFreeDownload] {
                let value = Value::Count(count);
                prop_assert_eq!(read(key, &write(key, &value)), Ok(Some(value)));
            }
        }
    }
}
