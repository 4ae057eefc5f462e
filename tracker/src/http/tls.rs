//! TLS for announces, on the port of those without: a connection that begins with a handshake has it.
//!
//! The certificate is read again soon after its file changed, since whoever renews it doesn't tell.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// The first byte of a handshake.
pub(super) const HANDSHAKE: u8 = 0x16;
/// Seconds after which the file is looked at again.
const LOOK: u32 = 60;

/// The site's certificate.
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    acceptor: ArcSwap<Read>,
    /// When the file was looked at, in seconds since 1970.
    looked: AtomicU32,
}

struct Read {
    acceptor: TlsAcceptor,
    changed: Option<SystemTime>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Certificate").field(&self.chain).finish()
    }
}

impl Certificate {
    /// Reads the chain and the private key from PEM files.
    pub(crate) fn read(chain: &Path, key: &Path) -> io::Result<Self> {
        Ok(Self {
            acceptor: ArcSwap::from_pointee(Read::files(chain, key)?),
            chain: chain.to_owned(),
            key: key.to_owned(),
            looked: AtomicU32::new(0),
        })
    }

    /// Gives what takes handshakes, at a time in seconds since 1970.
    pub(super) fn acceptor(&self, now: u32) -> TlsAcceptor {
        let looked = self.looked.load(Ordering::Relaxed);
        if now.saturating_sub(looked) >= LOOK {
            self.looked.store(now, Ordering::Relaxed);
            if self.acceptor.load().changed != changed(&self.chain) {
                match Read::files(&self.chain, &self.key) {
                    Ok(read) => self.acceptor.store(Arc::new(read)),
                    Err(error) => tracing::warn!(%error, "the certificate before it is kept"),
                }
            }
        }
        self.acceptor.load().acceptor.clone()
    }
}

impl Read {
    fn files(chain: &Path, key: &Path) -> io::Result<Self> {
        let changed = changed(chain);
        let wrong = |path: &Path, what: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {what}", path.display()))
        };
        let certificates = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(chain, &error))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let builder = builder.with_no_client_auth();
                builder.with_single_cert(certificates, secret)
            })
            .map_err(|error| wrong(chain, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            changed,
        })
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path)
        .and_then(|file| file.modified())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (
            folder.path().join("chain.pem"),
            folder.path().join("key.pem"),
        );
        let write = |age: u64| {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            std::fs::write(&chain, made.cert.pem()).unwrap();
            let long_ago = SystemTime::now() - std::time::Duration::from_secs(age);
            let file = std::fs::File::options().append(true).open(&chain).unwrap();
            file.set_modified(long_ago).unwrap();
        };
        write(900);
        let certificate = Certificate::read(&chain, &key).unwrap();
        let held = |now| {
            let _acceptor = certificate.acceptor(now);
            certificate.acceptor.load().changed
        };
        let first = held(1_000);
        write(600);
        assert_eq!(held(1_059), first, "it isn't looked at each time");
        let second = held(1_060);
        assert_ne!(second, first);
        std::fs::write(&chain, "nothing").unwrap();
        assert_eq!(held(2_000), second);
    }
}
