//! The vault's desk: it follows how the vault stands, makes this node dark when it is sealed or cut off,
//! and does what pages ask of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::front::Front;
use api::vault::{NotDone, Secret, Sheet, Standing};
use async_trait::async_trait;
use commands::{Commands, Refusal};
use domain::id::MemberId;
use domain::vault::{Rejection, State};
use domain::{Actor, Position};
use infra::panic::restore::{self, NotRestored};
use infra::panic::{WorkError, seal};
use infra::postgres::{Heard, Pool};
use infra::step;
use infra::vault::{self, NotOpened, Row, Vault, VaultError, state};
use tokio::sync::watch;
use tracker::Tracker;

use super::reserve;
use crate::config::Config;
use crate::panic::password::{self, PasswordError};
use crate::store::Store;

/// How long a node serves without a word from the database on how the vault stands; with [`PATIENCE`]
/// and [`LOOK`] it is dark within five seconds.
const LEASE: Duration = Duration::from_secs(3);
/// How long it waits for such a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it asks, besides being told.
const LOOK: Duration = Duration::from_secs(1);

/// The vault's desk.
#[derive(Debug)]
pub(crate) struct Desk {
    pool: Pool,
    vault: Arc<Vault>,
    data: PathBuf,
    key: PathBuf,
    work: u8,
    tracker: Tracker,
    /// Whether somebody else could seal the vault without this node's database.
    leased: bool,
    front: Mutex<Option<Arc<Front>>>,
    commands: Mutex<Option<Commands>>,
    standing: watch::Sender<Standing>,
    /// Whether this node went dark.
    dark: watch::Sender<bool>,
    /// Held by who tries a Panic Password: one at a time, for each costs 256 MiB.
    trying: Arc<tokio::sync::Mutex<()>>,
}

impl Desk {
    pub(super) fn new(config: &Config, store: &Store, tracker: Tracker) -> Self {
        Self {
            pool: store.pools.log.clone(),
            vault: Arc::clone(&store.vault),
            data: config.data_dir.clone(),
            key: config.key_path(),
            work: config.vault.work,
            tracker,
            // Who has the embedded database's folder has the one program that serves from it.
            leased: !config.database.url.is_empty(),
            front: Mutex::default(),
            commands: Mutex::default(),
            standing: watch::channel(Standing::default()).0,
            dark: watch::channel(false).0,
            trying: Arc::default(),
        }
    }

    /// Says what shall go dark with this node.
    pub(super) fn guard(&self, front: Arc<Front>) {
        *lock(&self.front) = Some(front);
    }

    /// Takes the write side of a vault that was opened.
    pub(super) fn opened(&self, commands: Commands) {
        *lock(&self.commands) = Some(commands);
        self.dark.send_replace(false);
        self.say(None);
    }

    /// Wakes when this node goes dark.
    pub(super) fn dark(&self) -> watch::Receiver<bool> {
        self.dark.subscribe()
    }

    /// Tells whether the vault is sealed, or on its way there or back.
    pub(super) fn is_sealed(&self) -> bool {
        self.standing.borrow().state != State::Open
    }

    /// Tells on pages why this node doesn't serve, or what it does before it serves.
    pub(super) fn say(&self, trouble: Option<String>) {
        self.standing
            .send_modify(|standing| standing.trouble = trouble);
    }

    /// Tells on pages how far something is.
    pub(super) fn doing(&self, doing: &str, done: i64, total: i64) {
        self.standing.send_modify(|standing| {
            doing.clone_into(&mut standing.doing);
            (standing.done, standing.total) = (done, total);
        });
    }

    /// Follows how the vault stands until `stop` turns true.
    pub(super) async fn watch(&self, mut stop: watch::Receiver<bool>) {
        let mut heard = Heard::on(&self.pool, state::CHANNEL);
        let mut seen = Instant::now();
        while !*stop.borrow() {
            match tokio::time::timeout(PATIENCE, state::read(&self.pool)).await {
                Ok(Ok(row)) => {
                    seen = Instant::now();
                    self.judge(row.unwrap_or_default());
                }
                Ok(Err(_)) | Err(_) if self.leased && seen.elapsed() > LEASE => self.cut_off(),
                Ok(Err(_)) | Err(_) => {}
            }
            tokio::select! {
                () = heard.next() => {}
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Goes dark where the vault stands otherwise than this node's keys.
    fn judge(&self, row: Row) {
        // A row of before the keys were taken up says nothing of them.
        if self.vault.epoch().is_some_and(|epoch| epoch < row.epoch) {
            if row.state == State::Open {
                tracing::warn!("the keys were changed elsewhere; this node takes them up anew");
            }
            self.go_dark();
            self.destroy_key(&row);
        }
        let open = row.state == State::Open;
        self.standing.send_if_modified(|standing| {
            let before = standing.clone();
            standing.state = row.state;
            if !open {
                standing.doing = row.doing;
                (standing.done, standing.total) = (row.done, row.total);
                standing.trouble = row.trouble;
            }
            *standing != before
        });
    }

    fn cut_off(&self) {
        if self.vault.is_open() {
            tracing::error!("the database says nothing of the vault; this node goes dark");
            self.go_dark();
            self.say(Some(
                "This node can't reach the database, so it can't know whether the vault was sealed."
                    .to_owned(),
            ));
        }
    }

    /// Makes this node dark at once: no page, no announce, no key.
    fn go_dark(&self) {
        if let Some(front) = lock(&self.front).as_ref() {
            front.close();
        }
        self.tracker.close();
        self.vault.forget();
        *lock(&self.commands) = None;
        self.dark.send_replace(true);
    }

    /// Destroys the master key's file where the vault is sealed.
    fn destroy_key(&self, row: &Row) {
        if row.state != State::Open
            && let Err(error) = vault::destroy_key(&self.key, row)
        {
            tracing::error!(%error, "the master key's file is still there: remove it by hand");
        }
    }

    /// Seals the vault in somebody's name.
    pub(super) async fn panic(&self, by: Actor) -> Result<(), NotDone> {
        let commands = self.commands()?;
        password::slot(&commands, &self.vault)
            .await
            .map_err(|error| not_done(&error))?;
        reserve::free(&self.data);
        match commands.seal(by).await {
            Ok(_) | Err(Refusal::Rejected(Rejection::Sealed)) => {}
            Err(Refusal::Rejected(rejection)) => {
                return Err(NotDone::Refused(rejection.to_string()));
            }
            // Somebody else may have been faster: then it is as it should be.
            Err(_) => match state::read(&self.pool).await {
                Ok(Some(row)) if row.state != State::Open => {}
                _ => return Err(NotDone::Away),
            },
        }
        self.standing
            .send_modify(|standing| standing.state = State::Sealing);
        step::reached("committed");
        self.go_dark();
        if let Ok(Some(row)) = state::read(&self.pool).await {
            self.destroy_key(&row);
        }
        step::reached("key destroyed");
        // Whoever still reads by a connection of ours, on whatever node, is cut off.
        if let Err(error) = seal::cut_off(&self.pool).await {
            tracing::warn!(%error, "open connections couldn't be ended");
        }
        Ok(())
    }

    fn commands(&self) -> Result<Commands, NotDone> {
        let commands = lock(&self.commands).clone();
        commands.ok_or_else(|| NotDone::Refused("the vault is sealed already".to_owned()))
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is told as it is")]
fn not_done(error: &PasswordError) -> NotDone {
    match error {
        PasswordError::NotOpened(NotOpened::Wrong) => NotDone::Wrong,
        PasswordError::Away => NotDone::Away,
        other => NotDone::Refused(other.to_string()),
    }
}

#[async_trait]
impl api::vault::Vault for Desk {
    fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    async fn sheet(&self) -> Result<Option<Sheet>, NotDone> {
        let slot = password::slot(&self.commands()?, &self.vault).await;
        let slot = slot.map_err(|error| not_done(&error))?;
        let sheet = |slot: vault::Slot| {
            let key = slot.fingerprint().to_string();
            let slot = serde_json::to_string(&slot).unwrap_or_default();
            Sheet { key, slot }
        };
        Ok(slot.map(sheet))
    }

    async fn set_password(
        &self,
        by: MemberId,
        old: Option<Secret>,
        new: Secret,
    ) -> Result<Position, NotDone> {
        let _alone = self.trying.try_lock().map_err(|_| NotDone::Busy)?;
        let commands = self.commands()?;
        let set = password::set(
            &commands,
            &self.vault,
            Actor::Member(by),
            old,
            new,
            self.work,
        );
        let (position, _) = set.await.map_err(|error| not_done(&error))?;
        Ok(position)
    }

    async fn seal(&self, by: MemberId) -> Result<(), NotDone> {
        self.panic(Actor::Member(by)).await
    }

    async fn restore(&self, password: Secret) -> Result<(), NotDone> {
        let trying = Arc::clone(&self.trying);
        let alone = trying.try_lock_owned().map_err(|_| NotDone::Busy)?;
        let slot = restore::slot(&self.pool, &self.key)
            .await
            .map_err(refused)?;
        let proved = restore::prove(&self.pool, slot, password)
            .await
            .map_err(refused)?;
        let (pool, key) = (self.pool.clone(), self.key.clone());
        // It goes on when the page that asked is closed.
        tokio::spawn(async move {
            match proved.run(&pool, &key, Actor::System).await {
                Ok(restored) => {
                    tracing::info!(events = restored.moved.rows, "the vault is restored");
                }
                Err(error) => tracing::error!(%error, "the restore stopped; it may be begun again"),
            }
            drop(alone);
        });
        Ok(())
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is told as it is")]
fn refused(error: NotRestored) -> NotDone {
    match error {
        NotRestored::NotOpened(NotOpened::Wrong) => NotDone::Wrong,
        NotRestored::Work(WorkError::Database(_) | WorkError::Vault(VaultError::Database(_))) => {
            NotDone::Away
        }
        other => NotDone::Refused(other.to_string()),
    }
}
