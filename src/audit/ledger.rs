//! Proves that the log's traffic stands in the ledger and adds up to every member's totals.

use anyhow::bail;
use domain::Position;
use projections::traffic::proof::{self, Told};
use serde_json::json;

use crate::announcement::{self, Progress, Said};
use crate::store::Store;

/// Positions of a read.
const STEP: i64 = 5_000;

/// Says whether every ledger adds up; exit status 1 with the first that doesn't.
pub(super) async fn prove(store: &Store, json: bool) -> anyhow::Result<()> {
    let books = proof::books(&store.pools.read).await?;
    let mut progress = Progress::new("events");
    let (mut told, mut after) = (Told::default(), Position(0));
    while after < books.position {
        let limit = STEP.min(books.position.0 - after.0);
        let batch = store.feed.read(after, limit, proof::STREAMS).await?;
        batch.events.iter().for_each(|event| told.take(event));
        after = batch.upto;
        progress.show(after.0, Some(books.position.0));
    }
    let position = books.position;
    match books.prove(told) {
        Ok(proved) => {
            let value = json!({
                "ok": true, "members": proved.members, "runs": proved.runs, "position": position,
            });
            let text = format!(
                "the ledgers of {} members add up: {} runs up to event {position}",
                proved.members, proved.runs
            );
            announcement::answer(json, &value, &text);
            Ok(())
        }
        Err(misfit) => {
            let value = json!({ "ok": false, "member": misfit.member, "reason": misfit.reason });
            if json {
                announcement::print(&value.to_string());
            }
            bail!(Said(misfit.to_string()))
        }
    }
}
