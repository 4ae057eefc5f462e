//! Under which account the server runs: PostgreSQL refuses root.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid, User, chown, geteuid};

/// The account of the server; none when this program's own will do.
#[derive(Debug)]
pub(super) struct Account(Option<(Uid, Gid)>);

impl Account {
    /// Chooses the data directory's owner, else `postgres`, else `nobody`.
    pub(super) fn choose(data: &Path) -> Self {
        if !geteuid().is_root() {
            return Self(None);
        }
        let owner = std::fs::metadata(data).ok().filter(|data| data.uid() != 0);
        let owner = owner.map(|data| (Uid::from_raw(data.uid()), Gid::from_raw(data.gid())));
        let named = |name: &str| {
            User::from_name(name)
                .ok()
                .flatten()
                .map(|user| (user.uid, user.gid))
        };
        let last = (Uid::from_raw(65_534), Gid::from_raw(65_534));
        Self(Some(
            owner
                .or_else(|| named("postgres"))
                .or_else(|| named("nobody"))
                .unwrap_or(last),
        ))
    }

    /// Tells whether the account is another than this program's.
    pub(super) fn differs(&self) -> bool {
        self.0.is_some()
    }

    /// Gives the first folder above or at `data` that the account can't enter, `data` itself aside:
    /// that one is ours to open.
    pub(super) fn blocked_at(&self, data: &Path) -> Option<PathBuf> {
        let (uid, gid) = self.0?;
        data.ancestors()
            .skip(1)
            .find(|folder| {
                std::fs::metadata(folder).is_ok_and(|found| {
                    let bit = match (found.uid() == uid.as_raw(), found.gid() == gid.as_raw()) {
                        (true, _) => 0o100,
                        (false, true) => 0o010,
                        (false, false) => 0o001,
                    };
                    found.mode() & bit == 0
                })
            })
            .map(Path::to_path_buf)
    }

    /// Gives a folder to the account.
    pub(super) fn own(&self, folder: &Path) -> io::Result<()> {
        let (uid, gid) = self.0.unzip();
        if uid.is_some() {
            Ok(chown(folder, uid, gid)?)
        } else {
            Ok(())
        }
    }

    /// Lets a command run under the account.
    pub(super) fn run_as(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.0 {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
    }
}
