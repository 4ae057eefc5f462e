//! Bencode (BEP 3), read strictly and within bounds.
//!
//! bendy reads: it refuses unsorted and doubled keys, strings that reach beyond the input and nests
//! too deep. What it lacks stands here: a bound on the number of values, integers that fit, nothing
//! behind the end. Writing is ours, because bendy can't embed a value that is encoded already, and
//! an info dictionary must be kept to the byte.

use bendy::decoding::{Decoder, Object};

/// The deepest nesting.
pub const DEEPEST: usize = 12;
/// The most values in one input.
pub const MOST_VALUES: usize = 1_000_000;

/// A value that borrows its bytes from the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer.
    Integer(i64),
    /// A string of bytes.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Value<'a>>),
    /// A dictionary, its keys sorted and unique.
    Dict(Vec<(&'a [u8], Value<'a>)>),
}

/// The bytes aren't canonical bencode within the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical bencode, or nested too deep")]
pub struct Malformed;

impl From<bendy::decoding::Error> for Malformed {
    fn from(_: bendy::decoding::Error) -> Self {
        Self
    }
}

/// Reads one value that fills the input.
pub fn read(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut decoder = Decoder::new(bytes).with_max_depth(DEEPEST);
    let mut left = MOST_VALUES;
    let value = value(decoder.next_object()?.ok_or(Malformed)?, &mut left)?;
    if decoder.next_object()?.is_some() {
        return Err(Malformed);
    }
    Ok(value)
}

/// Gives the bytes of a dictionary's values that are dictionaries themselves, by key.
pub fn raw_dicts(bytes: &[u8]) -> Result<Vec<(&[u8], &[u8])>, Malformed> {
    let mut decoder = Decoder::new(bytes).with_max_depth(DEEPEST);
    let Object::Dict(mut top) = decoder.next_object()?.ok_or(Malformed)? else {
        return Err(Malformed);
    };
    let mut found = vec![];
    while let Some((key, object)) = top.next_pair()? {
        if let Object::Dict(inner) = object {
            found.push((key, inner.into_raw()?));
        }
    }
    Ok(found)
}

fn value<'a>(object: Object<'_, 'a>, left: &mut usize) -> Result<Value<'a>, Malformed> {
    *left = left.checked_sub(1).ok_or(Malformed)?;
    Ok(match object {
        Object::Integer(text) => Value::Integer(integer(text)?),
        Object::Bytes(bytes) => Value::Bytes(bytes),
        Object::List(mut list) => {
            let mut values = vec![];
            while let Some(object) = list.next_object()? {
                values.push(value(object, left)?);
            }
            Value::List(values)
        }
        Object::Dict(mut dict) => {
            let mut pairs: Vec<(&[u8], Value<'_>)> = vec![];
            while let Some((key, object)) = dict.next_pair()? {
                if pairs.last().is_some_and(|(before, _)| *before >= key) {
                    return Err(Malformed);
                }
                pairs.push((key, value(object, left)?));
            }
            Value::Dict(pairs)
        }
    })
}

fn integer(text: &str) -> Result<i64, Malformed> {
    let number: i64 = text.parse().map_err(|_| Malformed)?;
    if number.to_string() == text {
        Ok(number)
    } else {
        Err(Malformed)
    }
}

impl<'a> Value<'a> {
    /// Gives the value of a key, if this is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dict(pairs) => pairs
                .iter()
                .find(|(known, _)| *known == key.as_bytes())
                .map(|(_, value)| value),
            Self::Integer(_) | Self::Bytes(_) | Self::List(_) => None,
        }
    }

    /// Gives the bytes, if this is a string.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self {
            Some(bytes)
        } else {
            None
        }
    }

    /// Gives the number, if this is an integer.
    pub fn integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// Gives the values, if this is a list.
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self {
            Some(values)
        } else {
            None
        }
    }

    /// Gives the pairs, if this is a dictionary.
    pub fn dict(&self) -> Option<&[(&'a [u8], Self)]> {
        if let Self::Dict(pairs) = self {
            Some(pairs)
        } else {
            None
        }
    }

    /// Writes the value canonically.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => to.extend(format!("i{number}e").as_bytes()),
            Self::Bytes(bytes) => write_bytes(bytes, to),
            Self::List(values) => {
                to.push(b'l');
                values.iter().for_each(|value| value.write(to));
                to.push(b'e');
            }
            Self::Dict(pairs) => {
                to.push(b'd');
                for (key, value) in pairs {
                    write_bytes(key, to);
                    value.write(to);
                }
                to.push(b'e');
            }
        }
    }
}

/// Writes a string.
pub fn write_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend(bytes.len().to_string().as_bytes());
    to.push(b':');
    to.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_canonical_is_refused() {
        let deep = [b"l".repeat(13), b"e".repeat(13)].concat();
        let bad: [&[u8]; 18] = [
            b"",
            b"i",
            b"ie",
            b"i01e",
            b"i-0e",
            b"i+1e",
            b"i9223372036854775808e",
            b"1",
            b"2:a",
            b"01:a",
            b"-1:a",
            b"9223372036854775807:a",
            b"99999999999999999999999:a",
            b"d1:bi1e1:ai1ee",
            b"d1:ai1e1:ai1ee",
            b"di1ei1ee",
            b"i1ei2e",
            &deep,
        ];
        for bytes in bad {
            assert_eq!(
                read(bytes),
                Err(Malformed),
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn bombs_of_nesting_and_of_values_are_refused() {
        assert_eq!(read(&b"l".repeat(1_000_000)), Err(Malformed));
        assert_eq!(
            read(&[b"l".as_slice(), &b"0:".repeat(MOST_VALUES), b"e"].concat()),
            Err(Malformed)
        );
    }

    #[test]
    fn the_bytes_of_inner_dictionaries_are_given_as_they_are() {
        let found = raw_dicts(b"d1:ai1e4:infod1:xi2ee1:zdee").unwrap();
        assert_eq!(found, [(&b"info"[..], &b"d1:xi2ee"[..]), (b"z", b"de")]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(&bytes).is_ok();
        }

        #[test]
        fn what_is_read_is_written_the_same(numbers: Vec<i64>, text: Vec<u8>) {
            let list = Value::List(numbers.into_iter().map(Value::Integer).collect());
            let value = Value::Dict(vec![(b"a", list), (b"b", Value::Bytes(&text))]);
            let mut bytes = vec![];
            value.write(&mut bytes);
            prop_assert_eq!(read(&bytes), Ok(value));
        }
    }
}
