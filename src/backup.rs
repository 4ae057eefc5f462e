//! Backups at the command line: made beside the running site, proved on a scratch database, restored into
//! an empty one.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use domain::Position;
use domain::audit;
use infra::backup::{self, At, Backup, BackupError, Found, Given, Made, Restored};
use infra::embedded::Embedded;
use infra::vault::share;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::announcement::{self, Progress};
use crate::cli;
use crate::config::Config;
use crate::panic::{ask, lines};
use crate::store::{self, Store};

/// What is said of what is in the database, and can't be proved there.
const UNPROVED: &str = "what was restored can't be proved: serve nothing from it, and empty the database or the data directory before you restore again";

/// Makes a backup, proves one, or brings one back.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Backup,
    json: bool,
) -> anyhow::Result<()> {
    match command {
        cli::Backup::Create { folder, anew } => {
            let store = Store::open_any(config).await?;
            let done = create(&store, folder, *anew, json).await;
            store.close().await?;
            done
        }
        cli::Backup::Verify { folder, opening } => verify(config, folder, opening, json).await,
        cli::Backup::Restore {
            folder,
            at,
            opening,
        } => {
            let at = moment(at.as_deref())?;
            restore(config, folder, opening, at, json).await
        }
    }
}

async fn create(store: &Store, folder: &Path, anew: bool, json: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut progress = Progress::new("events");
    let seen = |at, of| progress.show(at, Some(of));
    let made = backup::create(&store.pools.log, &store.vault, folder, anew, seen).await;
    let made = made.context("no backup was made, and the one before is as it was")?;
    drop(progress);
    let rate = rate(made.added, began.elapsed());
    let noted = !made.sealed && note(store, (made.position, &made.root), false).await;
    let value = json!({
        "series": made.series, "began": made.began, "position": made.position, "added": made.added,
        "bytes": made.bytes, "chain": made.chain, "root": made.root, "sealed": made.sealed,
        "password": made.password, "events_per_s": rate, "noted": noted,
    });
    announcement::answer(json, &value, &told(&made, rate));
    Ok(())
}

/// Notes in the log that a backup was made or proved; tells whether that could be done, for the backup is
/// as good without it.
async fn note(store: &Store, (position, root): (i64, &str), proved: bool) -> bool {
    let noted = async {
        let backup = audit::Backup {
            upto: Position(position),
            root: audit::Digest::try_from(root.to_owned())?,
        };
        if proved {
            store.commands.note_proof(backup).await?;
        } else {
            store.commands.note_backup(backup).await?;
        }
        anyhow::Ok(())
    };
    noted
        .await
        .inspect_err(
            |error| tracing::warn!(%error, "the backup is good, and the site can't be told"),
        )
        .is_ok()
}

/// Notes that a backup was proved, where the site that it is of can be reached from here.
async fn note_proved(config: &Config, restored: &Restored) -> anyhow::Result<bool> {
    let given = Some(config.database.url.clone()).filter(|url| !url.is_empty());
    let Some(url) = given.or_else(|| Embedded::running(&config.data_dir)) else {
        return Ok(false);
    };
    let verified = &restored.verified;
    let position = verified.position.0;
    if !backup::is_of(&url, position, &verified.chain).await? {
        return Ok(false);
    }
    let store = Store::open(config).await?;
    let noted = note(&store, (position, &verified.root), true).await;
    store.close().await?;
    Ok(noted)
}

fn told(made: &Made, rate: f64) -> String {
    let mut text = format!(
        "{} events are in {}, {} of them new: {} bytes written, {rate:.0} events a second\nchain {}\nroot  {}",
        made.position,
        made.series.display(),
        made.added,
        made.bytes,
        made.chain,
        made.root
    );
    if made.began && made.series.file_name().is_some_and(|name| name != "0001") {
        text.push_str("\nanother series began; remove the folder of the one before as soon as you no longer want it");
    }
    text.push_str(match (made.sealed, made.password) {
        (true, _) => "\nthe site is sealed: the Panic Password alone opens this backup",
        (false, true) => {
            "\nthe master key's file opens this backup, and so does the Panic Password"
        }
        (false, false) => {
            "\nthere is no Panic Password: the master key's file alone opens this backup, so keep a copy of it elsewhere"
        }
    });
    text
}

/// Chooses what opens a backup: the file that is named, the master key that lies there, or the Panic
/// Password.
fn given(config: &Config, found: &Found, opening: &cli::Opening) -> anyhow::Result<Given> {
    if let Some(key) = &opening.key {
        ensure!(
            found.has_boot(),
            "this backup was made while the site was sealed: the Panic Password alone opens it; leave --key out"
        );
        return Ok(Given::Key(key.clone()));
    }
    let own = config.key_path();
    if !opening.shares && found.opens(&own) {
        return Ok(Given::Key(own));
    }
    let recipient = found.recipient().context(
        "this backup was made without a Panic Password: name the master key's file with --key",
    )?;
    let secret = if opening.shares {
        share::join(&recipient.fingerprint(), &lines()?)?
    } else {
        recipient.secret(&ask("The Panic Password")?)?
    };
    Ok(Given::Secret(secret))
}

fn open(config: &Config, folder: &Path, opening: &cli::Opening) -> anyhow::Result<Backup> {
    let found = backup::find(folder)?;
    let given = given(config, &found, opening)?;
    Ok(found.open(given, opening.root.as_deref())?)
}

/// Shows how far a restore is, step by step.
fn shown() -> impl FnMut(&'static str, i64, i64) {
    let mut progress = ("", Progress::new("events"));
    move |what, at, of| {
        if progress.0 != what {
            let name = if what == "loaded" {
                "events loaded"
            } else {
                "events proved"
            };
            progress = (what, Progress::new(name));
        }
        progress.1.show(at, Some(of));
    }
}

async fn verify(
    config: &Config,
    folder: &Path,
    opening: &cli::Opening,
    json: bool,
) -> anyhow::Result<()> {
    let backup = open(config, folder, opening)?;
    let place = config.data_dir.join("backup-scratch");
    let scratch = scratch(&place)?;
    let proved = backup::prove(&backup, scratch.url(), shown()).await;
    let removed = scratch.remove().map_err(anyhow::Error::from);
    let removed = removed.and_then(|()| {
        std::fs::remove_dir_all(&place)
            .with_context(|| format!("{} can't be removed", place.display()))
    });
    let proved = proved?;
    // A site that is sealed or away is told nothing.
    let noted = note_proved(config, &proved).await.unwrap_or(false);
    // The verdict comes first, whatever becomes of the scratch.
    answer(&backup, &proved, ("the backup is whole", Some(noted)), json)?;
    removed
}

/// Brings up an empty database; what a run that was killed left there goes first.
fn scratch(place: &Path) -> anyhow::Result<Embedded> {
    if place.exists() {
        Embedded::start(place)?.remove()?;
    }
    store::make_folder(place)?;
    Ok(Embedded::start(place)?)
}

async fn restore(
    config: &Config,
    folder: &Path,
    opening: &cli::Opening,
    at: At,
    json: bool,
) -> anyhow::Result<()> {
    let backup = open(config, folder, opening)?;
    let key = config.key_path();
    let restored = if config.database.url.is_empty() {
        store::make_folder(&config.data_dir)?;
        let embedded = Embedded::start(&config.data_dir)?;
        let done = backup::restore(&backup, embedded.url(), Some(&key), at, shown()).await;
        embedded.stop()?;
        done
    } else {
        backup::restore(&backup, &config.database.url, Some(&key), at, shown()).await
    };
    let restored = restored.map_err(|error| {
        let unproved = matches!(error, BackupError::Unproved(_));
        let error = anyhow::Error::from(error);
        if unproved {
            error.context(UNPROVED)
        } else {
            error
        }
    })?;
    let text = "the backup is restored; `opentracker serve` fills the read tables from it";
    answer(&backup, &restored, (text, None), json)
}

fn answer(
    backup: &Backup,
    restored: &Restored,
    (text, noted): (&str, Option<bool>),
    json: bool,
) -> anyhow::Result<()> {
    let verified = &restored.verified;
    let (load, prove) = (
        rate(verified.events, restored.loaded),
        rate(verified.events, restored.proved),
    );
    let made_at = backup.made_at().format(&Rfc3339)?;
    let mut value = json!({
        "ok": true, "made_at": made_at, "state": restored.state, "events": verified.events,
        "position": verified.position, "chain": verified.chain, "root": verified.root,
        "contents": restored.contents, "bytes": backup.bytes(),
        "load_per_s": load, "verify_per_s": prove,
    });
    if let (Some(noted), Some(fields)) = (noted, value.as_object_mut()) {
        fields.insert("noted".to_owned(), noted.into());
    }
    let mut text = format!(
        "{text}\nit was made at {made_at}: {} events, {load:.0} a second loaded, {prove:.0} a second proved\nchain {}\nroot  {}",
        verified.events, verified.chain, verified.root
    );
    if !restored.contents {
        text.push_str("\nit was made while the site was sealed, so the order and the hashes alone were proved; the Panic Password opens what is restored");
    }
    announcement::answer(json, &value, &text);
    Ok(())
}

fn moment(text: Option<&str>) -> anyhow::Result<At> {
    let Some(text) = text else {
        return Ok(At::End);
    };
    if let Ok(position) = text.parse() {
        return Ok(At::Position(position));
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).with_context(|| {
        format!("{text} is neither a position nor a time such as 2026-11-23T10:00:00Z")
    })?;
    Ok(At::Time(at))
}

fn rate(events: i64, took: Duration) -> f64 {
    let events = u32::try_from(events).map_or(f64::MAX, f64::from);
    (events / took.as_secs_f64().max(1e-6)).round()
}
