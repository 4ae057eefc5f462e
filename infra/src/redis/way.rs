//! The way to Redis: to one server, or to the nodes of a Redis Cluster.
//!
//! Of a cluster each command goes to the node that has its keys, so all keys of a command, a pipeline or a
//! script share a hash tag.

use std::collections::HashMap;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Client, Cmd, Pipeline, RedisFuture, RedisResult, Value, from_redis_value};

use super::{PATIENCE, SOON};

/// How often a command is sent again that a cluster led to another node, or whose node is away.
const TRIES: u32 = 3;

/// Where Redis is, by its connection string.
pub(super) enum Place {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

impl Place {
    /// Reads a connection string; several, with commas between them, are nodes of one cluster.
    pub(super) fn read(text: &str) -> RedisResult<Self> {
        let nodes: Vec<&str> = text.split(',').map(str::trim).collect();
        if let [one] = nodes.as_slice() {
            return Ok(Self::One(Box::new(Client::open(*one)?)));
        }
        let cluster = ClusterClient::builder(nodes)
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE)
            .overall_response_timeout(Some(PATIENCE))
            .retries(TRIES)
            .build()?;
        Ok(Self::Cluster(Box::new(cluster)))
    }

    /// Makes a connection, which is opened when it is needed.
    pub(super) fn connect(&self) -> RedisResult<Way> {
        match self {
            Self::One(client) => {
                let settings = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(PATIENCE))
                    .set_response_timeout(Some(PATIENCE))
                    .set_max_delay(SOON)
                    .set_number_of_retries(1);
                let made =
                    ConnectionManager::new_lazy_with_config(client.as_ref().clone(), settings);
                Ok(Way::One(made?))
            }
            Self::Cluster(client) => {
                let settings = ClusterConfig::new()
                    .set_connection_timeout(PATIENCE)
                    .set_response_timeout(PATIENCE);
                let made = client.get_pending_async_connection_with_config(settings);
                Ok(Way::Cluster(made))
            }
        }
    }
}

/// A connection; cheap to clone.
#[derive(Clone)]
pub(super) enum Way {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Way {
    /// Asks every server the same; gives all answers.
    pub(super) async fn ask_each(&self, command: &Cmd) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(way) => Ok(vec![command.query_async(&mut way.clone()).await?]),
            Self::Cluster(way) => {
                let to = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, None));
                let told = way.clone().route_command(command.clone(), to).await?;
                let answers: HashMap<String, Value> = from_redis_value(told)?;
                Ok(answers.into_values().collect())
            }
        }
    }
}

impl ConnectionLike for Way {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(way) => way.req_packed_command(command),
            Self::Cluster(way) => way.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(way) => way.req_packed_commands(pipeline, offset, count),
            Self::Cluster(way) => way.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(way) => way.get_db(),
            Self::Cluster(way) => way.get_db(),
        }
    }
}
