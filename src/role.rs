//! What a node of a site does: its pages, its announces, the work behind them.

use anyhow::ensure;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// A part that a node may have in a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// The site: pages, feeds, the API.
    Api,
    /// Announces over HTTP, UDP and WebSocket.
    Tracker,
    /// Projections, reactions, checkpoints.
    Worker,
}

impl Role {
    /// Every role.
    pub(crate) const ALL: [Self; 3] = [Self::Api, Self::Tracker, Self::Worker];

    /// Its name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Tracker => "tracker",
            Self::Worker => "worker",
        }
    }
}

/// Says what is wrong with the roles of a node.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    ensure!(
        !config.roles.is_empty(),
        "roles is empty: name some of api, tracker and worker"
    );
    let missing = Role::ALL.into_iter().find(|role| !config.does(*role));
    if let Some(missing) = missing.filter(|_| config.database.url.is_empty()) {
        anyhow::bail!(
            "roles leaves out {}, and no other node reaches this one's own database: name a database for all by DATABASE_URL",
            missing.name()
        );
    }
    ensure!(
        config.does(Role::Api) == config.does(Role::Tracker) || !config.redis.url.is_empty(),
        "roles has one of api and tracker: they tell each other of the swarms by a Redis, so name it by REDIS_URL"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_apart_need_what_nodes_share() {
        let told = |roles: &[Role], database: &str, redis: &str| {
            let mut config = Config {
                roles: roles.to_vec(),
                ..Config::default()
            };
            database.clone_into(&mut config.database.url);
            redis.clone_into(&mut config.redis.url);
            check(&config).map_err(|error| error.to_string())
        };
        let (database, redis) = ("postgres://there/", "redis://there/");
        assert_eq!(told(&Role::ALL, "", ""), Ok(()));
        assert!(told(&[], database, redis).unwrap_err().contains("empty"));
        let alone = told(&[Role::Api, Role::Tracker], "", redis).unwrap_err();
        assert!(alone.contains("worker") && alone.contains("DATABASE_URL"));
        for role in [Role::Api, Role::Tracker] {
            let deaf = told(&[role, Role::Worker], database, "").unwrap_err();
            assert!(deaf.contains("REDIS_URL"), "{deaf}");
            assert_eq!(told(&[role], database, redis), Ok(()));
        }
        assert_eq!(told(&[Role::Worker], database, ""), Ok(()));
    }
}
