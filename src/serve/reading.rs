//! The read side of a node: it moves the projections itself, or sees how far other nodes move them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use projections::progress::Progress;
use projections::runner::{self, Runner};
use projections::torrent::search::Search;
use projections::{Projection, Reads};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Program;
use crate::config::{Config, Index};
use crate::role::Role;
use crate::store::Store;

/// How often it is told how far the projections are.
const TOLD: Duration = Duration::from_secs(2);
/// How long a node waits for projections that nobody moves, before it serves what there is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets the projections follow the log, or follows those who do.
pub(super) async fn begin(
    config: &Config,
    store: &Store,
    all: &[Arc<dyn Projection>],
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Reads> {
    let (progress, seen) = watch::channel(Progress::default());
    let runner = Arc::new(Runner {
        pool: store.pools.read.clone(),
        feed: Arc::clone(&store.feed),
        progress,
    });
    let search = Arc::new(search(config)?);
    if config.does(Role::Worker) {
        runner::prepare(&store.pools.read, all).await?;
        for projection in all {
            let (runner, projection, stop) =
                (Arc::clone(&runner), Arc::clone(projection), stopped.clone());
            tasks.spawn(async move { runner.follow(projection.as_ref(), stop).await });
        }
        // Nobody else reads from a database of our own.
        if !config.database.url.is_empty() {
            let (runner, stop) = (Arc::clone(&runner), stopped.clone());
            tasks.spawn(async move { runner.tell(stop).await });
        }
    } else {
        let (runner, all, stop) = (Arc::clone(&runner), all.to_vec(), stopped.clone());
        tasks.spawn(async move { runner.hear(&all, stop).await });
    }
    if config.does(Role::Api) {
        let (index, stop) = (Arc::clone(&search), stopped.clone());
        tasks.spawn(async move { runner.follow_search(&index, stop).await });
    }
    let pools = &store.pools;
    Ok(Reads::new(
        pools.pages.clone(),
        pools.read.clone(),
        search,
        seen,
    ))
}

/// Makes the search index, of which each node that shows pages has its own; others leave theirs empty.
fn search(config: &Config) -> anyhow::Result<Search> {
    Ok(match config.search.index {
        Index::Disk if config.does(Role::Api) => Search::on_disk(&config.data_dir.join("search"))?,
        Index::Disk | Index::Memory => Search::in_memory()?,
    })
}

/// Waits until what this node reads is there and up to date, then tells the tracker what it must know
/// before the first announce.
pub(super) async fn learn(program: &Program, store: &Store, reads: &Reads) -> anyhow::Result<()> {
    let config = &program.config;
    let head = store.feed.head().await?;
    let own = usize::from(config.does(Role::Api));
    let many = projections::all(&store.keys()).len() + own;
    let mut progress = reads.progress();
    let caught_up = |progress: &Progress| {
        let ours = config.does(Role::Worker) || !is_of_others(progress);
        progress.standing().len() == many && ours && progress.all_reached(head)
    };
    let (mut at, mut moved) = (0, Instant::now());
    while tokio::time::timeout(TOLD, progress.wait_for(caught_up))
        .await
        .is_err()
    {
        anyhow::ensure!(store.vault.is_open(), infra::vault::VaultError::Sealed);
        let (least, whole) = least(&progress.borrow(), many);
        if least > at {
            (at, moved) = (least, Instant::now());
        }
        let alone = !config.does(Role::Worker) && moved.elapsed() >= PATIENCE;
        if alone && whole {
            tracing::warn!(position = least, of = %head, "nobody moves the projections: start a node with the role worker");
            break;
        }
        tracing::info!(position = least, of = %head, "projections catch up");
        let doing = if alone {
            "waiting for a node with the role worker"
        } else {
            "bringing the projections up to date"
        };
        program.desk.doing(doing, least, head.0);
    }
    if config.does(Role::Tracker) {
        program.tracker.access().catch_up(reads).await?;
        let runs = projections::traffic::last_runs(reads).await?;
        let snatches = projections::traffic::snatches(reads).await?;
        program.tracker.remember(runs, snatches);
    }
    Ok(())
}

/// Gives the position that every projection has reached, and whether each is there and can be read.
fn least(progress: &Progress, many: usize) -> (i64, bool) {
    let standing = progress.standing();
    let least = standing.values().map(|one| one.position.0).min();
    let whole = standing.len() == many && standing.values().all(|one| one.position.0 > 0);
    (least.unwrap_or_default(), whole && !is_of_others(progress))
}

/// Tells whether tables belong to another version of the program: who doesn't make them anew waits.
fn is_of_others(progress: &Progress) -> bool {
    let mut standing = progress.standing().values();
    standing.any(|one| one.stopped.as_deref() == Some(runner::OTHER_VERSION))
}
