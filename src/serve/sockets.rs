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
use crate::role::Role;

/// The sockets, and who answers on them.
pub(super) struct Sockets {
    bound: Option<Bound>,
    metrics: Option<TcpListener>,
    threads: Vec<Thread<()>>,
    server: Option<JoinHandle<std::io::Result<()>>>,
    stop: watch::Sender<bool>,
}

struct Bound {
    site: Option<TcpListener>,
    announces: Option<tracker::http::Bound>,
    packets: Option<tracker::udp::Bound>,
}

impl Sockets {
    /// Takes the addresses of what this node does; nobody is answered yet.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<(Self, Listening)> {
        let site = if config.does(Role::Api) {
            Some(bind(config).await?)
        } else {
            None
        };
        let (announces, packets) = if config.does(Role::Tracker) {
            bind_tracker(config)?
        } else {
            (None, None)
        };
        let metrics = TcpListener::bind(config.metrics.listen)
            .await
            .with_context(|| in_use("metrics page", config.metrics.listen, "metrics.listen"))?;
        let listening = Listening {
            site: match &site {
                Some(site) => site.local_addr()?,
                None => config.site.listen,
            },
            announces: announces
                .as_ref()
                .map_or(config.announce.listen, tracker::http::Bound::address),
        };
        let bound = Bound {
            site,
            announces,
            packets,
        };
        let sockets = Self {
            bound: Some(bound),
            metrics: Some(metrics),
            threads: vec![],
            server: None,
            stop: watch::channel(false).0,
        };
        Ok((sockets, listening))
    }

    /// Answers on the port of the measures, also while this node isn't ready yet.
    pub(super) fn measure(&mut self, front: &Arc<Front>) {
        if let Some(metrics) = self.metrics.take() {
            let stop = self.stop.subscribe();
            tokio::spawn(api::metrics::serve(metrics, Arc::clone(front), stop));
        }
    }

    /// Answers from now on; asked again, it goes on.
    pub(super) fn answer(&mut self, front: &Arc<Front>, tracker: &Tracker) -> anyhow::Result<()> {
        let Some(bound) = self.bound.take() else {
            return Ok(());
        };
        let stop = self.stop.subscribe();
        if let Some(announces) = bound.announces {
            self.threads = tracker::http::serve(tracker, announces, &stop)?;
        }
        if let Some(packets) = bound.packets {
            self.threads
                .extend(tracker::udp::serve(tracker, packets, &stop)?);
        }
        if let Some(site) = bound.site {
            let site = api::serve(site, Arc::clone(front), stop.clone());
            self.server = Some(tokio::spawn(site));
        }
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

/// What the tracker listens on: TCP, and UDP where it is wanted.
type Announces = (Option<tracker::http::Bound>, Option<tracker::udp::Bound>);

fn bind_tracker(config: &Config) -> anyhow::Result<Announces> {
    let announces = tracker::http::bind(config.announce.listen, config.tracker.threads)
        .with_context(|| in_use("tracker", config.announce.listen, "--tracker"))?;
    if !config.announce.udp {
        return Ok((Some(announces), None));
    }
    let packets = tracker::udp::bind(announces.address(), config.tracker.threads)
        .with_context(|| in_use("tracker over UDP", announces.address(), "--tracker"))?;
    Ok((Some(announces), Some(packets)))
}
