//! How the command line asks a running program for its blocks: by notifications of the database, which
//! are kept nowhere.

use std::sync::Arc;
use std::time::Duration;

use commands::limit::{Block, Limiter};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use tokio::sync::watch;

use crate::postgres::Pool;

const ASKED: &str = "opentracker_blocks_asked";
const TOLD: &str = "opentracker_blocks_told";
/// How long the command line waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits for another node, where one has lifted nothing.
const OTHERS: Duration = Duration::from_secs(1);
/// Blocks of a notification, which holds less than 8,000 bytes.
const TOGETHER: usize = 20;
/// How long a lost connection waits before it is made again.
const SOON: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    id: String,
    /// The block that is to be lifted; without one all are told.
    lift: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Told {
    id: String,
    /// Which node answers.
    node: String,
    blocks: Vec<Block>,
    more: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// Nobody answers.
    #[error("no program serves this site just now, so there is no block")]
    Nobody,
    /// The database doesn't answer.
    #[error("the database doesn't answer")]
    Database(#[from] sqlx::Error),
}

async fn notify(pool: &Pool, channel: &str, message: &impl Serialize) -> Result<(), sqlx::Error> {
    let text = serde_json::to_string(message).unwrap_or_default();
    let told = sqlx::query("select pg_notify($1, $2)");
    told.bind(channel).bind(text).execute(pool).await.map(drop)
}

fn name() -> String {
    hex::encode(rand::random::<[u8; 8]>())
}

/// Answers until `stop` turns true.
pub async fn answer(pool: Pool, limiter: Arc<dyn Limiter>, mut stop: watch::Receiver<bool>) {
    let node = name();
    while !*stop.borrow() {
        let heard = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(ASKED).await?;
            while let Some(message) = listener.try_recv().await? {
                if let Ok(asked) = serde_json::from_str::<Asked>(message.payload()) {
                    tell(&pool, limiter.as_ref(), &node, &asked).await?;
                }
            }
            Ok::<(), sqlx::Error>(())
        };
        tokio::select! {
            _ = heard => tokio::time::sleep(SOON).await,
            _ = stop.changed() => {}
        }
    }
}

async fn tell(
    pool: &Pool,
    limiter: &dyn Limiter,
    node: &str,
    asked: &Asked,
) -> Result<(), sqlx::Error> {
    let blocks = match &asked.lift {
        Some(name) => limiter
            .lift(name)
            .await
            .map(|one| one.into_iter().collect()),
        None => limiter.blocks().await,
    };
    let blocks: Vec<Block> = blocks.unwrap_or_default();
    let mut pieces = blocks.chunks(TOGETHER).peekable();
    loop {
        let piece = pieces.next().unwrap_or_default().to_vec();
        let more = pieces.peek().is_some();
        let told = Told {
            id: asked.id.clone(),
            node: node.to_owned(),
            blocks: piece,
            more,
        };
        notify(pool, TOLD, &told).await?;
        if !more {
            return Ok(());
        }
    }
}

/// Asks the running program for its blocks, or to lift one; gives those that are, or were, there.
pub async fn ask(pool: &Pool, lift: Option<&str>) -> Result<Vec<Block>, NotTold> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(TOLD).await?;
    let asked = Asked {
        id: name(),
        lift: lift.map(str::to_owned),
    };
    notify(pool, ASKED, &asked).await?;
    let first = heard(&mut listener, &asked.id, None);
    let first = tokio::time::timeout(PATIENCE, first).await;
    let (node, mut blocks) = first.map_err(|_| NotTold::Nobody)??;
    // Of several nodes one lifts it, and the others find nothing.
    while lift.is_some() && blocks.is_empty() {
        let next = heard(&mut listener, &asked.id, Some(&node));
        let Ok(next) = tokio::time::timeout(OTHERS, next).await else {
            break;
        };
        (_, blocks) = next?;
    }
    Ok(blocks)
}

/// Gives all that one node answers, any but a named one.
async fn heard(
    listener: &mut PgListener,
    id: &str,
    but: Option<&str>,
) -> Result<(String, Vec<Block>), sqlx::Error> {
    let (mut node, mut blocks) = (None, vec![]);
    loop {
        let message = listener.recv().await?;
        let Ok(told) = serde_json::from_str::<Told>(message.payload()) else {
            continue;
        };
        if told.id != id || but == Some(told.node.as_str()) {
            continue;
        }
        if *node.get_or_insert_with(|| told.node.clone()) == told.node {
            blocks.extend(told.blocks);
            if !told.more {
                return Ok((told.node, blocks));
            }
        }
    }
}
