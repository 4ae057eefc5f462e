//! The read tables as they stood at a moment, in a schema of their own.

use anyhow::ensure;
use domain::Position;
use projections::rebuild;
use serde_json::json;

use crate::announcement::{self, Progress};
use crate::store::Store;

/// Fills a schema with every projection's tables as they stood at a position.
pub(super) async fn into_schema(
    store: &Store,
    upto: Position,
    schema: &str,
    json: bool,
) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(
        !schema.is_empty() && schema.len() <= 63 && schema.chars().all(plain),
        "a schema's name is made of a to z, 0 to 9 and _"
    );
    ensure!(
        infra::replay::claim(&store.pools.log, schema).await?,
        "the schema {schema} is there and wasn't made by a replay; choose another name"
    );
    let all = projections::all(&store.keys());
    let mut progress = Progress::new("positions");
    let (pool, feed) = (&store.pools.read, &store.feed);
    let position = rebuild::fill(pool, feed, &all, schema, Some(upto), |at, of| {
        progress.show(at.0, Some(of.0));
    })
    .await?;
    drop(progress);
    infra::replay::finish(&store.pools.log, schema, position).await?;
    let names: Vec<_> = all.iter().map(|one| one.name()).collect();
    let value = json!({ "schema": schema, "position": position, "projections": names });
    let text = format!(
        "{schema} holds the read tables as they stood at {position}; `opentracker serve --replay {schema}` shows them"
    );
    announcement::answer(json, &value, &text);
    Ok(())
}
