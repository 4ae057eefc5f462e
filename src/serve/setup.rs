//! The set-up's code: whoever reaches a site without an administrator must be able to read the data directory,
//! unless nobody but this machine reaches it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::{Program, site};
use crate::announcement;
use crate::role::Role;
use crate::store::Store;

/// The file in the data directory.
const FILE: &str = "setup-code";

/// Tells whether a site that listens somewhere, and is found there, is for this machine alone.
pub(super) fn is_here(origins: &[String], listens: SocketAddr) -> bool {
    let local = |origin: &String| {
        let host = origin.split("://").nth(1).unwrap_or_default();
        let address = host.parse().map(|address: SocketAddr| address.ip());
        let address = address.or_else(|_| host.parse::<IpAddr>());
        address.map_or_else(
            |_| host.split(':').next() == Some("localhost"),
            |ip| ip.is_loopback(),
        )
    };
    listens.ip().is_loopback() && origins.iter().all(local)
}

/// Writes the code for who makes the first administrator, and says where; takes it away once there is one.
pub(super) async fn keep(program: &Program, store: &Store) -> anyhow::Result<()> {
    let config = &program.config;
    let site = site(config, program.listening);
    if !config.does(Role::Api) {
        return Ok(());
    }
    let path = config.data_dir.join(FILE);
    let removed = match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let told = || format!("can't write {}", path.display());
    removed.with_context(told)?;
    if site.asks_code && !store.commands.is_set_up().await? {
        let code = api::sign_in::setup_code(&*store.keys()).written();
        write(&path, &code).with_context(told)?;
        announcement::print(&format!(
            "Nobody administers this site yet: open {}/setup, which asks for the code in {}",
            site.origin(),
            path.display()
        ));
    }
    Ok(())
}

fn write(path: &Path, code: &str) -> std::io::Result<()> {
    let mut new = OpenOptions::new();
    let mut file = new.write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_for_this_machine_alone_where_it_listens_and_is_found_on_loopback() {
        for (origin, listens, here) in [
            ("http://localhost:3000", "127.0.0.1:3000", true),
            ("http://127.0.0.1:3000", "127.0.0.1:3000", true),
            ("http://localhost", "[::1]:3000", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("http://localhost:3000", "0.0.0.0:3000", false),
            ("http://localhost:3000", "192.0.2.1:3000", false),
            // Behind a proxy.
            ("https://tracker.example", "127.0.0.1:3000", false),
            ("https://localhost.example", "127.0.0.1:3000", false),
            ("", "127.0.0.1:3000", false),
        ] {
            let origins = [origin.to_owned()];
            let listens = listens.parse().unwrap();
            assert_eq!(is_here(&origins, listens), here, "{origin} {listens}");
        }
    }
}
