//! Rows of the log on their way into a backup and out of it: each must follow the one before, by its
//! position and by the chain.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::mpsc;

use super::file::{Reader, Writer};
use super::manifest::{Growing, Piece, Sheet, Standing};
use super::{BackupError, folder};
use crate::panic::tuple::{COLUMNS, HEAD, TAIL, Tuple};
use crate::seal::{self, Key};
use crate::step;

/// Bytes of rows after which another file begins.
const FULL: u64 = 64 << 20;

/// Goes one row on, unless it doesn't follow.
fn follow(standing: &mut Standing, row: &Tuple<'_>) -> Result<(), BackupError> {
    let broken = || BackupError::Broken(standing.position + 1);
    let leaf: [u8; 32] = row.leaf().try_into().map_err(|_| broken())?;
    let chain = seal::link(&standing.chain, &leaf);
    if row.position() != standing.position + 1 || chain != row.chain() {
        return Err(broken());
    }
    standing.position = row.position();
    standing.chain = chain.to_vec();
    standing.tree.push(&leaf);
    Ok(())
}

/// Bytes of a copy, of which the rows that are there whole are taken.
#[derive(Default)]
struct Cut {
    bytes: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl Cut {
    /// Takes more bytes, and gives each row that is there whole with its bytes.
    fn take(
        &mut self,
        more: &[u8],
        mut each: impl FnMut(&Tuple<'_>, &[u8]) -> Result<bool, BackupError>,
    ) -> Result<(), BackupError> {
        let other = |_| BackupError::Damaged("the log is of another form".to_owned());
        self.bytes.extend_from_slice(more);
        let mut used = 0;
        if !self.begun && self.bytes.len() >= HEAD.len() {
            self.begun = true;
            used = HEAD.len();
        }
        while self.begun && !self.ended {
            let rest = self.bytes.get(used..).unwrap_or_default();
            if Tuple::is_tail(rest) {
                self.ended = true;
                break;
            }
            let Some((row, length)) = Tuple::read(rest).map_err(other)? else {
                break;
            };
            self.ended = !each(&row, rest.get(..length).unwrap_or_default())?;
            used += length;
        }
        self.bytes.drain(..used);
        Ok(())
    }
}

/// Writes what is new of the log into files.
pub(super) struct LogWriter {
    pub(super) series: PathBuf,
    pub(super) key: Key,
    pub(super) upto: Standing,
    /// The number of the next file.
    pub(super) next: u64,
    pub(super) pieces: Vec<Piece>,
    open: Option<(Writer, i64, u64)>,
}

impl LogWriter {
    pub(super) fn new(series: &Path, key: &Key, upto: Standing, next: u64) -> Self {
        Self {
            series: series.to_owned(),
            key: key.clone(),
            upto,
            next,
            pieces: vec![],
            open: None,
        }
    }

    /// Takes rows until no more come; says how far it is as it goes.
    pub(super) fn run(
        mut self,
        mut rows: mpsc::Receiver<Vec<u8>>,
        far: &Arc<AtomicI64>,
    ) -> Result<Self, BackupError> {
        let mut cut = Cut::default();
        while let Some(more) = rows.blocking_recv() {
            cut.take(&more, |row, bytes| self.row(row, bytes).map(|()| true))?;
            far.store(self.upto.position, Ordering::Relaxed);
        }
        self.close()?;
        Ok(self)
    }

    fn row(&mut self, row: &Tuple<'_>, bytes: &[u8]) -> Result<(), BackupError> {
        let after = self.upto.position;
        follow(&mut self.upto, row)?;
        let (mut writer, after, written) = if let Some(open) = self.open.take() {
            open
        } else {
            let path = folder::file(&self.series, self.next);
            let mut writer = Writer::create(path, &self.key)?;
            writer.write(HEAD)?;
            (writer, after, 0)
        };
        writer.write(bytes)?;
        let written = written + u64::try_from(bytes.len()).unwrap_or(0);
        self.open = Some((writer, after, written));
        if written >= FULL {
            self.close()
        } else {
            Ok(())
        }
    }

    fn close(&mut self) -> Result<(), BackupError> {
        let Some((mut writer, after, _)) = self.open.take() else {
            return Ok(());
        };
        writer.write(TAIL)?;
        let (id, bytes) = writer.finish()?;
        step::reached("backup piece");
        self.pieces.push(Piece {
            of: Growing::Log,
            after,
            upto: self.upto.position,
            sheet: Sheet {
                number: self.next,
                id,
                bytes,
                columns: COLUMNS.to_owned(),
            },
        });
        self.next += 1;
        Ok(())
    }
}

/// Gives the bytes of a copy, one part after the other.
pub(super) trait Source: Send + Sized + 'static {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BackupError>;
}

impl Source for Reader {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        Self::next(self)
    }
}

/// Up to where the log is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Last {
    Position(i64),
    /// Microseconds since 2000.
    Time(i64),
}

/// Reads a piece of the log up to a moment, and follows the chain.
pub(super) struct LogReader {
    pub(super) from: Reader,
    pub(super) upto: Standing,
    pub(super) last: Last,
    /// Whether something of this piece is behind the moment.
    pub(super) behind: bool,
    cut: Cut,
    done: bool,
}

impl LogReader {
    pub(super) fn new(from: Reader, upto: Standing, last: Last) -> Self {
        Self {
            from,
            upto,
            last,
            behind: false,
            cut: Cut::default(),
            done: false,
        }
    }
}

impl Source for LogReader {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        if self.done {
            return Ok(None);
        }
        let Some(part) = self.from.next()? else {
            return Err(BackupError::Damaged(
                "a piece of the log has no end".to_owned(),
            ));
        };
        let mut rows = Vec::with_capacity(part.len());
        if !self.cut.begun {
            rows.extend_from_slice(HEAD);
        }
        let (upto, last, behind) = (&mut self.upto, self.last, &mut self.behind);
        self.cut.take(&part, |row, bytes| {
            *behind = match last {
                Last::Position(last) => row.position() > last,
                Last::Time(last) => row.recorded_at() > last,
            };
            if *behind {
                return Ok(false);
            }
            follow(upto, row).map_err(|_| {
                BackupError::Damaged(format!("event {} doesn't follow", upto.position + 1))
            })?;
            rows.extend_from_slice(bytes);
            Ok(true)
        })?;
        if self.cut.ended {
            self.done = true;
            rows.extend_from_slice(TAIL);
        }
        Ok(Some(rows))
    }
}
