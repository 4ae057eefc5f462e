//! The phase in which the vault is open and the site lives.

use std::time::Duration;

use projections::{rebuild, runner, sealed};

use super::{Ended, Program, Running, checkpoint, greet, reserve, setup, watch_over};
use crate::demo;
use crate::role::Role;
use crate::store::Store;

/// Events that are worth filling the read tables in one go.
const MANY: i64 = 5_000;
/// How long a rebuild by another node is left alone before the next look.
const BUSY: Duration = Duration::from_millis(500);

/// Runs until a signal, or until this node goes dark.
pub(super) async fn run(program: &mut Program, store: &mut Store) -> anyhow::Result<Ended> {
    reserve::take(&program.config.data_dir);
    program.desk.opened(store.commands.clone());
    let mut dark = program.desk.dark();
    let demo = program.demo.take();
    let running = match start_or_end(program, store, demo).await {
        Ok(Some(running)) => running,
        Ok(None) => {
            tell_unrecorded(program);
            return Ok(Ended::Stopped);
        }
        // It was sealed before it lived.
        Err(_) if *dark.borrow() => return Ok(Ended::Turned),
        Err(error) => return Err(error),
    };
    setup::keep(program, store).await?;
    program.tracker.open();
    program.front.open(running.app.clone());
    if *dark.borrow() {
        // It was sealed at this very moment.
        program.front.close();
        program.tracker.close();
    }
    program.sockets.answer(&program.front, &program.tracker)?;
    program.desk.doing("", 0, 0);
    greet(program);
    if demo.is_some() {
        let announces = program.listening.announces;
        demo::live(&program.config, store, &running, announces).await?;
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let works = program.config.does(Role::Worker);
    let keep = || checkpoint::keep(store.audit(), store.commands.clone(), stopped);
    let checkpoints = works.then(|| tokio::spawn(keep()));
    let mut signal = program.signal.clone();
    let ended = watch_over(store, async {
        tokio::select! {
            _ = signal.wait_for(|stop| *stop) => Ended::Stopped,
            _ = dark.wait_for(|dark| *dark) => Ended::Turned,
        }
    })
    .await;
    if ended == Ended::Stopped {
        program.sockets.close().await;
    }
    stop.send_replace(true);
    program.waiting.extend(running.stop(&program.desk).await);
    program.tracker.clear();
    if let Some(checkpoints) = checkpoints {
        let _ended = checkpoints.await;
    }
    if ended == Ended::Stopped {
        if works {
            checkpoint::set(&store.audit(), &store.commands).await;
        }
        tell_unrecorded(program);
    }
    Ok(ended)
}

/// Tells what the log didn't take.
fn tell_unrecorded(program: &Program) {
    if !program.waiting.is_empty() {
        let batches = program.waiting.len();
        tracing::error!(
            batches,
            "the last traffic couldn't be recorded; clients' next announces bring it back"
        );
    }
}

/// Brings everything up, or gives nothing where a signal comes before: also what takes long, or can't be
/// done now, ends by one.
async fn start_or_end(
    program: &mut Program,
    store: &Store,
    demo: Option<demo::Wanted>,
) -> anyhow::Result<Option<Running>> {
    let mut signal = program.signal.clone();
    tokio::select! {
        started = start(program, store, demo) => started.map(Some),
        _ = signal.wait_for(|stop| *stop) => Ok(None),
    }
}

/// Brings everything up before the first request.
async fn start(
    program: &mut Program,
    store: &Store,
    demo: Option<demo::Wanted>,
) -> anyhow::Result<Running> {
    if let Some(wanted) = demo {
        let seen = |done, of| program.desk.doing("filling the demo", done, of);
        demo::make(&program.config, store, wanted, seen).await?;
    }
    let works = program.config.does(Role::Worker);
    if works {
        store.commands.seed_categories().await?;
        store.commands.seed_sections().await?;
    }
    // One that can't be recorded now still waits.
    while let Some((batch, day)) = program.waiting.last().cloned() {
        store.commands.record(batch, day).await?;
        program.waiting.pop();
    }
    if works {
        fill(program, store).await?;
    }
    program.desk.doing("filling the search index", 0, 0);
    Running::start(program, store).await
}

/// Fills the read tables in one go where most is missing and it is much, or where they belong to
/// another version of the program; those answer other nodes till then.
async fn fill(program: &Program, store: &Store) -> anyhow::Result<()> {
    let (reads, all) = (&store.pools.read, projections::all(&store.keys()));
    sealed::unseal(reads).await?;
    let seen = |at: domain::Position, of: domain::Position| {
        program.desk.doing(super::REPLAYING, at.0, of.0);
    };
    loop {
        let outdated = runner::prepare(reads, &all).await?;
        let status = runner::status(reads).await?;
        let head = store.feed.head().await?.0;
        // What is missing is more than what is there.
        let missing = |one: &runner::Status| head - one.position.0 > one.position.0.max(MANY - 1);
        let due = if status.iter().all(missing) {
            &all
        } else {
            &outdated
        };
        if due.is_empty() {
            break;
        }
        match rebuild::rebuild(reads, &store.feed, due, seen).await {
            Ok(_) => break,
            // Another node does it.
            Err(projections::NotApplied::Busy) => tokio::time::sleep(BUSY).await,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
