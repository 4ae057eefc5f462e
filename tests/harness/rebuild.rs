//! Read tables are a replay's result.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::{Site, until};

/// Every row of every read table, sorted.
pub async fn rows(site: &Site) -> BTreeMap<String, Vec<String>> {
    let pool = site.database().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'read' and table_name <> 'checkpoint'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let mut all = BTreeMap::new();
    for table in tables {
        let query = format!("select row_to_json(t)::text from read.{table} t order by 1");
        all.insert(
            table,
            sqlx::query_scalar(&query).fetch_all(&pool).await.unwrap(),
        );
    }
    all
}

/// Waits until every projection is at the log's head, and gives that position.
pub async fn at_the_head(site: &Site) -> Value {
    until("all checkpoints", Duration::from_secs(30), || async {
        let status = site.run_json(&["--json", "projections", "status"]);
        let caught_up = |one: &Value| one["lag_positions"] == 0 && one["state"] == "living";
        let all = status.as_array().unwrap();
        all.iter()
            .all(caught_up)
            .then(|| all[0]["position"].clone())
    })
    .await
}

/// Rebuilds everything and compares; again where the log went on meanwhile.
pub async fn rebuilt_rows_are_the_same(site: &Site) {
    let mut tries = 0;
    loop {
        let position = at_the_head(site).await;
        let living = rows(site).await;
        let filled = living.values().filter(|rows| !rows.is_empty()).count();
        assert!(filled >= 5, "{:?}", living.keys());
        let output = site.run(&["projections", "rebuild", "--all"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let rebuilt = rows(site).await;
        if at_the_head(site).await == position {
            assert_eq!(rebuilt, living);
            return;
        }
        tries += 1;
        assert!(tries < 5, "the log never rests");
    }
}
