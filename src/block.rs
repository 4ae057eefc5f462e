//! The blocks of addresses at the command line, for who is locked out of the site.

use anyhow::Context as _;
use commands::limit::Block;
use domain::Actor;
use infra::limit::call;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::announcement;
use crate::cli;
use crate::config::Config;
use crate::store::Store;

/// Asks the running program for its blocks, or to lift one.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Block,
    json: bool,
) -> anyhow::Result<()> {
    let store = Store::open(config).await?;
    let done = match command {
        cli::Block::List => list(&store, json).await,
        cli::Block::Lift { name } => lift(&store, name, json).await,
    };
    store.close().await?;
    done
}

async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let blocks = call::ask(&store.pools.log, None).await?;
    let value = json!({ "blocks": blocks.iter().map(shown).collect::<Vec<_>>() });
    let lines: Vec<String> = blocks.iter().map(line).collect();
    let text = if lines.is_empty() {
        "nobody is blocked".to_owned()
    } else {
        lines.join("\n")
    };
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn lift(store: &Store, name: &str, json: bool) -> anyhow::Result<()> {
    let lifted = call::ask(&store.pools.log, Some(name)).await?;
    let block = lifted.first().with_context(|| {
        format!("nobody who goes by {name} is blocked; see `opentracker block list`")
    })?;
    let commands = &store.commands;
    commands
        .note_lifting(Actor::Operator, block.name(), &block.reason())
        .await?;
    let text = format!("{} is blocked no longer", block.name());
    announcement::answer(json, &json!({ "lifted": shown(block) }), &text);
    Ok(())
}

fn at(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_default()
}

fn shown(block: &Block) -> serde_json::Value {
    json!({
        "name": block.name(), "kind": block.why.name(), "about": block.about,
        "since": at(block.since), "until": at(block.until), "times": block.times,
    })
}

fn line(block: &Block) -> String {
    let about = if block.about.is_empty() {
        String::new()
    } else {
        format!(" ({})", block.about)
    };
    format!(
        "{}  {}{about}, until {}",
        block.name(),
        block.why.name(),
        at(block.until)
    )
}
