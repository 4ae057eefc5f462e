//! A real Redis on a port of its own.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::site::free_port;

/// A Redis server that ends when it is dropped.
#[derive(Debug)]
pub struct Redis {
    pub address: SocketAddr,
    folder: TempDir,
    save: &'static str,
    child: Option<Child>,
}

impl Redis {
    /// Starts a server that keeps nothing on a disk.
    pub fn start() -> Self {
        Self::saving("")
    }

    /// Starts a server with a rule by which it saves its memory.
    pub fn saving(save: &'static str) -> Self {
        let mut redis = Self {
            address: free_port("127.0.0.1"),
            folder: TempDir::new().unwrap(),
            save,
            child: None,
        };
        redis.launch();
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again, empty.
    pub fn launch(&mut self) {
        let child = Command::new("redis-server")
            .args(["--bind", &self.address.ip().to_string()])
            .args(["--port", &self.address.port().to_string()])
            .args(["--save", self.save, "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.child =
            Some(child.expect("redis-server is needed; run: apt-get install redis-server"));
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < until, "Redis doesn't listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it; what it held is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it answer nobody, as when the way to it is cut.
    pub fn pause(&mut self) {
        self.signal("-STOP");
    }

    /// Lets it answer again.
    pub fn go_on(&mut self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks the server by its own client; gives what it printed.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.address.port().to_string()])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
