//! The rows of a backup on their way into the tables, up to a moment.

use sqlx::{Executor as _, PgConnection};

use super::super::file::Reader;
use super::super::manifest::{Growing, Piece, Sheet, Standing};
use super::super::rows::{Last, LogReader, Source};
use super::super::{BackupError, folder};
use super::Backup;

/// Loads every row.
pub(super) async fn load(
    backup: &Backup,
    to: &mut PgConnection,
    (last, whole): (Last, bool),
    seen: &mut impl FnMut(&'static str, i64, i64),
) -> Result<(), BackupError> {
    let body = &backup.body;
    // Random ids are faster sorted at once than looked for one by one; and a claim that was let go and
    // taken again stands in two pieces.
    to.execute(
        "alter table event_log drop constraint event_log_stream;
         alter table unique_claim drop constraint unique_claim_pkey",
    )
    .await?;
    let upto = log(backup, to, last, seen).await?;
    to.execute(
        "alter table event_log add constraint event_log_stream unique (stream_id, stream_type, sequence);
         insert into command_log (command_id, first_pos, last_pos, at)
         select command_id, min(position), max(position), max(recorded_at) from event_log group by command_id",
    )
    .await?;
    backup.reaches(upto.position, whole)?;
    let same = upto.chain == body.upto.chain && upto.tree.root() == body.upto.tree.root();
    if whole && !same {
        return Err(BackupError::Damaged("the log ends too early".to_owned()));
    }
    for piece in body.pieces.iter().filter(|piece| piece.of != Growing::Log) {
        if piece.after < upto.position {
            copy_in(backup, to, piece.of.table(), &piece.sheet).await?;
        }
    }
    for (table, sheet) in &body.whole {
        // A migration may have put something there.
        to.execute(format!("delete from public.{table}").as_str())
            .await?;
        copy_in(backup, to, table, sheet).await?;
    }
    go_back(to, upto.position).await?;
    let claims: i64 = sqlx::query_scalar("select count(*) from unique_claim")
        .fetch_one(&mut *to)
        .await?;
    if whole && claims != body.claims {
        return Err(BackupError::Damaged("claims are missing".to_owned()));
    }
    for (sequence, at) in &body.sequences {
        sqlx::query("select setval(('public.' || quote_ident($1))::regclass, $2)")
            .bind(sequence)
            .bind(at)
            .execute(&mut *to)
            .await?;
    }
    Ok(())
}

/// Takes back what is behind a position, and the claims that were let go since.
async fn go_back(to: &mut PgConnection, position: i64) -> Result<(), sqlx::Error> {
    for statement in [
        "delete from flush_ledger where position > $1",
        "delete from unique_claim where position > $1",
        "delete from unique_claim c using released_claim r
         where r.released <= $1 and r.scope = c.scope and r.key_hmac = c.key_hmac and r.position = c.position",
    ] {
        sqlx::query(statement).bind(position).execute(&mut *to).await?;
    }
    to.execute("alter table unique_claim add primary key (scope, key_hmac)")
        .await?;
    for statement in [
        "insert into unique_claim (scope, key_hmac, stream_id, position)
         select scope, key_hmac, stream_id, position from released_claim
         where position <= $1 and released > $1 on conflict do nothing",
        "delete from released_claim where released > $1",
    ] {
        sqlx::query(statement)
            .bind(position)
            .execute(&mut *to)
            .await?;
    }
    Ok(())
}

/// Loads the log up to a moment; gives where it stands then.
async fn log(
    backup: &Backup,
    to: &mut PgConnection,
    last: Last,
    seen: &mut impl FnMut(&'static str, i64, i64),
) -> Result<Standing, BackupError> {
    let mut upto = Standing::default();
    let end = match last {
        Last::Position(last) => last,
        Last::Time(_) => backup.position(),
    };
    for piece in backup
        .body
        .pieces
        .iter()
        .filter(|piece| piece.of == Growing::Log)
    {
        if piece.after != upto.position {
            return Err(missing(piece));
        }
        let from = open(backup, &piece.sheet)?;
        let reader = LogReader::new(from, upto, last);
        let far = |reader: &LogReader| seen("loaded", reader.upto.position, end);
        let reader = pour(to, "event_log", &piece.sheet.columns, reader, far).await?;
        upto = reader.upto;
        if reader.behind {
            break;
        }
        if upto.position != piece.upto {
            return Err(missing(piece));
        }
        if end == upto.position {
            break;
        }
    }
    Ok(upto)
}

fn missing(piece: &Piece) -> BackupError {
    BackupError::Damaged(format!("event {} is missing", piece.after + 1))
}

fn open(backup: &Backup, sheet: &Sheet) -> Result<Reader, BackupError> {
    let path = folder::file(&backup.path, sheet.number);
    Reader::open(&path, &backup.series.key, &sheet.id)
}

async fn copy_in(
    backup: &Backup,
    to: &mut PgConnection,
    table: &str,
    sheet: &Sheet,
) -> Result<(), BackupError> {
    let reader = open(backup, sheet)?;
    pour(to, table, &sheet.columns, reader, |_| {}).await?;
    Ok(())
}

/// Copies rows into a table: a core decrypts the next part while the database takes this one.
async fn pour<S: Source>(
    to: &mut PgConnection,
    table: &str,
    columns: &str,
    source: S,
    mut far: impl FnMut(&S),
) -> Result<S, BackupError> {
    let copy = format!("copy public.{table} ({columns}) from stdin (format binary)");
    let mut sink = to.copy_in_raw(&copy).await?;
    let part = |mut source: S| {
        tokio::task::spawn_blocking(move || {
            let part = source.next();
            (source, part)
        })
    };
    let mut next = part(source);
    loop {
        let (source, bytes) = next.await?;
        far(&source);
        match bytes {
            Ok(Some(bytes)) => {
                next = part(source);
                sink.send(bytes).await?;
            }
            Ok(None) => {
                sink.finish().await?;
                return Ok(source);
            }
            Err(error) => {
                sink.abort("the backup can't be read").await?;
                return Err(error);
            }
        }
    }
}
