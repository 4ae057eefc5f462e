//! Everything back by the Panic Password, or by shares of what it makes.
//!
//! The password is proved first; whoever gives another one has changed nothing. Then, each step a
//! transaction, and each done again without harm after a crash: the vault is restoring, the outer layer
//! comes off, waiting traffic is credited, other keys are made, and with the event that says so the vault
//! is open. The master key's file takes its place last: until then it stands beside, and the next start
//! finds it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commands::Commands;
use domain::vault::State;
use domain::{Actor, Position};
use sqlx::{PgExecutor, PgPool};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::outer::Off;
use super::pass::{Moved, OFF};
use super::{Alone, RESTORE, WORK, WorkError, seal, traffic};
use crate::event_store::EventStore;
use crate::random;
use crate::seal::Key;
use crate::step;
use crate::vault::slot::Letter;
use crate::vault::{NotOpened, Opened, Row, Secret, Slot, Vault, VaultError, rotate, state};

/// How long the work that a restore ends may take to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why nothing is brought back.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    /// The vault is open, and this node has its key.
    #[error("the vault is open, and the master key {0} is there; nothing has to be restored")]
    There(String),
    /// Nobody ever set a Panic Password.
    #[error("this store has no Panic Password; put the master key back from your backup")]
    NoPassword,
    /// The slot doesn't open.
    #[error("{0}; nothing was changed")]
    NotOpened(#[from] NotOpened),
    /// The file or the database can't be used.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<VaultError> for NotRestored {
    fn from(error: VaultError) -> Self {
        Self::Work(error.into())
    }
}

/// The keys, opened and proved, and what they are for.
#[derive(Debug)]
pub struct Proved {
    opened: Opened,
    row: Row,
}

/// What a restore did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The position of the event that says so; none where only the key's file was missing.
    pub position: Option<Position>,
    /// What the pass over the log did.
    pub moved: Moved,
}

/// Gives the slot, where there is something to bring back.
pub async fn slot(pool: &PgPool, path: &Path) -> Result<Slot, NotRestored> {
    let row = state::read(pool).await.map_err(VaultError::from)?;
    if row.is_none_or(|row| row.state == State::Open) && path.exists() {
        return Err(NotRestored::There(path.display().to_string()));
    }
    Slot::stored(pool).await?.ok_or(NotRestored::NoPassword)
}

/// Proves a password; takes about a second of one core.
pub async fn prove(
    pool: &PgPool,
    slot: Slot,
    password: Zeroizing<String>,
) -> Result<Proved, NotRestored> {
    let made = {
        let slot = slot.clone();
        tokio::task::spawn_blocking(move || slot.secret(&password)).await
    };
    let secret = made.map_err(|_| NotOpened::Tampered)??;
    prove_by(pool, &slot, &secret).await
}

/// Proves the secret that a password makes.
pub async fn prove_by(
    from: impl PgExecutor<'_>,
    slot: &Slot,
    secret: &Secret,
) -> Result<Proved, NotRestored> {
    let opened = slot.open(secret)?;
    let row = state::read(from).await.map_err(VaultError::from)?;
    let row = row.ok_or(NotRestored::NoPassword)?;
    let check = crate::vault::key_check(&opened.master).map_err(VaultError::from)?;
    if !bool::from(check.ct_eq(&row.check)) {
        return Err(NotOpened::Tampered.into());
    }
    Ok(Proved { opened, row })
}

impl Proved {
    /// Gives the master key.
    pub(crate) fn master(&self) -> &Key {
        &self.opened.master
    }

    /// Brings everything back, or this node's key alone where the vault is open.
    pub async fn run(self, pool: &PgPool, path: &Path, by: Actor) -> Result<Restored, WorkError> {
        if self.row.state == State::Open {
            crate::vault::put_key(path, &self.opened.master)?;
            return Ok(Restored {
                position: None,
                moved: Moved::default(),
            });
        }
        let restoring = Alone::take(pool, RESTORE).await?;
        let done = self.restore(pool, path, by).await;
        if let Err(error) = &done {
            // The page tells it; the password may be given again.
            let _untold = state::trouble(pool, &error.to_string()).await;
        }
        restoring.end().await;
        done
    }

    async fn restore(&self, pool: &PgPool, path: &Path, by: Actor) -> Result<Restored, WorkError> {
        let mut transaction = pool.begin().await?;
        let from = [State::Sealing, State::Sealed, State::Restoring];
        let begun = state::shift(&mut transaction, &from, State::Restoring).await?;
        transaction.commit().await?;
        if !begun {
            return Err(WorkError::Moved);
        }
        step::reached("restoring");
        let working = Alone::wait(pool, WORK, PATIENCE).await?;
        let done = self.steps(pool, path, by).await;
        working.end().await;
        done
    }

    /// Takes the outer layer off, and lets a vault take up the keys.
    pub(super) async fn peel(&self, pool: &PgPool, vault: &Vault) -> Result<Moved, WorkError> {
        let moved = peel(pool, &self.opened).await?;
        let row = state::read(pool).await?.unwrap_or_default();
        let (master, wrapping) = (self.opened.master.clone(), self.opened.wrapping.clone());
        vault
            .take_up(master, wrapping, State::Restoring, row.epoch)
            .await?;
        Ok(moved)
    }

    async fn steps(&self, pool: &PgPool, path: &Path, by: Actor) -> Result<Restored, WorkError> {
        let vault = Arc::new(Vault::closed(pool.clone()));
        let moved = self.peel(pool, &vault).await?;
        let events = EventStore::new(pool.clone(), Arc::clone(&vault));
        let keys = Arc::<Vault>::clone(&vault);
        let commands = Commands::new(Arc::new(events), Arc::new(random::System), keys);
        credit(pool, &self.opened, &commands).await?;
        step::reached("credited");
        state::progress(pool, "making new keys", 0, 0).await?;
        let rotated = rotate::renew(pool, &self.opened.wrapping, path, false).await?;
        step::reached("next key");
        let position = commands.reopen(by, rotated.row()?).await;
        let position = position.map_err(|refusal| WorkError::Refused(refusal.to_string()))?;
        step::reached("reopened");
        crate::vault::adopt_key(path)?;
        step::reached("adopted");
        Ok(Restored {
            position: Some(position),
            moved,
        })
    }
}

/// Takes the outer layer off, where it was put on.
async fn peel(pool: &PgPool, opened: &Opened) -> Result<Moved, WorkError> {
    let row = state::read(pool).await?.unwrap_or_default();
    let moved = if row.layered {
        let off = Off::new(&outer_keys(pool, opened).await?);
        OFF.run(pool, Box::new(off)).await?
    } else {
        sqlx::query("drop table if exists event_log_outer")
            .execute(pool)
            .await?;
        Moved::default()
    };
    if moved.left > 0 {
        let left = moved.left;
        tracing::error!(
            left,
            "some events were changed while the log was sealed; run opentracker audit verify"
        );
    } else {
        sqlx::query("truncate outer_key").execute(pool).await?;
    }
    Ok(moved)
}

async fn outer_keys(pool: &PgPool, opened: &Opened) -> Result<Vec<(i32, Key)>, WorkError> {
    let ids: Vec<i32> = sqlx::query_scalar("select id from outer_key order by id")
        .fetch_all(pool)
        .await?;
    let mut keys = vec![];
    for id in ids {
        let letter: Letter =
            sqlx::query_as("select encapsulated, sealed from outer_key where id = $1")
                .bind(id)
                .fetch_one(pool)
                .await?;
        // One that was changed is missed where it was used, and nowhere else.
        let plain = opened.unseal(seal::INFO, &letter, b"").ok();
        let key = plain.and_then(|plain| Some(Key::new(plain.as_slice().try_into().ok()?)));
        keys.extend(key.map(|key| (id, key)));
    }
    Ok(keys)
}

/// Records the traffic that waited, each batch once.
async fn credit(pool: &PgPool, opened: &Opened, commands: &Commands) -> Result<(), WorkError> {
    let (batches, lost) = traffic::open(pool, opened).await?;
    if lost > 0 {
        tracing::error!(lost, "some waiting traffic doesn't open");
    }
    let total = i64::try_from(batches.len()).unwrap_or(0);
    for (done, (batch, day)) in (1..).zip(batches) {
        let recorded = commands.record(batch, day).await;
        recorded.map_err(|refusal| WorkError::Refused(refusal.to_string()))?;
        state::progress(pool, "crediting what waited", done, total).await?;
    }
    Ok(())
}
