//! Bencode (BEP 3), read strictly and within bounds.
//!
//! bendy reads: it refuses keys that are unsorted, doubled or no strings, leading zeros, `-0` and
//! strings that reach beyond the input, and it borrows what it reads. What it lacks stands here:
//! integers that fit, nothing behind the end, a bound on the number of values, and an error that
//! tells a deep nest from nonsense. Writing is ours, because bendy can't embed a value that is
//! encoded already, and an info dictionary must be kept to the byte.

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
    List(Vec<Self>),
    /// A dictionary, its keys sorted and unique.
    Dict(Vec<(&'a [u8], Self)>),
}

/// Why bytes aren't canonical bencode within the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is cut off, not canonical, or followed by more.
    #[error("not canonical bencode")]
    Syntax,
    /// It has more than [`DEEPEST`] levels.
    #[error("nested too deep")]
    TooDeep,
    /// It has more than [`MOST_VALUES`] values.
    #[error("too many values")]
    TooMany,
}

impl From<bendy::decoding::Error> for Malformed {
    fn from(_: bendy::decoding::Error) -> Self {
        Self::Syntax
    }
}

/// Reads one value that fills the input.
pub fn read(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut decoder = decoder(bytes);
    let first = decoder.next_object()?.ok_or(Malformed::Syntax)?;
    let mut left = MOST_VALUES;
    let value = value(first, DEEPEST, &mut left)?;
    if decoder.next_object()?.is_some() {
        return Err(Malformed::Syntax);
    }
    Ok(value)
}

/// Gives the bytes of a dictionary's value, if that is a dictionary itself.
pub fn raw_dict<'a>(bytes: &'a [u8], key: &str) -> Result<Option<&'a [u8]>, Malformed> {
    let mut decoder = decoder(bytes);
    let Some(Object::Dict(mut top)) = decoder.next_object()? else {
        return Err(Malformed::Syntax);
    };
    while let Some((known, object)) = top.next_pair()? {
        if let Object::Dict(inner) = object
            && known == key.as_bytes()
        {
            return Ok(Some(inner.into_raw()?));
        }
    }
    Ok(None)
}

/// Decodes one level more than is allowed, so that [`value`] sees the level that is too deep.
fn decoder(bytes: &[u8]) -> Decoder<'_> {
    Decoder::new(bytes).with_max_depth(DEEPEST + 1)
}

/// Reads a value into which `deeper` more levels fit.
fn value<'a>(
    object: Object<'_, 'a>,
    deeper: usize,
    left: &mut usize,
) -> Result<Value<'a>, Malformed> {
    *left = left.checked_sub(1).ok_or(Malformed::TooMany)?;
    let inside = deeper.checked_sub(1).ok_or(Malformed::TooDeep);
    Ok(match object {
        Object::Integer(text) => Value::Integer(text.parse().or(Err(Malformed::Syntax))?),
        Object::Bytes(bytes) => Value::Bytes(bytes),
        Object::List(mut list) => {
            let deeper = inside?;
            let mut values = vec![];
            while let Some(object) = list.next_object()? {
                values.push(value(object, deeper, left)?);
            }
            Value::List(values)
        }
        Object::Dict(mut dict) => {
            let deeper = inside?;
            let mut pairs = vec![];
            while let Some((key, object)) = dict.next_pair()? {
                pairs.push((key, value(object, deeper, left)?));
            }
            Value::Dict(pairs)
        }
    })
}

impl<'a> Value<'a> {
    /// Gives the value of a key, if this is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dict(pairs) => {
                let place = pairs.binary_search_by(|(known, _)| (*known).cmp(key.as_bytes()));
                place.ok().and_then(|place| Some(&pairs.get(place)?.1))
            }
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

    /// Writes the value; canonically, as its keys are sorted.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => to.extend(format!("i{number}e").as_bytes()),
            Self::Bytes(bytes) => write_bytes(bytes, to),
            Self::List(values) => {
                to.push(b'l');
                for value in values {
                    value.write(to);
                }
                to.push(b'e');
            }
            Self::Dict(pairs) => write_dict(pairs.iter().map(|(key, value)| (*key, value)), to),
        }
    }
}

/// Writes a string.
pub fn write_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend(bytes.len().to_string().as_bytes());
    to.push(b':');
    to.extend(bytes);
}

/// Writes a dictionary whose pairs come sorted by key.
pub fn write_dict<'a>(
    pairs: impl IntoIterator<Item = (&'a [u8], &'a Value<'a>)>,
    to: &mut Vec<u8>,
) {
    to.push(b'd');
    for (key, value) in pairs {
        write_bytes(key, to);
        value.write(to);
    }
    to.push(b'e');
}

#[cfg(test)]
mod tests;
