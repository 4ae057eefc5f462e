//! Whether the parts outside answer.

use std::sync::Arc;

use async_trait::async_trait;
use infra::redis::Redis;
use projections::progress::Progress;
use projections::swarm::Swarms;
use tokio::sync::watch;

use super::share;
use crate::role::Role;

/// The parts that must answer for the site to serve.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) pool: infra::postgres::Pool,
    pub(super) progress: watch::Receiver<Progress>,
    /// What this node does.
    pub(super) roles: Vec<Role>,
    pub(super) swarms: Arc<dyn Swarms>,
    /// What nodes share, where there is a Redis.
    pub(super) redis: Option<Redis>,
}

#[async_trait]
impl api::app::Health for Parts {
    async fn reasons(&self) -> Vec<String> {
        let mut reasons = vec![];
        if !infra::postgres::answers(&self.pool).await {
            reasons.push("the database doesn't answer".to_owned());
        }
        if self.roles.contains(&Role::Api) && self.progress.borrow().refilled().is_some() {
            reasons.push("read tables that the database lost are being filled anew".to_owned());
        }
        for (name, standing) in self.progress.borrow().standing() {
            // The search index is of who shows pages, all else is moved by workers.
            let mover = if *name == "search" {
                Role::Api
            } else {
                Role::Worker
            };
            if standing.stopped.is_some() && self.roles.contains(&mover) {
                reasons.push(format!("the projection {name} has stopped"));
            }
        }
        if self.roles.contains(&Role::Tracker) && !self.swarms.listens() {
            reasons.push("the tracker listens no more; start the node again".to_owned());
        }
        reasons
    }

    async fn warnings(&self) -> Vec<String> {
        let Some(redis) = &self.redis else {
            return vec![];
        };
        match redis.persists().await {
            Ok(true) => vec![share::PERSISTS.to_owned()],
            Ok(false) => vec![],
            Err(_) => vec!["Redis doesn't answer; this node goes on by itself".to_owned()],
        }
    }
}
