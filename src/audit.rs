//! The auditor's tools at the command line. Whatever opens the log is noted in the log itself.

use std::io::{BufReader, Write as _};

use anyhow::{Context as _, bail};
use domain::{Actor, Position, Recorded, history};
use infra::audit::{AuditError, Verified};
use projections::history::{Filter, History};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::announcement::{self, Progress};
use crate::cli;
use crate::config::Config;
use crate::store::Store;

mod ledger;
mod replay;

/// Proves, looks up, writes out or replays.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Audit,
    json: bool,
) -> anyhow::Result<()> {
    if let cli::Audit::Verify {
        file: Some(file), ..
    } = command
    {
        let from = std::fs::File::open(file)
            .with_context(|| format!("{} can't be read", file.display()))?;
        let mut progress = Progress::new("events");
        let verified =
            infra::audit::verify_file(BufReader::new(from), |events| progress.show(events, None));
        return verdict(verified, &progress, true, json);
    }
    let store = if let cli::Audit::Verify { .. } = command {
        Store::open_any(config).await?
    } else {
        Store::open(config).await?
    };
    let done = with_store(&store, command, json).await;
    store.close().await?;
    done
}

async fn with_store(store: &Store, command: &cli::Audit, json: bool) -> anyhow::Result<()> {
    match command {
        cli::Audit::Verify { to, .. } => {
            let mut progress = Progress::new("events");
            let (audit, upto) = (store.audit(), to.map(Position));
            let contents = store.vault.is_open();
            let seen = |at: Position, of: Position| progress.show(at.0, Some(of.0));
            let verified = if contents {
                audit.verify(upto, seen).await
            } else {
                audit.verify_closed(upto, seen).await
            };
            verdict(verified, &progress, contents, json)
        }
        cli::Audit::Log { .. } => log(store, command, json).await,
        cli::Audit::Show { stream, at } => {
            show(store, &Stream::parse(stream)?, at.as_deref(), json).await
        }
        cli::Audit::Diff { stream, from, to } => {
            diff(store, &Stream::parse(stream)?, from, to.as_deref(), json).await
        }
        cli::Audit::Export => {
            note(store, "export").await?;
            let mut progress = Progress::new("events");
            let mut to = std::io::BufWriter::new(std::io::stdout());
            store
                .audit()
                .export(&mut to, |at, of| progress.show(at.0, Some(of.0)))
                .await?;
            Ok(to.flush()?)
        }
        cli::Audit::Ledger => {
            note(store, "ledger").await?;
            ledger::prove(store, json).await
        }
        cli::Audit::Replay { at, into } => {
            let upto = moment(store.history().as_ref(), at).await?;
            note(store, &format!("replay at {upto}")).await?;
            replay::into_schema(store, upto, into, json).await
        }
    }
}

async fn note(store: &Store, what: &str) -> anyhow::Result<()> {
    store.commands.note_reading(Actor::Operator, what).await?;
    Ok(())
}

/// Says whether a log fits together, its contents too or its hashes alone; exit status 1 where it
/// doesn't.
fn verdict(
    verified: Result<Verified, AuditError>,
    progress: &Progress,
    contents: bool,
    json: bool,
) -> anyhow::Result<()> {
    match verified {
        Ok(found) => {
            let value = json!({
                "ok": true, "contents": contents, "events": found.events, "erased": found.erased, "position": found.position, "chain": found.chain,
                "root": found.root, "events_per_s": progress.rate().round(),
            });
            let text = format!(
                "all {} events fit together, {:.0} a second{}{}\nchain {}\nroot  {}",
                found.events,
                progress.rate(),
                erased(found.erased),
                if contents {
                    ""
                } else {
                    "; what is in them is sealed, so their order and their hashes alone were proved"
                },
                found.chain,
                found.root
            );
            announcement::answer(json, &value, &text);
            Ok(())
        }
        Err(AuditError::Mismatch(mismatch)) if json => {
            let value = json!({ "ok": false, "event": mismatch.event, "reason": mismatch.reason });
            announcement::print(&value.to_string());
            Err(announcement::Said(mismatch.to_string()).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn erased(events: i64) -> String {
    match events {
        0 => String::new(),
        1 => "; what one of them said went with an erased member".to_owned(),
        events => format!("; what {events} of them said went with erased members"),
    }
}

/// A stream as people write it: its type, a hyphen, its id.
struct Stream {
    of: String,
    id: Uuid,
}

impl Stream {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let parsed = text.split_once('-').and_then(|(of, id)| {
            let id = Uuid::parse_str(id).ok()?;
            history::STREAMS.contains(&of).then(|| Self {
                of: of.to_owned(),
                id,
            })
        });
        parsed.with_context(|| {
            format!(
                "{text} isn't a stream; write its type and id, such as torrent-5f0c…; types are {}",
                history::STREAMS.join(", ")
            )
        })
    }
}

/// Reads a time or a position.
async fn moment(history: &dyn History, text: &str) -> anyhow::Result<Position> {
    if let Ok(position) = text.parse() {
        return Ok(Position(position));
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).with_context(|| {
        format!("{text} is neither a position nor a time such as 2026-11-23T10:00:00Z")
    })?;
    Ok(history.position_at(at).await?)
}

async fn log(store: &Store, command: &cli::Audit, json: bool) -> anyhow::Result<()> {
    let cli::Audit::Log {
        stream,
        event,
        actor,
        from,
        to,
        limit,
    } = command
    else {
        bail!("this isn't a query of the log");
    };
    let history = store.history();
    let mut filter = Filter {
        event: event.clone(),
        actor: actor.map(Into::into),
        ..Filter::default()
    };
    match stream.as_deref() {
        Some(of) if history::STREAMS.contains(&of) => filter.stream_type = Some(of.to_owned()),
        Some(text) => {
            let stream = Stream::parse(text)?;
            (filter.stream_type, filter.stream) = (Some(stream.of), Some(stream.id));
        }
        None => {}
    }
    if let Some(from) = from {
        filter.after = Position(moment(history.as_ref(), from).await?.0.saturating_sub(1));
    }
    if let Some(to) = to {
        filter.before = Some(Position(moment(history.as_ref(), to).await?.0 + 1));
    }
    note(store, "log").await?;
    let mut left = *limit;
    while left > 0 {
        let found = history.events(&filter, left).await?;
        for event in &found.events {
            announcement::answer(json, &as_json(event)?, &as_line(event));
        }
        left -= found.events.len();
        filter.before = found.older;
        if found.older.is_none() {
            break;
        }
    }
    Ok(())
}

fn as_json(event: &Recorded) -> anyhow::Result<Value> {
    Ok(json!({
        "position": event.position, "stream": format!("{}-{}", event.stream_type, event.stream_id),
        "sequence": event.sequence, "event": event.fact.name(), "version": event.fact.version(),
        "at": event.at.format(&Rfc3339)?, "command": event.command, "meta": meta(event)?,
        "payload": history::shown(event.fact.payload()?),
    }))
}

/// Gives who acted and why, unless that went with an erased member.
fn meta(event: &Recorded) -> anyhow::Result<Value> {
    if event.fact.is_erased() {
        return Ok(Value::from(history::ERASED));
    }
    Ok(serde_json::to_value(&event.meta)?)
}

fn as_line(event: &Recorded) -> String {
    let at = event.at.format(&Rfc3339).unwrap_or_default();
    let actor = match event.meta.actor {
        _ if event.fact.is_erased() => history::ERASED.to_owned(),
        Actor::Member(member) => format!("member {member}"),
        Actor::Operator => "the operator".to_owned(),
        Actor::System => "the program".to_owned(),
    };
    let because = event.meta.causation;
    let because = because.map_or(String::new(), |cause| format!(", because of {cause}"));
    format!(
        "{:>8}  {at}  {:<20} {}-{}  by {actor}{because}",
        event.position,
        event.fact.name(),
        event.stream_type,
        event.stream_id
    )
}

/// Folds a stream up to a position.
fn state(stream: &Stream, events: &[Recorded], upto: Position) -> anyhow::Result<Value> {
    let then = events.iter().filter(|event| event.position <= upto);
    Ok(history::state(&stream.of, then.map(|event| &event.fact))?)
}

async fn whole(store: &Store, stream: &Stream) -> anyhow::Result<Vec<Recorded>> {
    let events = store.history().stream(&stream.of, stream.id).await?;
    anyhow::ensure!(
        !events.is_empty(),
        "there is no stream {}-{}",
        stream.of,
        stream.id
    );
    note(store, &format!("{}-{}", stream.of, stream.id)).await?;
    Ok(events)
}

async fn show(store: &Store, stream: &Stream, at: Option<&str>, json: bool) -> anyhow::Result<()> {
    let upto = match at {
        Some(at) => moment(store.history().as_ref(), at).await?,
        None => Position(i64::MAX),
    };
    let events = whole(store, stream).await?;
    let then = state(stream, &events, upto)?;
    let now = state(stream, &events, Position(i64::MAX))?;
    let since: Vec<&Recorded> = events
        .iter()
        .filter(|event| event.position > upto)
        .collect();
    let value = json!({
        "state": then,
        "since": since.iter().map(|event| as_json(event)).collect::<Result<Vec<_>, _>>()?,
        "changed": history::differences(&then, &now),
    });
    let mut text = serde_json::to_string_pretty(&then)?;
    if at.is_some() {
        text.push_str(if since.is_empty() {
            "\nnothing has happened to it since"
        } else {
            "\nsince then:"
        });
    }
    for event in since {
        text = format!("{text}\n{}", as_line(event));
    }
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn diff(
    store: &Store,
    stream: &Stream,
    from: &str,
    to: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    let history = store.history();
    let from = moment(history.as_ref(), from).await?;
    let to = match to {
        Some(to) => moment(history.as_ref(), to).await?,
        None => Position(i64::MAX),
    };
    let events = whole(store, stream).await?;
    let found = history::differences(&state(stream, &events, from)?, &state(stream, &events, to)?);
    let shown = |value: &Option<Value>| {
        value
            .as_ref()
            .map_or("nothing".to_owned(), Value::to_string)
    };
    let lines: Vec<String> = found
        .iter()
        .map(|one| {
            format!(
                "{}: {} -> {}",
                one.path,
                shown(&one.before),
                shown(&one.after)
            )
        })
        .collect();
    let text = if lines.is_empty() {
        "nothing differs".to_owned()
    } else {
        lines.join("\n")
    };
    announcement::answer(json, &serde_json::to_value(&found)?, &text);
    Ok(())
}
