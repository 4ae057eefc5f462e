//! What auditors see of streams: the state at any moment, without secrets.

use serde_json::{Map, Value, json};

use crate::fact::{self, Fact};

pub use crate::fact::STREAMS;

/// The fields that nobody but the program may read, wherever they stand.
const SECRETS: [&str; 7] = [
    "passkey",
    "salt",
    "verifier",
    "server_key",
    "totp_secret",
    "feed_key",
    "code",
];
/// What stands in place of whatever went with an erased member.
pub const ERASED: &str = "[ERASED]";
/// What stands in place of a secret.
const WITHHELD: &str = "[withheld]";

/// Folds a stream's facts into its state, as it is shown: [`shown`] was applied.
pub fn state<'a>(
    stream: &str,
    facts: impl Iterator<Item = &'a Fact> + Clone,
) -> Result<Value, serde_json::Error> {
    // Of an erased member's streams only the member's own knows how it ended.
    if facts.clone().all(Fact::is_erased) && facts.clone().next().is_some() {
        return Ok(Value::from(ERASED));
    }
    if let Some(state) = fact::state(stream, facts.clone()) {
        return state.map(shown).map(situated);
    }
    let payloads = facts.map(|fact| fact.payload().map(shown));
    payloads.collect::<Result<_, _>>().map(Value::Array)
}

/// Puts a state's situation beside its fields: `Offered {name}` as `{situation: Offered, name}`.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other kind has a situation"
)]
fn situated(state: Value) -> Value {
    let is_situation = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
    match state {
        Value::String(name) if is_situation(&name) => json!({ "situation": name }),
        Value::Object(mut fields) if fields.len() == 1 => {
            let name = fields.keys().next().cloned().unwrap_or_default();
            match fields.get_mut(&name) {
                Some(Value::Object(inner)) if is_situation(&name) => {
                    inner.insert("situation".to_owned(), Value::String(name));
                    Value::Object(std::mem::take(inner))
                }
                _ => Value::Object(fields),
            }
        }
        other => other,
    }
}

/// Takes out of a payload or a state what is secret, and what is only bulk.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other kind nests")]
pub fn shown(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(shown_field).collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(shown).collect()),
        other => other,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other kind nests")]
fn shown_field((name, value): (String, Value)) -> (String, Value) {
    let value = match &value {
        Value::String(_) if SECRETS.contains(&name.as_str()) => Value::String(WITHHELD.to_owned()),
        Value::String(text) if name == "metainfo" => {
            Value::String(format!("[{} characters of base64]", text.len()))
        }
        _ => shown(value),
    };
    (name, value)
}

/// Tells whether a payload holds a secret.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other kind nests")]
pub fn has_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| SECRETS.contains(&name.as_str()) || has_secret(value)),
        Value::Array(values) => values.iter().any(has_secret),
        _ => false,
    }
}

/// What differs between two states: each path with the value before and after.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = vec![];
    compare("", before, after, &mut found);
    found
}

/// One place in which two states differ.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The fields on the way, joined by dots.
    pub path: String,
    /// The value before; nothing where there was none.
    pub before: Option<Value>,
    /// The value after; nothing where there is none.
    pub after: Option<Value>,
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            found.push(difference(path, Some(before), Some(after)));
        }
        return;
    };
    for (name, value) in old {
        let path = below(path, name);
        match new.get(name) {
            Some(other) => compare(&path, value, other, found),
            // A field that isn't set is as good as none.
            None if value.is_null() => {}
            None => found.push(difference(&path, Some(value), None)),
        }
    }
    let added = |(name, value): &(&String, &Value)| !old.contains_key(*name) && !value.is_null();
    for (name, value) in new.iter().filter(added) {
        found.push(difference(&below(path, name), None, Some(value)));
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn difference(path: &str, before: Option<&Value>, after: Option<&Value>) -> Difference {
    Difference {
        path: path.to_owned(),
        before: before.cloned(),
        after: after.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_shows_no_secret() {
        let registered: Value =
            serde_json::from_str(include_str!("../golden/MemberRegistered.1.json")).unwrap();
        let payload = registered["payload"].clone();
        assert!(has_secret(&payload));
        let fact = Fact::read("user", "MemberRegistered", 1, payload).unwrap();
        let state = state("user", std::iter::once(&fact)).unwrap();
        let text = state.to_string();
        assert!(text.contains("alice"), "{text}");
        assert_eq!(state["situation"], "Registered");
        for secret in ["AQEB", "AgIC", "AwMD", "070707"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(!has_secret(&json!({ "name": "alice" })));
    }

    #[test]
    fn differences_name_the_path() {
        let before = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1] });
        let after = json!({ "a": 1, "b": { "c": 4, "f": 5 }, "e": [1, 2], "unset": null });
        let paths: Vec<String> = differences(&before, &after)
            .into_iter()
            .map(|difference| difference.path)
            .collect();
        assert_eq!(paths, ["b.c", "b.d", "b.f", "e"]);
        assert_eq!(differences(&before, &before), []);
    }
}
