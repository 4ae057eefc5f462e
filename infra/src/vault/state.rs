//! The vault's row beside the log: how it stands, and how far what is being done about it is.

use domain::vault::State;
use sqlx::{PgConnection, PgExecutor};

/// The channel on which each change of the row is told.
pub const CHANNEL: &str = "vault";

/// The vault's row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// How it stands.
    pub state: State,
    /// Grows with each change of state or keys.
    pub epoch: i64,
    /// Says which master key it is without telling it.
    pub(crate) check: Vec<u8>,
    /// Whether the log has its outer layer.
    pub layered: bool,
    /// What is being done; empty while nothing is.
    pub doing: String,
    /// How much of that is done.
    pub done: i64,
    /// How much there is to do.
    pub total: i64,
    /// Why it waits.
    pub trouble: Option<String>,
}

/// Gives the vault's row, unless the store is new.
pub async fn read(from: impl PgExecutor<'_>) -> Result<Option<Row>, sqlx::Error> {
    type Columns = (String, i64, Vec<u8>, bool, String, i64, i64, Option<String>);
    let row: Option<Columns> = sqlx::query_as(
        "select state, epoch, key_check, layered, doing, done, total, trouble from vault",
    )
    .fetch_optional(from)
    .await?;
    let Some((state, epoch, check, layered, doing, done, total, trouble)) = row else {
        return Ok(None);
    };
    let state = State::named(&state).ok_or_else(|| sqlx::Error::Decode(state.into()))?;
    Ok(Some(Row {
        state,
        epoch,
        check,
        layered,
        doing,
        done,
        total,
        trouble,
    }))
}

/// Tells whether the vault stands in one of some states, and lets it stand there until the transaction ends.
pub(crate) async fn stands(
    within: &mut PgConnection,
    states: &[State],
) -> Result<bool, sqlx::Error> {
    let names: Vec<&str> = states.iter().map(|state| state.name()).collect();
    let query = "select state = any($1) from vault for share";
    let stands: Option<bool> = sqlx::query_scalar(query)
        .bind(names)
        .fetch_optional(within)
        .await?;
    Ok(stands.unwrap_or(false))
}

/// Moves the vault from one of some states to another; tells whether it stood in one of them.
pub(crate) async fn shift(
    to: &mut PgConnection,
    from: &[State],
    state: State,
) -> Result<bool, sqlx::Error> {
    let from: Vec<&str> = from.iter().map(|state| state.name()).collect();
    let moved = sqlx::query(
        "update vault set state = $2, epoch = epoch + 1, doing = '', done = 0, total = 0, trouble = null
         where state = any($1)",
    )
    .bind(from)
    .bind(state.name())
    .execute(&mut *to)
    .await?;
    tell(to).await?;
    Ok(moved.rows_affected() == 1)
}

/// Notes how far something is.
pub(crate) async fn progress(
    to: impl PgExecutor<'_>,
    doing: &str,
    done: i64,
    total: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with noted as (update vault set doing = $1, done = $2, total = $3, trouble = null)
         select pg_notify('vault', '')",
    )
    .bind(doing)
    .bind(done)
    .bind(total)
    .execute(to)
    .await
    .map(|_| ())
}

/// Notes why the work waits.
pub(crate) async fn trouble(to: impl PgExecutor<'_>, why: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update vault set trouble = $1")
        .bind(why)
        .execute(to)
        .await
        .map(|_| ())
}

/// Wakes every node.
pub(crate) async fn tell(to: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_notify('vault', '')")
        .execute(to)
        .await
        .map(|_| ())
}
