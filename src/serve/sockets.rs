//! The sockets of the program: taken before anything else, answered from the first phase on.

use std::sync::Arc;
use std::thread::JoinHandle as Thread;

use anyhow::Context as _;
use api::front::Front;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracker::Tracker;

use super::{FINISH, Listening, bind, in_use};
use crate::config::Config;

/// The sockets, and who answers on them.
pub(super) struct Sockets {
    bound: Option<Bound>,
    threads: Vec<Thread<()>>,
    server: Option<JoinHandle<std::io::Result<()>>>,
    stop: watch::Sender<bool>,
}

struct Bound {
    site: TcpListener,
    announces: tracker::http::Bound,
    packets: Option<tracker::udp::Bound>,
    metrics: TcpListener,
}

impl Sockets {
    /// Takes the addresses; nobody is answered yet.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<(Self, Listening)> {
        let site = bind(config).await?;
        let announces = tracker::http::bind(config.announce.listen, config.tracker.threads)
            .with_context(|| in_use("tracker", config.announce.listen, "--tracker"))?;
        let packets = if config.announce.udp {
            let bound = tracker::udp::bind(announces.address(), config.tracker.threads);
            let told = || in_use("tracker over UDP", announces.address(), "--tracker");
            Some(bound.with_context(told)?)
        } else {
            None
        };
        let metrics = TcpListener::bind(config.metrics.listen)
            .await
            .with_context(|| in_use("metrics page", config.metrics.listen, "metrics.listen"))?;
        let listening = Listening {
            site: site.local_addr()?,
            announces: announces.address(),
        };
        let bound = Bound {
            site,
            announces,
            packets,
            metrics,
        };
        let sockets = Self {
            bound: Some(bound),
            threads: vec![],
            server: None,
            stop: watch::channel(false).0,
        };
        Ok((sockets, listening))
    }

    /// Answers from now on; asked again, it goes on.
    pub(super) fn answer(&mut self, front: &Arc<Front>, tracker: &Tracker) -> anyhow::Result<()> {
        let Some(bound) = self.bound.take() else {
            return Ok(());
        };
        let stop = self.stop.subscribe();
        self.threads = tracker::http::serve(tracker, bound.announces, &stop)?;
        if let Some(packets) = bound.packets {
            self.threads
                .extend(tracker::udp::serve(tracker, packets, &stop)?);
        }
        let site = api::serve(bound.site, Arc::clone(front), stop.clone());
        self.server = Some(tokio::spawn(site));
        tokio::spawn(api::metrics::serve(bound.metrics, Arc::clone(front), stop));
        Ok(())
    }

    /// Lets open requests finish, and answers nobody any more.
    pub(super) async fn close(&mut self) {
        self.stop.send_replace(true);
        if let Some(server) = self.server.take()
            && tokio::time::timeout(FINISH, server).await.is_err()
        {
            tracing::warn!("some requests were cut off");
        }
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}
