//! OpenTracker: the site, the tracker and the vault in one program.
//!
//! This crate is the command line and the wiring: [`serve`] runs the roles of a node, [`store`] opens the
//! event store that all commands share. It is the only place that sees all crates.

use clap::Parser as _;

mod announcement;
mod audit;
mod backup;
mod bench;
mod block;
mod cli;
mod config;
mod demo;
mod member;
mod memory;
mod panic;
mod projection;
mod role;
mod serve;
mod store;
mod torrent;

use cli::{Cli, Command};

fn main() -> std::process::ExitCode {
    memory::give_back();
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            announcement::failed(&error, cli.json);
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let config = config::load(cli)?;
    announcement::begin_log(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // The main thread waits here: the embedded database ends with the thread that started it.
    runtime.block_on(async {
        match cli.command.clone().unwrap_or_default() {
            Command::Serve(wanted) => Box::pin(serve(config, &wanted)).await,
            Command::Migrate => store::Store::open_any(&config).await?.close().await,
            Command::Config(command) => config::command(&config, &command),
            Command::Member(command) => member::command(&config, &command, cli.json).await,
            Command::Torrent(command) => torrent::command(&config, &command, cli.json).await,
            Command::Projections(command) => projection::command(&config, &command, cli.json).await,
            Command::Block(command) => block::command(&config, &command, cli.json).await,
            Command::Audit(command) => audit::command(&config, &command, cli.json).await,
            Command::Backup(command) => backup::command(&config, &command, cli.json).await,
            Command::Panic(command) => panic::command(&config, &command, cli.json).await,
            Command::Bench(command) => bench::command(&config, &command).await,
        }
    })
}

async fn serve(config: config::Config, wanted: &cli::Serve) -> anyhow::Result<()> {
    if let Some(schema) = &wanted.replay {
        return serve::past::serve(&config, schema).await;
    }
    let torrents = wanted.scale.unwrap_or(0);
    let demo = wanted.demo.then_some(demo::Wanted { torrents });
    serve::serve(config, demo).await
}
