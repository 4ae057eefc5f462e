//! What events say, gathered in memory until it is written: a live batch and a whole rebuild alike.

use async_trait::async_trait;
use domain::Recorded;
use sqlx::encode::{Encode, IsNull};
use sqlx::postgres::PgArgumentBuffer;
use sqlx::{PgConnection, Postgres};

use crate::NotApplied;

/// What a projection makes of events, in memory.
#[async_trait]
pub trait Fold: Send {
    /// Takes the next event.
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied>;

    /// Tells how much waits to be written; nothing where [`Self::insert`] and [`Self::update`] would do nothing.
    fn held(&self) -> Held;

    /// Inserts the rows that are new, whether the tables have their indexes or not.
    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error>;

    /// Changes rows that were inserted; the tables have their indexes.
    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error>;
}

/// How much waits to be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes of new rows.
    pub bytes: usize,
    /// Rows that change.
    pub changes: usize,
}

/// New rows of one table in PostgreSQL's binary COPY format.
pub(crate) struct Copy {
    table: &'static str,
    columns: i16,
    buffer: PgArgumentBuffer,
}

/// The signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What stands in place of a row's number of columns after the last one.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

impl Copy {
    /// Begins rows of a table, given as `table (column, …)`, with so many columns.
    pub(crate) fn into(table: &'static str, columns: i16) -> Self {
        Self {
            table,
            columns,
            buffer: PgArgumentBuffer::default(),
        }
    }

    /// Begins a row; as many calls of [`Row::put`] follow as there are columns.
    pub(crate) fn row(&mut self) -> Row<'_> {
        if self.buffer.is_empty() {
            self.buffer.extend_from_slice(HEADER);
        }
        self.buffer.extend_from_slice(&self.columns.to_be_bytes());
        Row(&mut self.buffer)
    }

    /// Gives the bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Writes the rows and forgets them.
    pub(crate) async fn write(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let statement = format!("copy {} from stdin (format binary)", self.table);
        let mut sink = to.copy_in_raw(&statement).await?;
        self.buffer.extend_from_slice(&TRAILER);
        sink.send(self.buffer.as_slice()).await?;
        sink.finish().await?;
        self.buffer.clear();
        Ok(())
    }
}

/// A row that is being written.
pub(crate) struct Row<'a>(&'a mut PgArgumentBuffer);

impl Row<'_> {
    /// Puts the next column's value.
    pub(crate) fn put<'q>(self, value: impl Encode<'q, Postgres>) -> Result<Self, sqlx::Error> {
        let at = self.0.len();
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
        if let IsNull::No = value.encode(self.0).map_err(sqlx::Error::Encode)? {
            let length = i32::try_from(self.0.len() - at - 4)
                .map_err(|error| sqlx::Error::Encode(error.into()))?;
            if let Some(place) = self.0.get_mut(at..at + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(self)
    }
}
