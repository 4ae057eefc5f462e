//! A real Redis on a port of its own, and a real cluster of three.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
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
    /// Whether it speaks TLS, and nothing else.
    secured: bool,
    /// The port by which it speaks to other nodes of its cluster.
    bus: Option<SocketAddr>,
    child: Option<Child>,
}

impl Redis {
    /// Starts a server that keeps nothing on a disk.
    pub fn start() -> Self {
        Self::saving("")
    }

    /// Starts a server with a rule by which it saves its memory.
    pub fn saving(save: &'static str) -> Self {
        Self::new(save, false)
    }

    /// Starts a server that speaks TLS alone, by the certificate in [`Self::certificate`].
    pub fn secured() -> Self {
        Self::new("", true)
    }

    fn new(save: &'static str, secured: bool) -> Self {
        Self::placed(save, secured, None)
    }

    fn placed(save: &'static str, secured: bool, bus: Option<SocketAddr>) -> Self {
        let mut redis = Self {
            address: free_port("127.0.0.1"),
            folder: TempDir::new().unwrap(),
            save,
            secured,
            bus,
            child: None,
        };
        redis.launch();
        redis
    }

    pub fn url(&self) -> String {
        if self.secured {
            format!("rediss://localhost:{}/", self.address.port())
        } else {
            format!("redis://{}/", self.address)
        }
    }

    /// The certificate of a secured server, which nobody else vouches for.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    fn transport(&self) -> Vec<String> {
        let port = self.address.port().to_string();
        if let Some(bus) = self.bus {
            let bus = bus.port();
            return format!("--port {port} --cluster-enabled yes --cluster-port {bus}")
                .split(' ')
                .map(str::to_owned)
                .collect();
        }
        if !self.secured {
            return vec!["--port".to_owned(), port];
        }
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (self.certificate(), self.folder.path().join("key.pem"));
        std::fs::write(&chain, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let (chain, key) = (chain.display(), key.display());
        format!("--port 0 --tls-port {port} --tls-cert-file {chain} --tls-key-file {key} --tls-auth-clients no")
            .split(' ')
            .map(str::to_owned)
            .collect()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again, empty.
    pub fn launch(&mut self) {
        let child = Command::new("redis-server")
            .args(["--bind", &self.address.ip().to_string()])
            .args(self.transport())
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

/// A Redis Cluster of three nodes, each with a third of the slots.
#[derive(Debug)]
pub struct Cluster {
    pub nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts the nodes, and waits until each knows who has what.
    pub fn start() -> Self {
        let node = |_| Redis::placed("", false, Some(free_port("127.0.0.1")));
        let nodes: Vec<Redis> = (0..3).map(node).collect();
        let slots = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];
        for (number, (node, (first, last))) in nodes.iter().zip(slots).enumerate() {
            let (epoch, first, last) = (number + 1, first.to_string(), last.to_string());
            node.ask(&["cluster", "set-config-epoch", &epoch.to_string()]);
            node.ask(&["cluster", "addslotsrange", &first, &last]);
        }
        let (one, others) = nodes.split_first().unwrap();
        for other in others {
            let port = other.address.port().to_string();
            let bus = other.bus.unwrap().port().to_string();
            one.ask(&["cluster", "meet", "127.0.0.1", &port, &bus]);
        }
        let until = Instant::now() + Duration::from_mins(1);
        let knows = |node: &Redis| {
            let told = node.ask(&["cluster", "info"]);
            told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:3")
        };
        while !nodes.iter().all(knows) {
            assert!(Instant::now() < until, "the nodes don't meet");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { nodes }
    }

    /// The connection strings of two nodes; they lead to the third.
    pub fn url(&self) -> String {
        let urls: Vec<String> = self.nodes.iter().take(2).map(Redis::url).collect();
        urls.join(",")
    }

    /// The names of the keys on each node.
    pub fn keys(&self) -> Vec<String> {
        let all = self.nodes.iter();
        all.map(|node| node.ask(&["keys", "*"])).collect()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
