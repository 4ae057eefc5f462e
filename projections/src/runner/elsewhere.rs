//! How far the projections are, for nodes of a site on which they don't run.
//!
//! Who moves them tells it by NOTIFY, as soon as they move: a checkpoint stays behind where nothing is
//! written. Who only reads hears that, and looks at the checkpoints for what was missed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use domain::Position;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;

use super::{OTHER_VERSION, Runner, status};
use crate::progress::Progress;
use crate::{Projection, Unavailable};

/// The channel on which it is told.
const CHANNEL: &str = "projections";
/// The least time between two messages.
const TOGETHER: Duration = Duration::from_millis(5);
/// How often the checkpoints are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long a lost connection waits before it is made again.
const AGAIN: Duration = Duration::from_millis(200);

impl Runner {
    /// Tells how far the projections are whenever they move, until `stop` turns true.
    pub async fn tell(&self, mut stop: watch::Receiver<bool>) {
        let mut progress = self.progress.subscribe();
        while !*stop.borrow() {
            let text = written(&progress.borrow_and_update());
            // Where it can't be told, the checkpoints say it in a while.
            let _told = tell(&self.pool, &text).await;
            tokio::time::sleep(TOGETHER).await;
            tokio::select! {
                moved = progress.changed() => if moved.is_err() { return },
                _ = stop.changed() => {}
            }
        }
    }

    /// Follows how far other nodes have moved the projections, until `stop` turns true.
    pub async fn hear(&self, all: &[Arc<dyn Projection>], mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // The database may have lost its tables meanwhile: what was heard before counts no more.
            if let Ok(listener) = listen(&self.pool).await
                && self.look(all, true).await.is_ok()
            {
                self.hear_by(listener, all, &mut stop).await;
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Follows as long as a connection lasts.
    async fn hear_by(
        &self,
        mut listener: PgListener,
        all: &[Arc<dyn Projection>],
        stop: &mut watch::Receiver<bool>,
    ) {
        let mut look = tokio::time::interval(LOOK);
        while !*stop.borrow() {
            tokio::select! {
                heard = listener.try_recv() => match heard {
                    Ok(Some(heard)) => self.heard(all, heard.payload()),
                    Ok(None) | Err(_) => return,
                },
                _ = look.tick() => {
                    // Away, they stay as they are.
                    let _looked = self.look(all, false).await;
                }
                _ = stop.changed() => {}
            }
        }
    }

    fn heard(&self, all: &[Arc<dyn Projection>], text: &str) {
        let told = read(text);
        self.progress.send_if_modified(|progress| {
            let before = progress.clone();
            for (name, position) in told {
                let known = all.iter().find(|one| one.name() == name);
                let standing = known.and_then(|one| progress.standing().get(one.name()));
                // Only a checkpoint says that one is there at all, or goes on.
                let behind =
                    standing.is_some_and(|one| one.stopped.is_none() && one.position < position);
                if let Some(known) = known.filter(|_| behind) {
                    progress.reach(known.name(), position);
                }
            }
            *progress != before
        });
    }

    /// Takes over what the checkpoints say; `anew` forgets what was heard that goes further.
    async fn look(&self, all: &[Arc<dyn Projection>], anew: bool) -> Result<(), Unavailable> {
        let there: bool = sqlx::query_scalar("select to_regclass('read.checkpoint') is not null")
            .fetch_one(&self.pool)
            .await?;
        let found = if there {
            status(&self.pool).await?
        } else {
            vec![]
        };
        self.progress.send_if_modified(|progress| {
            let before = progress.clone();
            for projection in all {
                let name = projection.name();
                let Some(one) = found.iter().find(|one| one.name == name) else {
                    progress.forget(name);
                    continue;
                };
                let heard = progress.standing().get(name).filter(|_| !anew);
                let heard = heard.map_or(Position(0), |standing| standing.position);
                progress.reach(name, one.position.max(heard));
                if one.version != projection.version() {
                    progress.stop(name, OTHER_VERSION.to_owned());
                } else if let Some(reason) = &one.error {
                    progress.stop(name, reason.clone());
                }
            }
            *progress != before
        });
        Ok(())
    }
}

async fn listen(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Tells without waiting for a disk: nothing is lost with it.
async fn tell(pool: &PgPool, text: &str) -> Result<(), sqlx::Error> {
    let query = "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
    let told = sqlx::query(query).bind(CHANNEL).bind(text);
    told.execute(pool).await.map(drop)
}

fn written(progress: &Progress) -> String {
    let mut text = String::new();
    for (name, standing) in progress.standing() {
        if standing.stopped.is_none() {
            let _written = write!(text, "{name} {} ", standing.position);
        }
    }
    text
}

fn read(text: &str) -> Vec<(&str, Position)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.chunks_exact(2);
    pairs
        .filter_map(|pair| match pair {
            [name, position] => Some((*name, Position(position.parse().ok()?))),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_back_without_what_stopped() {
        let mut progress = Progress::default();
        progress.reach("user", Position(12));
        progress.reach("torrent", Position(7));
        progress.reach("traffic", Position(3));
        progress.stop("traffic", "an event".to_owned());
        let text = written(&progress);
        assert_eq!(
            read(&text),
            [("torrent", Position(7)), ("user", Position(12))]
        );
        assert_eq!(read("user"), []);
        assert_eq!(read("user x"), []);
    }
}
