//! A row of the log as COPY gives and takes it in binary format: a count of columns, then each column's
//! length and bytes, integers big-endian.

/// The columns of the log, in the order in which they are copied.
pub(crate) const COLUMNS: &str = "position, stream_type, stream_id, sequence, event_type, event_version, \
    command_id, recorded_at, key_id, leaf, chain, suite, sealed";
/// How many there are.
const COUNT: usize = 13;
/// Where the time stands, in microseconds since 2000.
const RECORDED_AT: usize = 7;
/// Where the leaf stands.
const LEAF: usize = 9;
/// Where the chain stands.
const CHAIN: usize = 10;
/// Where the suite stands; the sealed payload is behind it, and last.
const SUITE: usize = 11;

/// What a copy begins with: the format's signature, no flags, no extension.
pub(crate) const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What a copy ends with.
pub(crate) const TAIL: &[u8] = &(-1_i16).to_be_bytes();

/// The bytes aren't a row of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database copied a row of another form")]
pub(crate) struct NotARow;

/// A row.
pub(crate) struct Tuple<'a> {
    columns: [&'a [u8]; COUNT],
    changed: Option<([u8; 2], Vec<u8>)>,
}

impl<'a> Tuple<'a> {
    /// Reads the row that the bytes begin with, and its length; `None` where it isn't there whole.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, NotARow> {
        let Some((count, mut rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        if usize::try_from(i16::from_be_bytes(*count)) != Ok(COUNT) {
            return Err(NotARow);
        }
        let mut columns = [&[][..]; COUNT];
        for column in &mut columns {
            let Some((length, behind)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            // No column of the log is null.
            let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| NotARow)?;
            let Some((value, behind)) = behind.split_at_checked(length) else {
                return Ok(None);
            };
            (*column, rest) = (value, behind);
        }
        let length = bytes.len() - rest.len();
        let changed = None;
        Ok(Some((Self { columns, changed }, length)))
    }

    /// Tells whether the bytes begin with a copy's end.
    pub(crate) fn is_tail(bytes: &[u8]) -> bool {
        bytes.starts_with(TAIL)
    }

    pub(crate) fn position(&self) -> i64 {
        let first = self.columns.first().copied().unwrap_or_default();
        first.try_into().map_or(0, i64::from_be_bytes)
    }

    /// Gives microseconds since 2000.
    pub(crate) fn recorded_at(&self) -> i64 {
        let at = self.columns.get(RECORDED_AT).copied().unwrap_or_default();
        at.try_into().map_or(0, i64::from_be_bytes)
    }

    pub(crate) fn leaf(&self) -> &'a [u8] {
        self.columns.get(LEAF).copied().unwrap_or_default()
    }

    pub(crate) fn chain(&self) -> &'a [u8] {
        self.columns.get(CHAIN).copied().unwrap_or_default()
    }

    pub(crate) fn suite(&self) -> &'a [u8] {
        self.columns.get(SUITE).copied().unwrap_or_default()
    }

    pub(crate) fn sealed(&self) -> &'a [u8] {
        self.columns.last().copied().unwrap_or_default()
    }

    /// Gives every column but the suite and the payload.
    pub(crate) fn others(&self) -> impl Iterator<Item = &'a [u8]> {
        self.columns.iter().take(SUITE).copied()
    }

    /// Puts another suite and payload into the row.
    pub(crate) fn put(&mut self, suite: [u8; 2], sealed: Vec<u8>) {
        self.changed = Some((suite, sealed));
    }

    /// Writes the row.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.extend(i16::try_from(COUNT).unwrap_or(i16::MAX).to_be_bytes());
        let mut column = |bytes: &[u8]| {
            to.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
            to.extend_from_slice(bytes);
        };
        self.others().for_each(&mut column);
        let (suite, sealed) = match &self.changed {
            Some((suite, sealed)) => (suite.as_slice(), sealed.as_slice()),
            None => (self.suite(), self.sealed()),
        };
        column(suite);
        column(sealed);
    }
}

/// A row for tests.
#[cfg(test)]
pub(crate) fn sample(position: i64, sealed: &[u8]) -> Vec<u8> {
    let mut bytes = i16::try_from(COUNT).unwrap().to_be_bytes().to_vec();
    let mut column = |value: &[u8]| {
        bytes.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend(value);
    };
    column(&position.to_be_bytes());
    for _ in 1..SUITE {
        column(b"x");
    }
    column(&1_i16.to_be_bytes());
    column(sealed);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whole_and_written_as_it_was() {
        let bytes = [sample(7, b"abc"), sample(8, b"")].concat();
        let (row, length) = Tuple::read(&bytes).unwrap().unwrap();
        assert_eq!((row.position(), row.sealed()), (7, &b"abc"[..]));
        let mut again = vec![];
        row.write(&mut again);
        assert_eq!(again, bytes[..length]);
        for cut in 0..length {
            assert!(Tuple::read(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        assert!(Tuple::is_tail(TAIL));
        assert!(Tuple::read(&[0, 3]).is_err() && Tuple::read(TAIL).is_err());
    }
}
