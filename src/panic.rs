//! Panic and restore at the command line. Passwords and shares come from the terminal or from standard
//! input, never from an argument.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use api::vault::{PHRASE, SHORTEST, Secret};
use domain::Actor;
use domain::vault::State;
use infra::panic::restore::{self, Proved};
use infra::panic::{WorkError, rehearse, seal};
use infra::step;
use infra::vault::{self, Row, share, state};
use serde_json::json;

use crate::announcement::{self, Progress};
use crate::cli;
use crate::config::Config;
use crate::serve::reserve;
use crate::store::Store;

pub(crate) mod password;

pub(crate) use password::PasswordError;

/// How often a look at the state is tried.
const LOOKS: u32 = 3;
/// How often the progress of others is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Does what is asked of the vault.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Panic,
    json: bool,
) -> anyhow::Result<()> {
    match command {
        cli::Panic::Status => {
            // A panic at this moment ends every connection, also of who only looks.
            let mut looks = 1;
            loop {
                match look(config, json).await {
                    Err(_) if looks < LOOKS => looks += 1,
                    told => return told,
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        cli::Panic::Restore { shares } => {
            let store = Store::open_closed(config).await?;
            let done = restore(&store, config, *shares, json).await;
            store.close().await?;
            done
        }
        cli::Panic::Activate { confirm } => {
            ensure!(
                confirm == PHRASE,
                "nothing was done: say --confirm {PHRASE} to make everything unreadable"
            );
            let store = Store::open_any(config).await?;
            let done = activate(&store, config, json).await;
            store.close().await?;
            done
        }
        cli::Panic::Password
        | cli::Panic::Rehearse
        | cli::Panic::Rotate
        | cli::Panic::Split { .. } => {
            let store = Store::open(config).await?;
            let done = with_keys(&store, config, command, json).await;
            store.close().await?;
            done
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest needs no keys")]
async fn with_keys(
    store: &Store,
    config: &Config,
    command: &cli::Panic,
    json: bool,
) -> anyhow::Result<()> {
    match command {
        cli::Panic::Rehearse => rehearsal(store, json).await,
        cli::Panic::Rotate => rotate(store, config, json).await,
        cli::Panic::Split { shares, needed } => split(store, *shares, *needed, json).await,
        _ => set(store, config, json).await,
    }
}

async fn look(config: &Config, json: bool) -> anyhow::Result<()> {
    let store = Store::open_any(config).await?;
    let told = status(&store, json).await;
    store.close().await?;
    told
}

async fn status(store: &Store, json: bool) -> anyhow::Result<()> {
    let row = state::read(&store.pools.log).await?.unwrap_or_default();
    let password = if row.state == State::Open {
        let slot = password::slot(&store.commands, &store.vault).await?;
        slot.is_some()
    } else {
        store.vault.panic_slot().await?.is_some()
    };
    let value = json!({
        "state": row.state.name(), "doing": row.doing, "done": row.done, "total": row.total,
        "trouble": row.trouble, "password": password,
    });
    let mut text = format!("the vault is {}", row.state.name());
    if row.total > 0 && !row.doing.is_empty() {
        text = format!("{text}: {}, {} of {}", row.doing, row.done, row.total);
    }
    if let Some(trouble) = &row.trouble {
        text = format!("{text}\nit waits: {trouble}");
    }
    text.push_str(match (row.state, password) {
        (State::Open, true) => "\nthere is a Panic Password",
        (State::Open, false) => {
            "\nthere is no Panic Password: `opentracker panic password` sets it"
        }
        _ => "\n`opentracker panic restore` and the Panic Password bring everything back",
    });
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn activate(store: &Store, config: &Config, json: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    if store.vault.is_open() {
        let slot = password::slot(&store.commands, &store.vault).await?;
        ensure!(slot.is_some(), "{}; nothing was done", PasswordError::None);
        reserve::free(&config.data_dir);
        store.commands.seal(Actor::Operator).await?;
        step::reached("committed");
        store.vault.forget();
        let row = state::read(&store.pools.log).await?.unwrap_or_default();
        vault::destroy_key(&config.key_path(), &row)?;
        step::reached("key destroyed");
        seal::cut_off(&store.pools.log).await?;
        step::reached("cut off");
        let dark = began.elapsed().as_millis();
        if !json {
            announcement::print(&format!("everything is dark after {dark} ms"));
        }
    }
    sealed(store).await?;
    let row = state::read(&store.pools.log).await?.unwrap_or_default();
    let value = json!({ "state": row.state.name(), "done": row.done, "total": row.total });
    let text = "the vault is sealed: the Panic Password alone brings it back, by `opentracker panic restore` or on the site's page";
    announcement::answer(json, &value, text);
    Ok(())
}

/// Seals on, or watches who does, until the vault is sealed.
async fn sealed(store: &Store) -> anyhow::Result<()> {
    let pool = &store.pools.log;
    let projections = projections::all(&store.keys());
    let work = async {
        loop {
            match seal::run(pool, &store.pools.read, &projections).await {
                Ok(_) => return Ok(()),
                // A server beside does it, or this command's own connections were cut off with the rest.
                Err(WorkError::Busy | WorkError::Database(_)) => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(error),
            }
        }
    };
    Ok(watched(store, work).await?)
}

/// Shows how far the vault's row says that something is while it is done.
async fn watched<T>(store: &Store, work: impl Future<Output = T>) -> T {
    let mut progress = Progress::new("events");
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(LOOK) => {
                if let Ok(Some(Row { done, total, .. })) = state::read(&store.pools.log).await {
                    progress.show(done, (total > 0).then_some(total));
                }
            }
        }
    }
}

async fn restore(store: &Store, config: &Config, shares: bool, json: bool) -> anyhow::Result<()> {
    let (pool, path) = (&store.pools.log, config.key_path());
    let slot = restore::slot(pool, &path).await?;
    let proved: Proved = if shares {
        let given = lines()?;
        let secret = share::join(&slot.fingerprint(), &given).context("nothing was changed")?;
        restore::prove_by(pool, &slot, &secret).await?
    } else {
        restore::prove(pool, slot, ask("The Panic Password")?).await?
    };
    let began = Instant::now();
    let restored = watched(store, proved.run(pool, &path, Actor::Operator)).await?;
    let seconds = began.elapsed().as_secs_f64();
    let rows = restored.moved.rows;
    let value = json!({
        "state": "open", "position": restored.position, "decrypted": rows,
        "damaged": restored.moved.left, "seconds": (seconds * 100.0).round() / 100.0,
    });
    let mut text = match restored.position {
        None => "the master key is back, and the vault opens".to_owned(),
        Some(position) => format!(
            "the vault is open again from event {position} on; the projections are replayed at the next start, or by the server that runs"
        ),
    };
    if restored.moved.left > 0 {
        text = format!(
            "{text}\n{} events were changed while the log was sealed and don't open: run `opentracker audit verify`",
            restored.moved.left
        );
    }
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn set(store: &Store, config: &Config, json: bool) -> anyhow::Result<()> {
    let standing = password::slot(&store.commands, &store.vault).await?;
    let old = match &standing {
        None => None,
        Some(slot) => {
            let given = ask("The Panic Password of today")?;
            let proved = password::prove(&store.vault, slot, given.clone()).await;
            proved.context("nothing was changed")?;
            Some(given)
        }
    };
    let new = ask(&format!(
        "The new Panic Password, at least {SHORTEST} characters"
    ))?;
    if std::io::stdin().is_terminal() {
        ensure!(
            ask("Once more")? == new,
            "the two differ; nothing was changed"
        );
    }
    let (commands, vault) = (&store.commands, &store.vault);
    let set = password::set(
        commands,
        vault,
        Actor::Operator,
        old,
        new,
        config.vault.work,
    );
    let (position, slot) = set.await.context("nothing was changed")?;
    let value = json!({ "key": slot.fingerprint(), "position": position });
    let text = "the Panic Password is set; keep it where no one machine can lose it";
    announcement::answer(json, &value, text);
    Ok(())
}

async fn rehearsal(store: &Store, json: bool) -> anyhow::Result<()> {
    let password = ask("The Panic Password")?;
    let began = Instant::now();
    let said = |what: &str| {
        if std::io::stderr().is_terminal() {
            announcement::print(&format!("{what} …"));
        }
    };
    let proved = rehearse::run(&store.pools.log, &store.vault, password, said).await?;
    let seconds = (began.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    let value = json!({
        "ok": true, "events": proved.events, "position": proved.position, "root": proved.root,
        "seconds": seconds,
    });
    let text = format!(
        "this password brings this store back: a copy of all {} events went and came, with the same root\nroot  {}",
        proved.events, proved.root
    );
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn rotate(store: &Store, config: &Config, json: bool) -> anyhow::Result<()> {
    password::slot(&store.commands, &store.vault).await?;
    let path = config.key_path();
    let rotated = store.vault.rotate(&path).await?;
    let position = store
        .commands
        .rotate_keys(Actor::Operator, rotated.row()?)
        .await?;
    store.vault.rotated(&path).await?;
    let value = json!({ "position": position });
    let text = format!(
        "there is another master key in {}, and new events are sealed under new data keys; copy the file to every other node, and keep a copy apart from the database's backups",
        path.display()
    );
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn split(store: &Store, among: u8, needed: u8, json: bool) -> anyhow::Result<()> {
    ensure!(
        (2..=among).contains(&needed),
        "--needed must be from 2 to the number of shares"
    );
    let slot = password::slot(&store.commands, &store.vault).await?;
    let Some(slot) = slot else {
        bail!(PasswordError::None)
    };
    let given = ask("The Panic Password")?;
    password::prove(&store.vault, &slot, given.clone()).await?;
    let making = slot.clone();
    let secret = tokio::task::spawn_blocking(move || making.secret(&given)).await??;
    let shares = share::split(&slot, &secret, needed, among);
    let texts: Vec<&str> = shares.iter().map(|share| share.as_str()).collect();
    let value = json!({ "needed": needed, "shares": texts });
    let text = format!(
        "{}\n\nGive each line to another person, on paper. Any {needed} of them bring everything back by `opentracker panic restore --shares`, until the Panic Password is changed.",
        texts.join("\n")
    );
    announcement::answer(json, &value, &text);
    Ok(())
}

/// Reads a password from the terminal, without showing it, or a line of standard input.
pub(crate) fn ask(what: &str) -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        return Ok(Secret::new(rpassword::prompt_password(format!(
            "{what}: "
        ))?));
    }
    let mut line = Secret::default();
    let read = std::io::stdin().lock().read_line(&mut line);
    ensure!(
        read.context("standard input can't be read")? > 0,
        "{what} is missing: write it to standard input, one a line"
    );
    Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads shares, one a line, up to an empty line or the end.
pub(crate) fn lines() -> anyhow::Result<Vec<Secret>> {
    let mut lines = vec![];
    loop {
        let mut line = Secret::default();
        if std::io::stdin().is_terminal() {
            let prompt = format!("Share {}, or nothing where that was all: ", lines.len() + 1);
            line = Secret::new(rpassword::prompt_password(prompt)?);
        } else {
            std::io::stdin().lock().read_line(&mut line)?;
        }
        if line.trim().is_empty() {
            return Ok(lines);
        }
        lines.push(line);
    }
}
