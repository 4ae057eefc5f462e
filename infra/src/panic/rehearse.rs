//! A panic and a restore on a scratch copy of the store, while the site stays open: it proves that this
//! password brings this store back, byte for byte.

use std::sync::Arc;

use domain::Position;
use domain::vault::State;
use sqlx::{Executor as _, PgPool};
use zeroize::Zeroizing;

use super::restore::{self, NotRestored};
use super::{WorkError, pass, seal};
use crate::audit::{Audit, AuditError, Verified};
use crate::postgres;
use crate::vault::{Slot, Vault, VaultError};

/// The schema of the copy.
const SCHEMA: &str = "rehearsal";

/// Why the rehearsal failed: each is a reason to look at once.
#[derive(Debug, thiserror::Error)]
pub enum NotRehearsed {
    /// The password doesn't open the slot, or there is none.
    #[error(transparent)]
    Restore(#[from] NotRestored),
    /// The copy came back otherwise than it went.
    #[error("the copy came back otherwise: root {found} in place of {expected}")]
    Differs {
        /// The root before.
        expected: String,
        /// The root afterwards.
        found: String,
    },
    /// The log itself, or its copy, doesn't fit together.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl From<WorkError> for NotRehearsed {
    fn from(error: WorkError) -> Self {
        Self::Restore(error.into())
    }
}

impl From<sqlx::Error> for NotRehearsed {
    fn from(error: sqlx::Error) -> Self {
        WorkError::from(error).into()
    }
}

/// Rehearses with the slot as it stands; `seen` is told what is being done.
pub async fn run(
    pool: &PgPool,
    vault: &Arc<Vault>,
    password: Zeroizing<String>,
    mut seen: impl FnMut(&str),
) -> Result<Verified, NotRehearsed> {
    let slot = vault.panic_slot().await.map_err(NotRestored::from)?;
    let slot = slot.ok_or(NotRestored::NoPassword)?;
    seen("trying the password");
    let proving = {
        let (vault, slot) = (Arc::clone(vault), slot.clone());
        tokio::task::spawn_blocking(move || vault.proves(&slot, &password).map(|_| password)).await
    };
    let password = proving
        .map_err(|_| NotRestored::from(crate::vault::NotOpened::Tampered))?
        .map_err(NotRestored::from)?;
    seen("copying the store");
    copy(pool).await?;
    let scratch = postgres::within(pool, SCHEMA, 4).await?;
    let done = scratch_run(pool, &scratch, vault, slot, password, &mut seen).await;
    scratch.close().await;
    drop(pool).await?;
    done
}

/// Copies what a restore needs; the wrapping key isn't among it.
async fn copy(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut statements = format!(
        "drop schema if exists {SCHEMA} cascade; create schema {SCHEMA};
         comment on schema {SCHEMA} is '{}';",
        crate::replay::MARK
    );
    let tables = [
        "event_log",
        "command_log",
        "data_key",
        "vault",
        "panic_slot",
    ];
    for table in tables {
        statements = format!(
            "{statements}
             create unlogged table {SCHEMA}.{table} (like public.{table} including all);
             insert into {SCHEMA}.{table} select * from public.{table};"
        );
    }
    statements = format!(
        "{statements}
         create table {SCHEMA}.keyring (like public.keyring);
         create table {SCHEMA}.outer_key (like public.outer_key including all);
         create view {SCHEMA}.stored_event as select stream_id from {SCHEMA}.event_log;"
    );
    // One snapshot for all of it.
    let mut transaction = pool.begin().await?;
    transaction
        .execute("set transaction isolation level repeatable read")
        .await?;
    transaction.execute(statements.as_str()).await?;
    transaction.commit().await
}

async fn drop(pool: &PgPool) -> Result<(), sqlx::Error> {
    postgres::execute(pool, &format!("drop schema if exists {SCHEMA} cascade")).await
}

async fn scratch_run(
    pool: &PgPool,
    scratch: &PgPool,
    vault: &Arc<Vault>,
    slot: Slot,
    password: Zeroizing<String>,
    seen: &mut impl FnMut(&str),
) -> Result<Verified, NotRehearsed> {
    let last: Option<i64> = sqlx::query_scalar("select max(position) from event_log")
        .fetch_one(scratch)
        .await?;
    let upto = Some(Position(last.unwrap_or(0)));
    seen("proving the log");
    let before = Audit::new(pool.clone(), Arc::clone(vault));
    let before = before.verify(upto, |_, _| {}).await?;
    seen("encrypting the copy");
    let sealed = format!("update vault set state = '{}'", State::Sealed.name());
    scratch.execute(sealed.as_str()).await?;
    let on = seal::fresh(scratch).await?;
    pass::ON.run(scratch, Box::new(on)).await?;
    seen("trying the password on the copy");
    let proved = restore::prove(scratch, slot, password).await?;
    let restoring = format!("update vault set state = '{}'", State::Restoring.name());
    scratch.execute(restoring.as_str()).await?;
    seen("decrypting the copy");
    let copy = Arc::new(Vault::closed(scratch.clone()));
    proved.peel(scratch, &copy).await?;
    seen("proving the copy");
    let after = Audit::new(scratch.clone(), copy);
    let after = after.verify(upto, |_, _| {}).await?;
    if after == before {
        Ok(after)
    } else {
        Err(NotRehearsed::Differs {
            expected: before.root,
            found: after.root,
        })
    }
}

impl From<VaultError> for NotRehearsed {
    fn from(error: VaultError) -> Self {
        Self::Restore(error.into())
    }
}
