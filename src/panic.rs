//! The Panic Password at the command line: setting it, and the way back to a lost master key by it.
//! Passwords come from the terminal or from standard input,
//! never from an argument.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail, ensure};
use commands::ports::PanicSlot;
use domain::Actor;
use infra::vault::{Slot, Vault};
use serde_json::json;
use zeroize::Zeroizing;

use crate::announcement;
use crate::cli;
use crate::config::Config;
use crate::store::Store;

/// The fewest characters of a Panic Password.
const SHORTEST: usize = 12;

/// A password that is wiped when it is dropped.
type Password = Zeroizing<String>;

/// Tells how the vault stands, sets the Panic Password, or brings the master key back by it.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Panic,
    json: bool,
) -> anyhow::Result<()> {
    if let cli::Panic::Restore = command {
        return restore(config, json).await;
    }
    let store = Store::open(config).await?;
    let done = if let cli::Panic::Password = command {
        password(&store, config, json).await
    } else {
        status(&store, json).await
    };
    store.close().await?;
    done
}

async fn restore(config: &Config, json: bool) -> anyhow::Result<()> {
    Store::restore_key(config, ask("The Panic Password")?).await?;
    let value = json!({ "state": "open" });
    announcement::answer(json, &value, "the master key is back, and the vault opens");
    Ok(())
}

async fn status(store: &Store, json: bool) -> anyhow::Result<()> {
    let slot = slot(store).await?;
    let value = json!({ "state": "open", "done": 0, "total": 0, "password": slot.is_some() });
    let text = if slot.is_some() {
        "the vault is open, and there is a Panic Password"
    } else {
        "the vault is open, and there is no Panic Password: `opentracker panic password` sets it"
    };
    announcement::answer(json, &value, text);
    Ok(())
}

/// Gives the panic slot, if the log and the vault both vouch for it.
async fn slot(store: &Store) -> anyhow::Result<Option<Slot>> {
    let (logged, slot) = (
        store.commands.panic_key().await?,
        store.vault.panic_slot().await?,
    );
    let vouched = match &slot {
        Some(slot) => store.vault.made(slot) && logged == Some(slot.fingerprint()),
        None => logged.is_none(),
    };
    ensure!(
        vouched,
        "the panic slot was tampered with: no password opens the way back; put the table panic_slot back from a backup"
    );
    Ok(slot)
}

async fn password(store: &Store, config: &Config, json: bool) -> anyhow::Result<()> {
    let old = slot(store).await?;
    if let Some(slot) = &old {
        let given = ask("The Panic Password of today")?;
        proved(&store.vault, slot, given).await?;
    }
    let new = ask(&format!(
        "The new Panic Password, at least {SHORTEST} characters"
    ))?;
    ensure!(
        new.chars().count() >= SHORTEST,
        "a Panic Password has at least {SHORTEST} characters; nothing was changed"
    );
    if std::io::stdin().is_terminal() {
        ensure!(
            ask("Once more")? == new,
            "the two differ; nothing was changed"
        );
    }
    let (vault, work) = (std::sync::Arc::clone(&store.vault), config.vault.work);
    let made = tokio::task::spawn_blocking(move || vault.new_slot(&new, work)).await??;
    let row = PanicSlot {
        key: made.fingerprint(),
        row: serde_json::to_string(&made)?,
    };
    let position = match old {
        Some(old) => {
            let from = old.fingerprint();
            let changed = store
                .commands
                .change_panic_password(Actor::Operator, from, row);
            changed.await?
        }
        None => {
            store
                .commands
                .set_panic_password(Actor::Operator, row)
                .await?
        }
    };
    let value = json!({ "key": made.fingerprint(), "position": position });
    announcement::answer(
        json,
        &value,
        "the Panic Password is set; keep it where no one machine can lose it",
    );
    Ok(())
}

async fn proved(vault: &std::sync::Arc<Vault>, slot: &Slot, given: Password) -> anyhow::Result<()> {
    let (vault, slot) = (std::sync::Arc::clone(vault), slot.clone());
    let proved = tokio::task::spawn_blocking(move || vault.proves(&slot, &given)).await?;
    if let Err(error) = proved {
        bail!("{error}; nothing was changed");
    }
    Ok(())
}

/// Reads a password from the terminal, without showing it, or a line of standard input.
fn ask(what: &str) -> anyhow::Result<Password> {
    if std::io::stdin().is_terminal() {
        return Ok(Zeroizing::new(rpassword::prompt_password(format!(
            "{what}: "
        ))?));
    }
    let mut line = Zeroizing::new(String::new());
    let read = std::io::stdin().lock().read_line(&mut line);
    ensure!(
        read.context("standard input can't be read")? > 0,
        "{what} is missing: write it to standard input, one a line"
    );
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}
