//! What every limiter must do, whether it counts in the process, in Redis, or in both as Redis comes and
//! goes. Times are short ones, and waited for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commands::limit::{Limiter, Past, Question, Rules, Subject, Verdict, Why, Window};
use domain::{Keyed, Purpose};
use infra::limit::{InProcess, shared::Shared};
use infra::redis::Redis;
use infra::redis::limit::Counting;
use sha2::{Digest as _, Sha256};
use tests::until;

const SOON: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(5);
const SHORT: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Keys;

impl Keyed for Keys {
    fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        Sha256::digest([format!("{purpose:?}").as_bytes(), message].concat()).into()
    }
}

fn rules() -> Rules {
    Rules {
        flood: 50,
        flood_span: LONG,
        score: 30,
        score_span: LONG,
        strikes: 3,
        first: SHORT,
        longest: 30 * SHORT,
    }
}

fn connected(server: &tests::Redis, epoch: i64) -> Redis {
    at(&server.url(), epoch)
}

fn at(url: &str, epoch: i64) -> Redis {
    Redis::new(url, &Keys, epoch).unwrap()
}

fn window(whose: u8, most: u32, span: Duration, past: Past) -> Window {
    Window {
        name: "test",
        whose: [whose; 16],
        most,
        span,
        past,
    }
}

fn of(address: u8, windows: &[Window]) -> Question<'_> {
    Question {
        address: [address; 16],
        floods: false,
        points: 0,
        about: "",
        windows,
    }
}

type Limits = Arc<dyn Limiter>;

async fn ask(limiter: &Limits, question: &Question<'_>) -> Verdict {
    limiter.ask(question).await.unwrap()
}

/// Asks so often, and counts what passes.
async fn passed(limiter: &Limits, question: &Question<'_>, times: u32) -> u32 {
    let mut passed = 0;
    for _ in 0..times {
        let verdict = ask(limiter, question).await;
        passed += u32::from(matches!(verdict, Verdict::Passes { .. }));
    }
    passed
}

async fn counts_each_subject_for_itself(limiter: Limits) {
    for (whose, most) in [(1, 5), (2, 32), (3, 33), (4, 100)] {
        let only = window(whose, most, LONG, Past::Wait);
        let windows = [only];
        let question = of(whose, &windows);
        let Verdict::Passes { left, resets } = ask(&limiter, &question).await else {
            panic!("the first one waits");
        };
        assert_eq!(left, most - 1);
        assert!(resets <= LONG && resets > LONG / 2, "{resets:?}");
        assert_eq!(passed(&limiter, &question, most + 20).await, most - 1);
        let Verdict::Waits { window, wait } = ask(&limiter, &question).await else {
            panic!("one more passes");
        };
        assert_eq!(window, 0);
        assert!(wait > LONG / 2 && wait <= 2 * LONG, "{wait:?}");
        limiter.forgive(&only).await.unwrap();
        assert_eq!(passed(&limiter, &question, 3).await, 1, "one was forgiven");
    }
    let off = [window(5, 0, LONG, Past::Wait)];
    assert_eq!(passed(&limiter, &of(5, &off), 300).await, 300);
}

async fn a_request_passes_where_each_window_has_room_and_counts_nowhere_else(limiter: Limits) {
    let narrow = window(11, 1, LONG, Past::Wait);
    let wide = window(12, 3, LONG, Past::Wait);
    assert_eq!(passed(&limiter, &of(1, &[wide, narrow]), 5).await, 1);
    let Verdict::Waits { window, .. } = ask(&limiter, &of(1, &[wide, narrow])).await else {
        panic!("it passes");
    };
    assert_eq!(window, 1);
    assert_eq!(passed(&limiter, &of(1, &[wide]), 5).await, 2);
}

async fn who_waits_may_go_on(limiter: Limits) {
    for (whose, most) in [(21, 2), (22, 40)] {
        let windows = [window(whose, most, SHORT, Past::Wait)];
        let question = of(whose, &windows);
        assert!(passed(&limiter, &question, most * 2).await >= most);
        until("room", SOON, || async {
            let verdict = ask(&limiter, &question).await;
            matches!(verdict, Verdict::Passes { .. }).then_some(())
        })
        .await;
    }
}

async fn each_repeat_doubles_the_wait(limiter: Limits) {
    let windows = [window(31, 1, SHORT, Past::Double)];
    let question = of(31, &windows);
    let mut waits = vec![];
    for _ in 0..3 {
        until("room", SOON, || async {
            let verdict = ask(&limiter, &question).await;
            matches!(verdict, Verdict::Passes { .. }).then_some(())
        })
        .await;
        let Verdict::Waits { wait, .. } = ask(&limiter, &question).await else {
            panic!("the second one passes");
        };
        waits.push(wait);
        let Verdict::Waits { wait: left, .. } = ask(&limiter, &question).await else {
            panic!("it didn't wait");
        };
        assert!(left <= wait, "asking meanwhile isn't held against them");
    }
    assert_eq!(waits, [SHORT, 2 * SHORT, 4 * SHORT]);
}

async fn blocked(limiter: &Limits, address: u8) -> Option<(Duration, Why, bool)> {
    match ask(limiter, &of(address, &[])).await {
        Verdict::Blocked { left, why, fresh } => Some((left, why, fresh)),
        Verdict::Passes { .. } | Verdict::Waits { .. } => None,
    }
}

async fn a_flood_blocks_its_address_alone_longer_each_time(limiter: Limits) {
    let flood = Question {
        floods: true,
        ..of(41, &[])
    };
    assert_eq!(passed(&limiter, &flood, 50).await, 50);
    let mut lefts = vec![];
    for _ in 0..3 {
        // The window is long: as soon as a block ends the next request is a flood again.
        let left = until("a block", SOON, || async {
            match ask(&limiter, &flood).await {
                Verdict::Blocked {
                    left,
                    why: Why::Flood,
                    fresh: true,
                } => Some(left),
                Verdict::Passes { .. } | Verdict::Waits { .. } | Verdict::Blocked { .. } => None,
            }
        });
        lefts.push(left.await);
    }
    assert_eq!(lefts, [SHORT, 2 * SHORT, 4 * SHORT]);
    let (left, why, fresh) = blocked(&limiter, 41).await.unwrap();
    assert!(left <= 4 * SHORT && why == Why::Flood && !fresh);
    assert_eq!(blocked(&limiter, 42).await, None);
    let name = hex::encode([41; 16]);
    let blocks = limiter.blocks().await.unwrap();
    let block = blocks.iter().find(|one| one.whose == name).unwrap();
    assert_eq!((block.why, block.times), (Why::Flood, 3));
    assert!(block.until >= block.since);
    assert!(limiter.blocked().await.unwrap() >= 1);
    assert_eq!(limiter.lift("29").await.unwrap(), None, "a name is longer");
    let lifted = limiter.lift(block.name()).await.unwrap().unwrap();
    assert_eq!(lifted.whose, name);
    assert_eq!(blocked(&limiter, 41).await, None);
    assert_eq!(limiter.lift(&name).await.unwrap(), None);
    assert_eq!(
        passed(&limiter, &flood, 10).await,
        10,
        "what led to it is forgotten"
    );
}

async fn the_third_refused_sign_in_blocks(limiter: Limits) {
    let windows = [window(51, 5, LONG, Past::Strike)];
    let sign_in = of(51, &windows);
    assert_eq!(passed(&limiter, &sign_in, 7).await, 5);
    let third = ask(&limiter, &sign_in).await;
    let Verdict::Blocked { why, fresh, .. } = third else {
        panic!("{third:?}");
    };
    assert!(why == Why::SignIn && fresh);
}

async fn points_add_up_to_a_block_and_say_why(limiter: Limits) {
    let attack = |about| Question {
        points: 10,
        about,
        ..of(61, &[])
    };
    assert_eq!(passed(&limiter, &attack("traversal"), 2).await, 2);
    let suspects = limiter.suspects().await.unwrap();
    let name = hex::encode([61; 16]);
    let suspect = suspects.iter().find(|one| one.whose == name).unwrap();
    assert_eq!((suspect.points, suspect.about.as_str()), (20, "traversal"));
    let third = ask(&limiter, &attack("SQL injection")).await;
    assert!(matches!(
        third,
        Verdict::Blocked {
            why: Why::Attack,
            fresh: true,
            ..
        }
    ));
    let blocks = limiter.blocks().await.unwrap();
    let block = blocks.iter().find(|one| one.whose == name).unwrap();
    assert_eq!(block.about, "SQL injection");
}

async fn of_many_at_once_exactly_the_limit_passes(limiter: Limits) {
    let tasks = (0..120).map(|_| {
        let limiter = Arc::clone(&limiter);
        tokio::spawn(async move {
            let windows = [window(71, 40, LONG, Past::Wait)];
            let verdict = limiter.ask(&of(71, &windows)).await.unwrap();
            matches!(verdict, Verdict::Passes { .. })
        })
    });
    let mut passed = 0;
    for task in tasks.collect::<Vec<_>>() {
        passed += u32::from(task.await.unwrap());
    }
    assert_eq!(passed, 40);
}

async fn keeps_the_contract(limiter: Limits) {
    let it = || Arc::clone(&limiter);
    counts_each_subject_for_itself(it()).await;
    a_request_passes_where_each_window_has_room_and_counts_nowhere_else(it()).await;
    who_waits_may_go_on(it()).await;
    each_repeat_doubles_the_wait(it()).await;
    a_flood_blocks_its_address_alone_longer_each_time(it()).await;
    the_third_refused_sign_in_blocks(it()).await;
    points_add_up_to_a_block_and_say_why(it()).await;
    of_many_at_once_exactly_the_limit_passes(it()).await;
}

#[tokio::test]
async fn the_process_redis_and_both_together_limit_alike() {
    let server = tests::Redis::start();
    let (near, far) = (
        InProcess::new(rules()),
        Counting::new(connected(&server, 0), rules()),
    );
    let both = Shared::new(connected(&server, 1), rules());
    tokio::join!(
        keeps_the_contract(Arc::new(near)),
        keeps_the_contract(Arc::new(far)),
        keeps_the_contract(Arc::new(both)),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_limits_as_one_redis_does() {
    let cluster = tests::Cluster::start();
    let far = Counting::new(at(&cluster.url(), 0), rules());
    let both = Shared::new(at(&cluster.url(), 1), rules());
    tokio::join!(
        keeps_the_contract(Arc::new(far)),
        keeps_the_contract(Arc::new(both)),
    );
}

#[tokio::test]
async fn nothing_but_keyed_hashes_and_counts_stands_in_redis() {
    let server = tests::Redis::start();
    let limiter: Limits = Arc::new(Counting::new(connected(&server, 0), rules()));
    for past in [Past::Strike, Past::Double] {
        let windows = [window(1, 5, LONG, past), window(2, 50, LONG, past)];
        passed(&limiter, &of(1, &windows), 6).await;
    }
    let flood = Question {
        floods: true,
        ..of(2, &[])
    };
    let attack = |address| Question {
        points: 20,
        about: "traversal",
        ..of(address, &[])
    };
    passed(&limiter, &flood, 51).await;
    for address in [3, 3, 4] {
        ask(&limiter, &attack(address)).await;
    }
    let keys = server.ask(&["keys", "*"]);
    let mut kinds = BTreeSet::new();
    for key in keys.lines() {
        let (site, ours) = key.split_once(":{limit}:").unwrap();
        assert!(site.starts_with("opentracker:"), "{key}");
        let (kind, whose) = ours.split_once(':').unwrap_or((ours, ""));
        let whose = whose.strip_prefix("test:").unwrap_or(whose);
        let whose = whose.split(':').next().unwrap();
        let is_hash = whose.len() == 32 && whose.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hash || matches!(ours, "blocks" | "scores"), "{key}");
        let left: i64 = server.ask(&["pttl", key]).trim().parse().unwrap();
        assert!(left > 0, "{key} stays for ever");
        kinds.insert(kind);
    }
    let expected = [
        "block",
        "blocks",
        "flood",
        "score",
        "scores",
        "strikes",
        "times",
        "window-buckets",
        "window-times",
    ];
    assert_eq!(kinds, BTreeSet::from(expected));
}

#[tokio::test]
async fn an_index_forgets_what_is_over() {
    let server = tests::Redis::start();
    let limiter: Limits = Arc::new(Counting::new(connected(&server, 0), rules()));
    let attack = |address| Question {
        points: 30,
        about: "traversal",
        ..of(address, &[])
    };
    ask(&limiter, &attack(1)).await;
    assert_eq!(limiter.blocked().await.unwrap(), 1);
    until("the block's end", SOON, || async {
        (limiter.blocked().await.unwrap() == 0).then_some(())
    })
    .await;
    assert_eq!(limiter.blocks().await.unwrap(), []);
    ask(&limiter, &attack(2)).await;
    let keys = server.ask(&["keys", "*:blocks"]);
    assert_eq!(server.ask(&["zcard", keys.trim()]).trim(), "1");
}

fn patient() -> Rules {
    Rules {
        first: LONG,
        longest: LONG,
        ..rules()
    }
}

#[tokio::test]
async fn without_redis_each_node_counts_for_itself_and_what_it_blocked_holds_everywhere_afterwards()
{
    let mut server = tests::Redis::start();
    let [one, two]: [Limits; 2] =
        [(); 2].map(|()| -> Limits { Arc::new(Shared::new(connected(&server, 0), patient())) });
    let attack = |address: Subject| Question {
        address,
        floods: false,
        points: 30,
        about: "traversal",
        windows: &[],
    };
    ask(&one, &attack([1; 16])).await;
    assert!(
        blocked(&two, 1).await.is_some(),
        "a block holds on every node"
    );
    server.kill();
    let windows = [window(81, 5, LONG, Past::Wait)];
    assert_eq!(passed(&one, &of(2, &windows), 9).await, 5);
    assert!(one.is_alone());
    assert_eq!(passed(&two, &of(2, &windows), 9).await, 5);
    assert!(blocked(&one, 1).await.is_some() && blocked(&two, 1).await.is_some());
    ask(&one, &attack([3; 16])).await;
    assert!(blocked(&one, 3).await.is_some() && blocked(&two, 3).await.is_none());
    server.launch();
    until("both nodes count together again", SOON, || async {
        let _asked = (ask(&one, &of(4, &[])).await, ask(&two, &of(4, &[])).await);
        let together = !one.is_alone() && !two.is_alone();
        (together && blocked(&two, 3).await.is_some()).then_some(())
    })
    .await;
    let lifted = two.lift(&hex::encode([3; 16])).await.unwrap().unwrap();
    assert_eq!((lifted.times, lifted.about.as_str()), (1, "traversal"));
    until("the lift is known on the other node", SOON, || async {
        blocked(&one, 3).await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_redis_knows_is_as_it_was_after_a_node_lost_the_way_to_it() {
    let mut server = tests::Redis::start();
    let [one, two]: [Limits; 2] =
        [(); 2].map(|()| -> Limits { Arc::new(Shared::new(connected(&server, 0), patient())) });
    let attack = |address| Question {
        points: 30,
        about: "traversal",
        ..of(address, &[])
    };
    for address in [1, 2] {
        ask(&two, &attack(address)).await;
        assert!(blocked(&one, address).await.is_some());
    }
    // The node that loses its way isn't told of the lift.
    two.lift(&hex::encode([2; 16])).await.unwrap().unwrap();
    let before = two.blocks().await.unwrap();
    server.pause();
    ask(&one, &attack(3)).await;
    assert!(one.is_alone() && !two.is_alone());
    server.go_on();
    until("the way back", SOON, || async {
        ask(&one, &of(4, &[])).await;
        (!one.is_alone()).then_some(())
    })
    .await;
    let mut after = two.blocks().await.unwrap();
    after.retain(|block| block.whose != hex::encode([3; 16]));
    assert_eq!(
        after, before,
        "one has lost what it says, or is there again"
    );
    assert!(blocked(&two, 3).await.is_some());
    // What was lifted after it was given back stays so at the next time.
    two.lift(&hex::encode([3; 16])).await.unwrap().unwrap();
    server.pause();
    ask(&one, &of(4, &[])).await;
    assert!(one.is_alone());
    server.go_on();
    until("the way back", SOON, || async {
        ask(&one, &of(4, &[])).await;
        (!one.is_alone()).then_some(())
    })
    .await;
    assert_eq!(two.blocks().await.unwrap(), before);
}
