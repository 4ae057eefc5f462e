//! A private PostgreSQL cluster in the data directory, supervised as a child.
//!
//! It listens on a unix socket in a folder of its own and nowhere else. It ends with this program,
//! also after `kill -9`: the kernel tells it that its parent is gone, and it shuts down in order. It
//! inherits the lock of the data directory, so whoever holds the lock knows that no server of an
//! earlier run is left, and that a pid file that says otherwise is stale.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

mod account;
mod binaries;

use account::Account;

/// How long another program may take to let go of the data directory.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last statement of a server that was killed may take to end.
const LAST_STATEMENT: Duration = Duration::from_secs(20);
/// How long the server may take to be ready; recovery after a crash takes part of it.
const READY: Duration = Duration::from_mins(1);
/// The longest path of a socket's folder; the whole has 107 bytes.
const LONGEST_FOLDER: usize = 80;

/// Settings of the server, which has room for three nodes. Nothing of a statement but its form may reach its log.
const SETTINGS: [&str; 12] = [
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=64MB",
    "logging_collector=off",
    "log_min_messages=warning",
    "log_min_error_statement=panic",
    "log_min_duration_statement=-1",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
    "log_error_verbosity=terse",
    "max_wal_size=512MB",
    "timezone=UTC",
];

/// Why there is no embedded database.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The server's programs aren't on this machine.
    #[error(
        "PostgreSQL's server programs are not on this machine; start with ./run, or run apt-get install postgresql, or set DATABASE_URL"
    )]
    NoPrograms,
    /// Another program of ours has the directory.
    #[error("{0} is in use by another running instance; stop it or choose another --data-dir")]
    InUse(String),
    /// The directory can't be written.
    #[error("the data directory {path} can't be used: {source}; choose another --data-dir")]
    Folder {
        /// Which one.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("PostgreSQL failed to start: {0}")]
    Failed(String),
}

/// A running cluster.
#[derive(Debug)]
pub struct Embedded {
    child: Child,
    url: String,
    programs: PathBuf,
    account: Account,
    layout: Layout,
    lock: Flock<File>,
}

impl Drop for Embedded {
    /// Nobody gets the lock before the server is gone.
    fn drop(&mut self) {
        if let Err(error) = self.halt() {
            tracing::error!(%error, "the database is left to itself");
        }
    }
}

/// Where the parts of a cluster are.
#[derive(Debug)]
struct Layout {
    cluster: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
}

impl Embedded {
    /// Brings up the cluster of a data directory; makes it the first time.
    ///
    /// The thread that calls it must live as long as the program, for the server ends with it.
    pub fn start(data: &Path) -> Result<Self, EmbeddedError> {
        let programs = binaries::find().ok_or(EmbeddedError::NoPrograms)?;
        let account = Account::choose(data);
        let data = folder(data, 0o700)?;
        let lock = lock(&data)?;
        let layout = layout(&data, &account, binaries::major(&programs))?;
        forget_the_dead(&layout)?;
        if !layout.cluster.join("PG_VERSION").exists() {
            make(&programs, &account, &layout)?;
        }
        let child = spawn(&programs, &account, &layout, &lock)?;
        let url = url(&layout.sockets);
        let mut embedded = Self {
            child,
            url,
            programs,
            account,
            layout,
            lock,
        };
        embedded.await_ready()?;
        Ok(embedded)
    }

    /// Starts a server that has ended once more, at the same place.
    ///
    /// A statement of the one that ended may still be at work, and no other server starts beside
    /// it; it is waited for. As [`Embedded::start`], for a thread that lives as long as the program.
    pub fn restart(&mut self) -> Result<(), EmbeddedError> {
        let until = Instant::now() + LAST_STATEMENT;
        loop {
            forget_the_dead(&self.layout)?;
            self.child = spawn(&self.programs, &self.account, &self.layout, &self.lock)?;
            match self.await_ready() {
                Err(_) if self.ended().is_some() && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                done => return done,
            }
        }
    }

    /// Gives the connection string.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gives another program of PostgreSQL, if it is beside the server's.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.programs.join(name)).filter(|path| path.is_file())
    }

    /// Gives the server's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells how the server ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Gives the connection string of a cluster that another program serves from this directory.
    ///
    /// What is left of a server that was killed holds the lock a little longer; it is waited for.
    pub fn running(data: &Path) -> Option<String> {
        let data = data.canonicalize().ok()?;
        let until = Instant::now() + PATIENCE;
        loop {
            let file = OpenOptions::new()
                .write(true)
                .open(data.join("lock"))
                .ok()?;
            if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
                return None;
            }
            let folder = std::fs::read_to_string(data.join("sockets")).ok()?;
            let folder = Path::new(folder.trim());
            let answers = UnixStream::connect(folder.join(".s.PGSQL.5432")).is_ok();
            if answers || Instant::now() > until {
                return Some(url(folder));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops the server: in order first, then at once.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.halt()
    }

    /// Stops the server and removes everything that it stored.
    pub fn remove(mut self) -> Result<(), EmbeddedError> {
        self.halt()?;
        for folder in [&self.layout.cluster, &self.layout.sockets] {
            std::fs::remove_dir_all(folder).map_err(unusable(folder))?;
        }
        if let Some(base) = self.layout.cluster.parent() {
            // Whatever else is in there stays.
            let _kept = std::fs::remove_dir(base);
        }
        Ok(())
    }

    fn halt(&mut self) -> Result<(), EmbeddedError> {
        if self.ended().is_some() {
            return Ok(());
        }
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        for (signal, patience) in [
            (Signal::SIGINT, 20),
            (Signal::SIGQUIT, 5),
            (Signal::SIGKILL, 5),
        ] {
            // A server that has ended already can't be told.
            let _told = kill(pid, signal);
            let until = Instant::now() + Duration::from_secs(patience);
            while Instant::now() < until {
                if self.ended().is_some() {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Err(EmbeddedError::Failed("it does not stop".to_owned()))
    }

    /// Waits until the server says in its pid file that it is ready.
    fn await_ready(&mut self) -> Result<(), EmbeddedError> {
        let pid = self.child.id().to_string();
        let until = Instant::now() + READY;
        while Instant::now() < until {
            if let Some(status) = self.ended() {
                let log = self.layout.log.display();
                return Err(EmbeddedError::Failed(format!(
                    "it ended with {status}; see {log}"
                )));
            }
            let text = std::fs::read_to_string(self.layout.cluster.join("postmaster.pid"))
                .unwrap_or_default();
            let mut lines = text.lines();
            if lines.next() == Some(&pid) && lines.nth(6).is_some_and(|line| line.trim() == "ready")
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(EmbeddedError::Failed(format!(
            "it is not ready after a minute; see {}",
            self.layout.log.display()
        )))
    }
}

fn unusable(path: &Path) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let path = path.display().to_string();
    |source| EmbeddedError::Folder { path, source }
}

fn folder(path: &Path, mode: u32) -> Result<PathBuf, EmbeddedError> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path);
    made.and_then(|()| path.canonicalize())
        .map_err(unusable(path))
}

fn lock(data: &Path) -> Result<Flock<File>, EmbeddedError> {
    let path = data.join("lock");
    let until = Instant::now() + PATIENCE;
    loop {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(unusable(data))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            Err(_) => return Err(EmbeddedError::InUse(data.display().to_string())),
        }
    }
}

/// Chooses where the cluster and its socket go, and gives them to the account.
fn layout(data: &Path, account: &Account, major: u32) -> Result<Layout, EmbeddedError> {
    let mut base = data.to_path_buf();
    if let Some(blocked) = account.blocked_at(data) {
        base = PathBuf::from("/var/lib/opentracker").join(digest(data));
        tracing::info!(blocked = %blocked.display(), instead = %base.display(), "the database's account can't enter the data directory");
        folder(&base, 0o711)?;
    } else if account.differs() {
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(data, open).map_err(unusable(data))?;
    }
    let mut sockets = base.join("run");
    if sockets.as_os_str().len() > LONGEST_FOLDER {
        sockets = std::env::temp_dir().join(format!("opentracker-{}", digest(data)));
    }
    let cluster = base.join(format!("pg{major}"));
    folder(&sockets, 0o700)?;
    account.own(&sockets).map_err(unusable(&sockets))?;
    std::fs::write(data.join("sockets"), sockets.as_os_str().as_encoded_bytes())
        .map_err(unusable(data))?;
    Ok(Layout {
        cluster,
        sockets,
        log: data.join("postgres.log"),
    })
}

/// Names a path in sixteen hex digits.
fn digest(path: &Path) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hex::encode(hash.get(..8).unwrap_or_default())
}

fn url(sockets: &Path) -> String {
    format!(
        "postgres://opentracker@localhost/postgres?host={}",
        sockets.display()
    )
}

/// Removes what a dead server left: holding the lock proves that none of ours lives, though a pid
/// file may still name a zombie or somebody else's process.
fn forget_the_dead(layout: &Layout) -> Result<(), EmbeddedError> {
    let stale = layout.cluster.join("postmaster.pid");
    if stale.exists() {
        std::fs::remove_file(&stale).map_err(unusable(&stale))?;
    }
    for entry in std::fs::read_dir(&layout.sockets)
        .map_err(unusable(&layout.sockets))?
        .flatten()
    {
        std::fs::remove_file(entry.path()).map_err(unusable(&layout.sockets))?;
    }
    Ok(())
}

/// Makes the cluster beside its place and moves it there when it is whole.
fn make(programs: &Path, account: &Account, layout: &Layout) -> Result<(), EmbeddedError> {
    let half = layout.cluster.with_extension("half");
    if half.exists() {
        std::fs::remove_dir_all(&half).map_err(unusable(&half))?;
    }
    folder(&half, 0o700)?;
    account.own(&half).map_err(unusable(&half))?;
    let mut command = command(&programs.join("initdb"), account);
    command
        .arg("-D")
        .arg(&half)
        .args(["-U", "opentracker", "-A", "trust", "-E", "UTF8"]);
    command.args(["--locale=C.UTF-8", "--data-checksums", "--no-instructions"]);
    let made = command
        .output()
        .map_err(|error| EmbeddedError::Failed(format!("initdb: {error}")))?;
    if !made.status.success() {
        return Err(EmbeddedError::Failed(format!(
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        )));
    }
    std::fs::rename(&half, &layout.cluster).map_err(unusable(&layout.cluster))
}

fn spawn(
    programs: &Path,
    account: &Account,
    layout: &Layout,
    lock: &Flock<File>,
) -> Result<Child, EmbeddedError> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&layout.log)
        .map_err(unusable(&layout.log))?;
    let errors = log.try_clone().map_err(unusable(&layout.log))?;
    let mut command = command(&programs.join("postgres"), account);
    command
        .arg("-D")
        .arg(&layout.cluster)
        .arg("-k")
        .arg(&layout.sockets);
    for setting in SETTINGS {
        command.arg("-c").arg(setting);
    }
    command.stdout(log).stderr(errors);
    // The server keeps the lock open, so that it is held until the last of its processes is gone.
    fcntl(&**lock, FcntlArg::F_SETFD(FdFlag::empty()))
        .map_err(|error| EmbeddedError::Failed(format!("lock {}: {error}", lock.as_raw_fd())))?;
    die_with_parent(&mut command);
    let child = command
        .spawn()
        .map_err(|error| EmbeddedError::Failed(error.to_string()));
    let closed = fcntl(&**lock, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    closed.map_err(|error| EmbeddedError::Failed(error.to_string()))?;
    child
}

fn command(program: &Path, account: &Account) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).current_dir("/").env_clear();
    command
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .env("TZ", "UTC");
    // A terminal's Ctrl-C is for this program, which then stops the server in order.
    command.process_group(0);
    account.run_as(&mut command);
    command
}

/// Lets the kernel tell the server when this program is gone.
#[expect(
    unsafe_code,
    reason = "the kernel's promise can only be asked for between fork and exec"
)]
fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    let parent = std::process::id();
    // SAFETY: prctl and getppid are safe to call between fork and exec and touch no memory. The
    // standard library runs this after it changed the user, which would clear the setting.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
            if u32::try_from(nix::unistd::getppid().as_raw()) == Ok(parent) {
                Ok(())
            } else {
                Err(std::io::Error::other("the parent is gone"))
            }
        });
    }
}
