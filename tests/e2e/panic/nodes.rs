//! Several nodes: one panic makes all of them dark, and one that is cut off serves no longer than its lease.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use infra::embedded::Embedded;
use tempfile::TempDir;
use tests::{Options, Site, cluster, until};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::{PANIC, PASSWORD, activate, restore, say, vault};

/// A way to the database that can be cut.
struct Cable {
    folder: TempDir,
    to: PathBuf,
    carrying: JoinHandle<()>,
}

const SOCKET: &str = ".s.PGSQL.5432";

impl Cable {
    fn lay(to: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let carrying = carry(folder.path(), to);
        Self {
            folder,
            to: to.to_owned(),
            carrying,
        }
    }

    fn url(&self) -> String {
        let folder = self.folder.path().display();
        format!("postgres://opentracker@localhost/postgres?host={folder}")
    }

    /// Ends every connection, and lets none begin.
    fn cut(&self) {
        self.carrying.abort();
    }

    fn mend(&mut self) {
        std::fs::remove_file(self.folder.path().join(SOCKET)).unwrap();
        self.carrying = carry(self.folder.path(), &self.to);
    }
}

fn carry(folder: &Path, to: &Path) -> JoinHandle<()> {
    let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
    let to = to.join(SOCKET);
    tokio::spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let to = to.clone();
            open.spawn(async move {
                if let Ok(mut far) = UnixStream::connect(to).await {
                    let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    })
}

/// Two nodes over one database, the second by a cable.
struct Pair {
    one: Site,
    other: Site,
    cable: Cable,
    _database: Embedded,
    _folder: TempDir,
}

impl Pair {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let database = cluster::start(folder.path());
        let sockets = database.url().split("host=").nth(1).unwrap();
        let cable = Cable::lay(Path::new(sockets));
        let by = |url: &str| Options {
            extra: vec![("DATABASE_URL".to_owned(), url.to_owned())],
            ..Options::default()
        };
        let one = Site::start(by(database.url())).await;
        one.client().set_up("admin", PASSWORD).await;
        assert!(say(&one, &["password"], &[PANIC]).status.success());
        let other = one.beside_by(by(&cable.url())).await;
        Self {
            one,
            other,
            cable,
            _database: database,
            _folder: folder,
        }
    }
}

/// Tells whether a node shows anything and admits anybody.
async fn is_dark(site: &Site) -> bool {
    let page = site.client().get("/sign-in").await;
    let announce = format!(
        "http://{}/announce?passkey={}&info_hash={}&peer_id={}&port=1&uploaded=0&downloaded=0&left=0",
        site.announces,
        "0".repeat(32),
        "a".repeat(20),
        "b".repeat(20)
    );
    let answer = reqwest::get(announce).await.unwrap().text().await.unwrap();
    page.status() == 503 && answer.contains("tracker is closed")
}

async fn lives(site: &Site) {
    let ready = site.url("/health/ready");
    until("the open site", Duration::from_mins(1), || async {
        let answer = reqwest::get(&ready).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_follows_within_a_second_and_each_takes_the_password_for_its_own_key() {
    let pair = Pair::start().await;
    activate(&pair.one);
    until("the other node", Duration::from_secs(1), || async {
        is_dark(&pair.other).await.then_some(())
    })
    .await;
    assert!(is_dark(&pair.one).await);
    until("both keys' end", Duration::from_secs(5), || async {
        let key = |site: &Site| site.data.join("keys/master.key").exists();
        (!key(&pair.one) && !key(&pair.other)).then_some(())
    })
    .await;
    restore(&pair.one);
    lives(&pair.one).await;
    assert!(is_dark(&pair.other).await, "it has no key yet");
    restore(&pair.other);
    lives(&pair.other).await;
    for site in [&pair.one, &pair.other] {
        assert_eq!(site.client().sign_in("admin", PASSWORD).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_goes_dark_within_its_lease_and_comes_back_by_itself() {
    let mut pair = Pair::start().await;
    assert!(!is_dark(&pair.other).await);
    pair.cable.cut();
    let began = Instant::now();
    until("the end of the lease", Duration::from_secs(10), || async {
        is_dark(&pair.other).await.then_some(())
    })
    .await;
    // The lease, and what a busy machine adds.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    pair.cable.mend();
    lives(&pair.other).await;

    // Cut off during a panic, it never hears of it before it has a connection, and is dark all the same.
    pair.cable.cut();
    activate(&pair.one);
    until("the end of the lease", Duration::from_secs(8), || async {
        is_dark(&pair.other).await.then_some(())
    })
    .await;
    pair.cable.mend();
    let key = pair.other.data.join("keys/master.key");
    until("the key's end", Duration::from_secs(10), || async {
        (!key.exists()).then_some(())
    })
    .await;
    assert!(is_dark(&pair.other).await);
    assert_ne!(vault(&pair.one)["state"], "open");
}
