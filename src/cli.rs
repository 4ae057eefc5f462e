//! The command line. Scripts depend on it, so it only grows.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::role::Role;

/// A private BitTorrent tracker: site, tracker and vault in one program.
#[derive(Debug, Clone, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    /// Where the program keeps its keys and, without `DATABASE_URL`, its database.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The configuration file; opentracker.toml where it is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do; serve, when nothing is said.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Run the site, the tracker and the projections.
    Serve(Serve),
    /// Bring the database's tables up to date.
    Migrate,
    /// Print or check the configuration.
    #[command(subcommand)]
    Config(Config),
    /// Make members, or give them another password.
    #[command(subcommand)]
    Member(Member),
    /// Add torrents.
    #[command(subcommand)]
    Torrent(Torrent),
    /// Show or rebuild the read tables.
    #[command(subcommand)]
    Projections(Projections),
    /// List or lift the blocks of addresses.
    #[command(subcommand)]
    Block(Block),
    /// Prove that the log is whole, look into it, take it elsewhere.
    #[command(subcommand)]
    Audit(Audit),
    /// Back up the event store beside the running site, prove a backup, bring one back.
    #[command(subcommand)]
    Backup(Backup),
    /// Measure, beside a floor in the same run.
    #[command(subcommand)]
    Bench(Bench),
    /// Panic and restore: the Panic Password, its rehearsal, other keys.
    #[command(subcommand)]
    Panic(Panic),
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve(Serve::default())
    }
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Serve {
    /// Where the site listens, such as 127.0.0.1:3000.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the tracker listens, such as 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    pub(crate) tracker: Option<SocketAddr>,
    /// What this node does: api, tracker or worker, each by a flag of its own; all, when nothing is said.
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<Role>,
    /// Fill an empty site with sample members, torrents and peers.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Torrents that the demo holds besides, each with five comments and posts; what is missing is added.
    #[arg(long, value_name = "TORRENTS", requires = "demo", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) scale: Option<u32>,
    /// Show the site as it once stood, from a schema that `audit replay` filled; nothing can be changed.
    #[arg(long, value_name = "SCHEMA", conflicts_with = "demo")]
    pub(crate) replay: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Config {
    /// Print the configuration in force.
    Print,
    /// Check the configuration and say what is wrong with it.
    Check,
    /// Print what each key and each command means, in markdown.
    Reference,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Member {
    /// Make a member; the password is made here and shown once.
    Create {
        /// The name.
        name: String,
        /// Make an administrator.
        #[arg(long)]
        admin: bool,
    },
    /// Give a member another password; it is made here and shown once.
    ResetCredentials {
        /// The name.
        name: String,
    },
    /// Turn off a member's second factor, codes and keys alike, for who has lost them and the recovery codes.
    DisableSecondFactor {
        /// The name.
        name: String,
    },
    /// Give a member another role.
    Role {
        /// The name.
        name: String,
        /// administrator, moderator, auditor or member.
        role: String,
    },
    /// Erase a member for ever: the key of everything personal is destroyed.
    Erase {
        /// The name.
        name: String,
        /// The name once more: it can't be undone.
        #[arg(long, value_name = "NAME")]
        confirm: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Torrent {
    /// Offer the torrent of a .torrent file.
    Add {
        /// The .torrent file.
        file: PathBuf,
        /// The category's slug, such as software-linux.
        #[arg(long)]
        category: String,
        /// The name of the member who offers it.
        #[arg(long = "as", value_name = "NAME")]
        uploader: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Projections {
    /// Show how far each projection is.
    Status,
    /// Fill a projection's tables anew, beside the living ones, and swap them.
    Rebuild {
        /// The projection's name.
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// All projections.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Block {
    /// List the addresses that the running program blocks, by their short names.
    List,
    /// Lift a block.
    Lift {
        /// The short name.
        name: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Audit {
    /// Verify the log, or an export of it without any database.
    Verify {
        /// The export; the log itself, when nothing is said.
        file: Option<PathBuf>,
        /// Verify up to this position.
        #[arg(long, value_name = "POSITION", conflicts_with = "file")]
        to: Option<i64>,
    },
    /// List events, newest first; one line of JSON each with --json.
    Log {
        /// Of this stream or stream type, such as torrent or torrent-UUID.
        #[arg(long)]
        stream: Option<String>,
        /// Of this name, such as `TorrentUploaded`.
        #[arg(long)]
        event: Option<String>,
        /// Caused by the member of this id.
        #[arg(long, value_name = "ID")]
        actor: Option<uuid::Uuid>,
        /// Not before this time or position.
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
        /// Up to this time or position.
        #[arg(long, value_name = "WHEN")]
        to: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show a stream's state, now or then, and what has changed since.
    Show {
        /// The stream, such as torrent-UUID.
        stream: String,
        /// A time such as 2026-11-23T10:00:00Z, or a position.
        #[arg(long, value_name = "WHEN")]
        at: Option<String>,
    },
    /// Show what differs in a stream between two moments.
    Diff {
        /// The stream, such as torrent-UUID.
        stream: String,
        /// A time or a position.
        #[arg(long, value_name = "WHEN")]
        from: String,
        /// A time or a position; now, when nothing is said.
        #[arg(long, value_name = "WHEN")]
        to: Option<String>,
    },
    /// Write the whole log as JSON lines; secrets are left out, and it can be verified all the same.
    Export,
    /// Prove that every member's ledger holds what the log says, and adds up to the totals.
    Ledger,
    /// Fill a schema with the read tables as they stood at a moment.
    Replay {
        /// A time or a position.
        #[arg(long, value_name = "WHEN")]
        at: String,
        /// The schema; it must be new or one that an earlier replay made.
        #[arg(long, value_name = "SCHEMA")]
        into: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Backup {
    /// Write what is new into a folder, encrypted, while the site goes on.
    Create {
        /// The folder; it is made where it isn't there.
        folder: PathBuf,
        /// Begin another series, and leave what is there.
        #[arg(long)]
        anew: bool,
    },
    /// Restore a backup into a scratch database and prove it there.
    Verify {
        /// The folder, or that of one series in it.
        folder: PathBuf,
        #[command(flatten)]
        opening: Opening,
    },
    /// Restore a backup into an empty data directory, or the empty database of `DATABASE_URL`.
    Restore {
        /// The folder, or that of one series in it.
        folder: PathBuf,
        /// Up to this time or position, where it isn't all.
        #[arg(long, value_name = "WHEN")]
        at: Option<String>,
        #[command(flatten)]
        opening: Opening,
    },
}

/// What opens a backup: the master key, where it lies in the data directory, or else the Panic Password
/// from the terminal or standard input.
#[derive(Debug, Clone, Args)]
pub(crate) struct Opening {
    /// A copy of the master key's file.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Read shares of the Panic Password's secret, one a line, in place of the password.
    #[arg(long, conflicts_with = "key")]
    pub(crate) shares: bool,
    /// Refuse a backup that has another root than this, which `backup create` printed.
    #[arg(long, value_name = "HEX")]
    pub(crate) root: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Panic {
    /// Tell how the vault stands, and how far what is being done about it is.
    Status,
    /// Set the Panic Password, or change it by the old one. Both are read from the terminal, or from
    /// standard input one a line.
    Password,
    /// Make everything unreadable at once, until the Panic Password brings it back.
    Activate {
        /// The words `ENCRYPT_ALL_DATA`.
        #[arg(long, value_name = "PHRASE")]
        confirm: String,
    },
    /// Bring everything back by the Panic Password; or this node's master key, where its file is gone.
    Restore {
        /// Read shares of the secret, one a line, in place of the password.
        #[arg(long)]
        shares: bool,
    },
    /// Prove on a copy that the Panic Password brings this store back, while the site stays open.
    Rehearse,
    /// Make another master key, and let new events be sealed under new data keys.
    Rotate,
    /// Share the secret behind the Panic Password among several people, any few of whom can restore.
    Split {
        /// How many shares there are.
        #[arg(long, value_parser = clap::value_parser!(u8).range(2..))]
        shares: u8,
        /// How many of them are needed.
        #[arg(long, value_parser = clap::value_parser!(u8).range(2..))]
        needed: u8,
    },
}

/// How the announces of a benchmark come.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Transport {
    /// Over kept-alive HTTP connections.
    Http,
    /// Over an HTTP connection each.
    HttpNew,
    /// Over UDP.
    Udp,
    /// Over WebSocket, without offers.
    Ws,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Bench {
    /// Announces, beside a bare responder of the same bytes; with `REDIS_URL`, other trackers are told.
    Announce {
        /// How announces come.
        #[arg(long, value_enum, default_value = "http")]
        transport: Transport,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 4)]
        seconds: u64,
        /// Peers over all swarms.
        #[arg(long, default_value_t = 100_000)]
        peers: usize,
        /// Asks another tracker by its announce URL, `http://` or `udp://`, instead of this program's own.
        #[arg(long, value_name = "URL")]
        against: Option<String>,
        /// The other tracker's process, whose processor time is read.
        #[arg(long, requires = "against")]
        pid: Option<u32>,
        /// A file with the info hashes that the other tracker knows, in hex, one a line.
        #[arg(long, requires = "against", value_name = "FILE")]
        hashes: Option<PathBuf>,
    },
    /// Commands with 1, 8 and 32 writers, beside postgres-es as it comes and a raw INSERT loop.
    Append {
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// How many writers at once, one measurement for each.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32])]
        writers: Vec<u32>,
    },
    /// Every read table and the search index from the log, beside reading it alone and COPY.
    Replay {
        /// How many events.
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
    },
    /// A panic and a restore of a site that is read all the while, beside a smaller one and an UPDATE.
    Panic {
        /// How many events.
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
    },
    /// A backup, its proof and a small second one, beside `pg_dump` of the same database.
    Backup {
        /// How many events.
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
    },
    /// Decisions of the limiter, in the process and with `REDIS_URL` in Redis, beside a served page.
    Limit {
        /// How many decisions of each kind.
        #[arg(long, default_value_t = 200_000)]
        decisions: u32,
        /// A page of a site without `limits.flood`, such as `http://127.0.0.1:3000/sign-in`.
        #[arg(long, value_name = "URL")]
        page: Option<String>,
    },
    /// Announces and a member's pages of a demo while one address floods it with requests that are
    /// refused, beside the same before.
    Flood {
        /// Where the demo listens, whose pages members may read without a limit.
        #[arg(long, value_name = "ADDR")]
        at: SocketAddr,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Connections of the flood.
        #[arg(long, default_value_t = 64)]
        connections: u32,
    },
    /// Pages of a demo with many torrents, beside a bare responder of the same bytes.
    Page {
        /// How many torrents, each with five comments and posts.
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
        torrents: u32,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// Measures a demo that listens there, without limits, instead of making one.
        #[arg(
            long,
            value_name = "ADDR",
            requires = "pid",
            conflicts_with = "torrents"
        )]
        at: Option<SocketAddr>,
        /// The demo's process, whose processor time is read.
        #[arg(long, requires = "at")]
        pid: Option<u32>,
    },
    /// Searches over many small torrents while more come in.
    Search {
        /// How many torrents.
        #[arg(long, default_value_t = 1_000_000)]
        documents: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands for itself in the documents, and something that may stand there.
    const SAMPLES: [(&str, &str); 5] = [
        ("ADDR", "127.0.0.1:1"),
        ("ID", "00000000-0000-0000-0000-000000000000"),
        ("N", "3"),
        ("K", "2"),
        ("POSITION", "7"),
    ];

    /// The arguments of every command of the program in a document.
    fn commands(text: &str) -> Vec<Vec<String>> {
        let mut found = vec![];
        for line in text.lines() {
            let pieces: Vec<&str> = match line.strip_prefix("    ") {
                Some(code) => vec![code],
                None => line.split('`').skip(1).step_by(2).collect(),
            };
            for piece in pieces {
                let words: Vec<&str> = piece.split_whitespace().collect();
                let begins = words
                    .iter()
                    .rposition(|word| *word == "opentracker" || word.ends_with("/bin/opentracker"));
                let ends = |word: &&&str| !["|", ">", "<", "&&", "#", ";"].contains(*word);
                let arguments = begins.map(|at| words.iter().skip(at + 1).take_while(ends));
                let arguments = arguments.into_iter().flatten().map(|word| {
                    let sample = SAMPLES.iter().find(|(name, _)| name == word);
                    sample.map_or_else(|| (*word).to_owned(), |(_, sample)| (*sample).to_owned())
                });
                let arguments: Vec<String> = arguments.collect();
                if !arguments.is_empty() {
                    found.push(arguments);
                }
            }
        }
        found
    }

    #[test]
    fn every_command_that_the_documents_name_is_understood() {
        let mut seen = 0;
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            // The reference is made of the commands themselves, with what may be left out in brackets.
            if name == "configuration.md" {
                continue;
            }
            for arguments in commands(&std::fs::read_to_string(entry.path()).unwrap()) {
                let line = std::iter::once("opentracker".to_owned()).chain(arguments.clone());
                // A group of commands may be named as a whole.
                let group = clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
                if let Err(error) = Cli::try_parse_from(line) {
                    assert_eq!(error.kind(), group, "{name} names {arguments:?}: {error}");
                }
                seen += 1;
            }
        }
        assert!(seen > 20, "only {seen} commands are found in the documents");
        let wrong = commands("`sudo opentracker member crate alice > file`");
        assert_eq!(wrong, [["member", "crate", "alice"]]);
    }
}
