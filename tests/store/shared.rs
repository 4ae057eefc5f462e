//! What every keeper of what nodes share must do, whether it is the process or Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commands::ports::{Channel, Ephemera, Relay};
use domain::{Keyed, Purpose};
use infra::redis::Redis;
use infra::{ephemera, relay};
use sha2::{Digest as _, Sha256};

const LONG: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct Keys(u8);

impl Keyed for Keys {
    fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        Sha256::digest([format!("{purpose:?}{}", self.0).as_bytes(), message].concat()).into()
    }
}

fn connected(server: &tests::Redis, epoch: i64) -> Redis {
    at(&server.url(), epoch)
}

fn at(url: &str, epoch: i64) -> Redis {
    Redis::new(url, &Keys(7), epoch).unwrap()
}

async fn keeps_what_expires(kept: Arc<dyn Ephemera>) {
    kept.put("challenge:a", b"x", LONG).await.unwrap();
    let takers = (0..20).map(|_| {
        let kept = Arc::clone(&kept);
        tokio::spawn(async move { kept.take("challenge:a").await.unwrap().is_some() })
    });
    let mut got = 0;
    for taker in takers.collect::<Vec<_>>() {
        got += u32::from(taker.await.unwrap());
    }
    assert_eq!(got, 1, "of many takers one gets the value");

    assert!(kept.put_new("spent:a", b"", LONG).await.unwrap());
    assert!(!kept.put_new("spent:a", b"", LONG).await.unwrap());
    let soon = Duration::from_millis(20);
    kept.put("spent:b", b"y", soon).await.unwrap();
    tokio::time::sleep(soon * 2).await;
    assert_eq!(kept.get("spent:b").await.unwrap(), None);
    assert!(kept.put_new("spent:b", b"z", LONG).await.unwrap());
    assert_eq!(kept.get("spent:b").await.unwrap(), Some(b"z".to_vec()));

    for (key, keep) in [
        ("session:a:1", LONG),
        ("session:a:2", soon),
        ("session:b:1", LONG),
        ("session:a:3", LONG),
    ] {
        kept.put(key, key.as_bytes(), keep).await.unwrap();
    }
    tokio::time::sleep(soon * 2).await;
    let list = kept.list("session:a:").await.unwrap();
    let whole = |key: &str| (key.to_owned(), key.as_bytes().to_vec());
    assert_eq!(list, [whole("session:a:1"), whole("session:a:3")]);
    assert!(kept.take("session:a:1").await.unwrap().is_some());
    assert_eq!(
        kept.list("session:a:").await.unwrap(),
        [whole("session:a:3")]
    );
    assert_eq!(kept.list("session:c:").await.unwrap(), []);
}

async fn tells_in_order(relay: Arc<dyn Relay>) {
    let message = |number: u16| number.to_be_bytes().to_vec();
    assert_eq!(relay.last(Channel::Swarms).await.unwrap(), "0");
    for number in 0..150 {
        let both = [message(2 * number), message(2 * number + 1)];
        relay.tell(Channel::Swarms, &both, LONG).await.unwrap();
        relay.tell(Channel::Talk, &[vec![9]], LONG).await.unwrap();
    }
    let (mut mark, mut heard) = ("0".to_owned(), vec![]);
    loop {
        let some = relay
            .hear(Channel::Swarms, &mark, Duration::ZERO)
            .await
            .unwrap();
        let Some((last, _)) = some.last() else {
            break;
        };
        mark.clone_from(last);
        heard.extend(some.into_iter().map(|(_, message)| message));
    }
    assert_eq!(heard, (0..300).map(message).collect::<Vec<_>>());
    assert_eq!(relay.last(Channel::Swarms).await.unwrap(), mark);

    let (waiting, from) = (Arc::clone(&relay), mark.clone());
    let hearing = tokio::spawn(async move {
        let began = Instant::now();
        let heard = waiting
            .hear(Channel::Swarms, &from, Duration::from_millis(900))
            .await;
        (heard.unwrap(), began.elapsed())
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    relay
        .tell(Channel::Swarms, &[b"news".to_vec()], LONG)
        .await
        .unwrap();
    let (news, took) = hearing.await.unwrap();
    assert_eq!(news.first().unwrap().1, b"news");
    assert!(
        took < Duration::from_millis(800),
        "who waits is woken: {took:?}"
    );

    assert!(relay.holds(Channel::Swarms, &mark).await.unwrap());
    relay.forget().await.unwrap();
    assert!(!relay.holds(Channel::Swarms, &mark).await.unwrap());
    assert!(!relay.holds(Channel::Swarms, "0").await.unwrap());
    let after = relay
        .hear(Channel::Swarms, "0", Duration::ZERO)
        .await
        .unwrap();
    assert!(after.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_keeps_what_expires() {
    keeps_what_expires(Arc::new(ephemera::InProcess::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_what_expires() {
    let server = tests::Redis::start();
    keeps_what_expires(Arc::new(connected(&server, 0))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_what_expires_and_tells_in_order_on_all_its_nodes() {
    let cluster = tests::Cluster::start();
    let redis = at(&cluster.url(), 0);
    keeps_what_expires(Arc::new(redis.clone())).await;
    tells_in_order(Arc::new(redis.clone())).await;
    for number in 0..64 {
        let of = format!("session:{number}:");
        redis.put(&format!("{of}1"), b"x", LONG).await.unwrap();
        assert_eq!(redis.list(&of).await.unwrap().len(), 1);
    }
    let keys = cluster.keys();
    let spread = |keys: &String| keys.lines().filter(|key| key.contains("session")).count();
    assert!(keys.iter().all(|keys| spread(keys) > 10), "{keys:?}");
    assert!(!redis.persists().await.unwrap());
    let last = cluster.nodes.last().unwrap();
    last.ask(&["config", "set", "save", "3600 1"]);
    assert!(redis.persists().await.unwrap(), "each node is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_node_of_a_cluster_was_away_all_goes_on_when_it_is_back() {
    let mut cluster = tests::Cluster::start();
    let redis = at(&cluster.url(), 0);
    let keys = ["session:a:1", "session:b:1", "session:c:1", "session:d:1"];
    let put_all = async || {
        for key in keys {
            redis.put(key, b"x", LONG).await?;
        }
        redis.tell(Channel::Swarms, &[b"x".to_vec()], LONG).await?;
        redis.tell(Channel::Talk, &[b"x".to_vec()], LONG).await
    };
    put_all().await.unwrap();
    for node in &mut cluster.nodes {
        node.pause();
    }
    let began = Instant::now();
    assert!(put_all().await.is_err());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    for node in &mut cluster.nodes {
        node.go_on();
    }
    tests::until("the cluster", Duration::from_secs(30), || async {
        put_all().await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_tells_in_order() {
    tells_in_order(Arc::new(relay::InProcess::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_tells_in_order() {
    let server = tests::Redis::start();
    tells_in_order(Arc::new(connected(&server, 0))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_learns_nothing_and_what_is_old_there_is_of_no_use_after_a_panic() {
    let server = tests::Redis::saving("3600 1");
    let redis = connected(&server, 0);
    let value = b"a value that is a secret".as_slice();
    redis.put("session:a:1", value, LONG).await.unwrap();
    redis
        .tell(Channel::Swarms, &[value.to_vec()], LONG)
        .await
        .unwrap();
    assert_eq!(
        redis.get("session:a:1").await.unwrap().as_deref(),
        Some(value)
    );
    assert!(redis.persists().await.unwrap());
    assert_eq!(server.ask(&["save"]).trim(), "OK");
    let found = tests::files_with(server.folder(), &["a value that"]);
    assert!(found.is_empty(), "{found:?}");

    let after = connected(&server, 1);
    assert_eq!(after.get("session:a:1").await.unwrap(), None);
    assert_eq!(after.list("session:a:").await.unwrap(), []);
    let heard = after
        .hear(Channel::Swarms, "0", Duration::ZERO)
        .await
        .unwrap();
    assert!(heard.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_put_in_by_somebody_else_is_heard_as_nothing() {
    let server = tests::Redis::start();
    let redis = connected(&server, 0);
    redis
        .tell(Channel::Swarms, &[b"ours".to_vec()], LONG)
        .await
        .unwrap();
    let name = server.ask(&["keys", "*"]);
    server.ask(&["xadd", name.trim(), "*", "m", "theirs"]);
    server.ask(&["xadd", name.trim(), "*", "other", "theirs"]);
    let heard = redis
        .hear(Channel::Swarms, "0", Duration::ZERO)
        .await
        .unwrap();
    let heard: Vec<Vec<u8>> = heard.into_iter().map(|(_, message)| message).collect();
    assert_eq!(heard, [b"ours".to_vec(), vec![], vec![]]);
    assert!(!redis.persists().await.unwrap());
}
