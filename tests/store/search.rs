//! The search index on disk goes on where its last commit stood, and never with another log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commands::user::Join;
use domain::Position;
use domain::amount::Bytes;
use domain::id::{CategoryId, MemberId, TagId, TorrentId};
use domain::info_hash::InfoHash;
use domain::tag::{Colour, Label, Turn};
use domain::torrent::{Edit, File, Metainfo, Upload};
use domain::user::{Name, Role};
use projections::feed::Feed as _;
use projections::progress::Progress;
use projections::runner::Runner;
use projections::torrent::search::{By, Narrow, Order, STREAMS, Search};
use tests::{Database, disk, until};
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) async fn upload(database: &Database, name: &str) -> TorrentId {
    upload_of(database, name, Bytes(1)).await
}

async fn upload_of(database: &Database, name: &str, size: Bytes) -> TorrentId {
    database.commands.seed_categories().await.unwrap();
    let mut hash = [0; 20];
    hash.iter_mut()
        .zip(name.bytes())
        .for_each(|(to, from)| *to = from);
    let file = File {
        path: format!("{name}.txt"),
        size,
    };
    let upload = Upload {
        uploader: MemberId(Uuid::from_u128(1)),
        category: category(0),
        description: "shared".into(),
        info_hash: InfoHash(hash),
        info_hash_v2: None,
        size,
        piece_length: Bytes(16_384),
        files: vec![file],
        name: name.into(),
        metainfo: Metainfo(vec![1]),
        tags: vec![],
        pending: false,
    };
    database.commands.upload(upload).await.unwrap().of
}

/// Lets a torrent's page say something else, as its uploader.
async fn reword(database: &Database, torrent: TorrentId, description: &str) {
    edit(database, torrent, description, vec![]).await;
}

async fn edit(database: &Database, torrent: TorrentId, description: &str, tags: Vec<TagId>) {
    let edit = Edit {
        category: category(0),
        description: description.into(),
        tags,
    };
    change(database, torrent, edit).await;
}

async fn change(database: &Database, torrent: TorrentId, edit: Edit) {
    let by = MemberId(Uuid::from_u128(1));
    database.commands.edit(by, torrent, edit).await.unwrap();
}

/// One of the categories that a site begins with.
fn category(number: usize) -> CategoryId {
    domain::category::seeded()
        .into_iter()
        .nth(number)
        .unwrap()
        .0
}

/// Follows the log with the index in a folder up to the head, and gives what it finds.
async fn found(database: &Database, folder: &Path, words: &str) -> usize {
    let search = Arc::new(Search::on_disk(folder).unwrap());
    follow(database, &search).await;
    hits(&search, words)
}

/// How many torrents an index finds.
fn hits(search: &Search, words: &str) -> usize {
    search.find(words, &Narrow::default(), 100).unwrap().len()
}

/// Follows the log with an index up to the head.
async fn follow(database: &Database, search: &Arc<Search>) {
    let (progress, seen) = watch::channel(Progress::default());
    let feed: Arc<dyn projections::feed::Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    let runner = Runner {
        pool: database.pools.read.clone(),
        feed,
        progress,
    };
    let (stop, stopped) = watch::channel(false);
    let index = Arc::clone(search);
    let task = tokio::spawn(async move { runner.follow_search(&index, stopped).await });
    let head = database.feed.head().await.unwrap();
    until("the index", Duration::from_secs(20), || async {
        let progress = seen.borrow();
        (progress.standing().len() == 1 && progress.all_reached(head)).then_some(())
    })
    .await;
    stop.send_replace(true);
    task.await.unwrap();
}

#[tokio::test]
async fn an_index_on_disk_goes_on_where_its_last_commit_stood() {
    let database = Database::start().await;
    let folder = tempfile::tempdir().unwrap();
    upload(&database, "alpha").await;
    assert_eq!(found(&database, folder.path(), "shared").await, 1);
    let first = Search::on_disk(folder.path())
        .unwrap()
        .mark()
        .unwrap()
        .unwrap();
    upload(&database, "beta").await;
    assert_eq!(found(&database, folder.path(), "shared").await, 2);
    assert_eq!(found(&database, folder.path(), "beta").await, 1);
    let second = Search::on_disk(folder.path())
        .unwrap()
        .mark()
        .unwrap()
        .unwrap();
    assert!(Position(0) < first.position && first.position < second.position);
}

#[tokio::test]
async fn what_is_left_of_a_commit_that_was_cut_off_is_in_nobodys_way() {
    let database = Database::start().await;
    let folder = tempfile::tempdir().unwrap();
    let one = upload(&database, "alpha").await;
    upload(&database, "beta").await;
    assert_eq!(found(&database, folder.path(), "shared").await, 2);
    let meta = folder.path().join("meta.json");
    let before = std::fs::read(&meta).unwrap();
    reword(&database, one, "reworded").await;
    assert_eq!(found(&database, folder.path(), "reworded").await, 1);
    // As if the program had been killed before the last file of the commit.
    std::fs::write(&meta, before).unwrap();
    let mut left = std::fs::read_dir(folder.path()).unwrap().flatten();
    assert!(left.any(|file| file.path().extension().is_some_and(|end| end == "del")));
    assert_eq!(found(&database, folder.path(), "reworded").await, 1);
    assert_eq!(found(&database, folder.path(), "shared").await, 1);
}

#[tokio::test]
async fn a_full_disk_leaves_the_index_as_it_was_and_it_goes_on_once_there_is_room() {
    let name = "a_full_disk_leaves_the_index_as_it_was_and_it_goes_on_once_there_is_room";
    let Some(disk) = disk::within(&format!("search::{name}"), 16, &[]) else {
        return;
    };
    let database = Database::start().await;
    upload(&database, "alpha").await;
    let search = Arc::new(Search::on_disk(&disk.join("index")).unwrap());
    follow(&database, &search).await;
    let before = search.mark().unwrap().unwrap();
    upload(&database, "beta").await;
    let filler = disk.join("filler");
    disk::fill(&filler);
    let read = database.feed.read(before.position, 100, STREAMS);
    let (events, mark) = (read.await.unwrap().events, before.clone());
    for _ in 0..3 {
        assert!(search.apply(&events, &mark).is_err());
        assert_eq!(search.mark().unwrap(), Some(before.clone()));
        assert_eq!(hits(&search, "shared"), 1);
    }
    std::fs::remove_file(&filler).unwrap();
    follow(&database, &search).await;
    assert_eq!(hits(&search, "shared"), 2);
    assert_eq!(search.documents(), 2, "each once");
}

#[tokio::test]
async fn an_edited_description_is_found_by_its_last_words_alone_and_by_name_and_files_as_before() {
    let database = Database::start().await;
    let folder = tempfile::tempdir().unwrap();
    let found = |words| found(&database, folder.path(), words);
    let early = upload(&database, "alpha").await;
    assert_eq!(found("shared").await, 1);
    // This one is uploaded and edited within one batch, the other one was committed before.
    let late = upload(&database, "beta").await;
    for torrent in [early, late] {
        reword(&database, torrent, "passing").await;
        reword(&database, torrent, "lasting").await;
    }
    for (words, hits) in [
        ("lasting", 2),
        ("shared", 0),
        ("passing", 0),
        ("alpha lasting", 1),
        ("txt", 2),
    ] {
        assert_eq!(found(words).await, hits, "{words}");
    }
    // The same over an index that is filled at once.
    let anew = tempfile::tempdir().unwrap();
    for (words, hits) in [("lasting", 2), ("shared", 0), ("beta lasting", 1)] {
        let hit = self::found(&database, anew.path(), words).await;
        assert_eq!(hit, hits, "{words}");
    }
}

#[tokio::test]
async fn whole_words_come_before_begun_ones_and_those_in_the_name_first() {
    let database = Database::start().await;
    let search = Arc::new(Search::in_memory().unwrap());
    let begun = upload(&database, "alphabet").await;
    let said = upload(&database, "beta").await;
    reword(&database, said, "alpha").await;
    let called = upload(&database, "alpha").await;
    follow(&database, &search).await;
    let best = [called.0, said.0, begun.0];
    for few in 1..=4 {
        let found = search.find("alpha", &Narrow::default(), few).unwrap();
        assert_eq!(found, best[..few.min(3)], "{few}");
    }
    assert_eq!(hits(&search, "alph tx"), 3);
    assert_eq!(hits(&search, "alpa"), 3);
}

#[tokio::test]
async fn hits_come_in_another_order_and_only_where_they_are_wanted() {
    let database = Database::start().await;
    let search = Arc::new(Search::in_memory().unwrap());
    let (_, [slow, remux]) = with_tags(&database).await;
    let mut made = vec![];
    for (name, size) in [
        ("alpha", 30),
        ("alphabet", 20),
        ("alpha b", 20),
        ("alpha c", 1),
    ] {
        let id = upload_of(&database, name, Bytes(size)).await;
        made.push((i64::try_from(size).unwrap(), id.0));
    }
    follow(&database, &search).await;
    // What it is sorted by stays while its page says something else.
    let (_, first) = made[0];
    let moved = Edit {
        category: category(1),
        description: String::new(),
        tags: vec![remux],
    };
    change(&database, TorrentId(first), moved).await;
    follow(&database, &search).await;
    orders(&search, &made);
    let found = |narrow: &Narrow| search.find("alpha", narrow, 100).unwrap();
    let within = |categories: &[CategoryId]| Narrow {
        categories: Some(categories.iter().map(|one| one.0).collect()),
        ..Narrow::default()
    };
    assert_eq!(found(&within(&[category(1)])), [first]);
    assert_eq!(found(&within(&[category(0), category(1)])).len(), 4);
    assert_eq!(found(&within(&[category(2)])).len(), 0);
    assert_eq!(found(&within(&[])).len(), 0);
    // It begins a word elsewhere, so it isn't misspelt here.
    let elsewhere = search.find("alphab", &within(&[category(1)]), 100);
    assert_eq!(elsewhere.unwrap().len(), 0);
    let marked = |tag| Narrow {
        tag: Some(tag),
        ..Narrow::default()
    };
    assert_eq!(found(&marked(remux)), [first]);
    assert_eq!(found(&marked(slow)).len(), 0);
}

/// Looks at torrents, each with its size, in each order and from each place in it on.
fn orders(search: &Search, made: &[(i64, Uuid)]) {
    for by in [By::Position, By::Size] {
        let mut wanted = made.to_vec();
        if by == By::Size {
            wanted.sort_unstable();
        }
        for ascending in [true, false] {
            let found = |behind, most| {
                let order = Order {
                    by,
                    ascending,
                    behind,
                };
                let narrow = Narrow {
                    order: Some(order),
                    ..Narrow::default()
                };
                search.find("alpha", &narrow, most).unwrap()
            };
            let ids = |from| -> Vec<Uuid> {
                let ids = wanted.iter().skip(from);
                ids.map(|(_, id)| *id).collect()
            };
            assert_eq!(found(None, 100), ids(0), "{by:?}");
            assert_eq!(found(None, 1).first(), ids(0).first());
            for (place, last) in wanted.iter().enumerate().filter(|_| by == By::Size) {
                assert_eq!(found(Some(*last), 100), ids(place + 1), "{place}");
            }
            wanted.reverse();
        }
    }
}

fn label(name: &str) -> Label {
    Label {
        name: name.into(),
        colour: Colour::Teal,
        rank: 1,
    }
}

/// Makes a member who may make tags, and two of these.
async fn with_tags(database: &Database) -> (MemberId, [TagId; 2]) {
    let join = Join {
        name: Name::parse("admin").unwrap(),
        credentials: tests::database::credentials(),
    };
    let admin = database.commands.create_member(join, Role::Administrator);
    let admin = admin.await.unwrap().of;
    let mut made = vec![];
    for name in ["Slow burn", "Remux"] {
        let tag = database.commands.create_tag(admin, label(name));
        made.push(tag.await.unwrap().of);
    }
    (admin, made.try_into().unwrap())
}

#[tokio::test]
async fn a_tag_is_a_search_word_by_its_last_name_wherever_it_marks_something() {
    let database = Database::start().await;
    let folder = tempfile::tempdir().unwrap();
    let found = |words| found(&database, folder.path(), words);
    let (admin, [slow, remux]) = with_tags(&database).await;
    let early = upload(&database, "alpha").await;
    assert_eq!(
        found("slow").await,
        0,
        "it marks nothing, and is no torrent"
    );
    // This one is uploaded and marked within one batch, the other one was committed before.
    let late = upload(&database, "beta").await;
    edit(&database, early, "shared", vec![slow, remux]).await;
    edit(&database, late, "shared", vec![slow]).await;
    for (words, hits) in [
        ("slow", 2),
        ("BURN sl", 2),
        ("brun", 2),
        ("remux", 1),
        ("slow beta", 1),
        ("remux beta", 0),
    ] {
        assert_eq!(found(words).await, hits, "{words}");
    }
    let rename = Turn::Change(label("Quick"));
    let renamed = database.commands.change_tag(admin, slow, rename).await;
    renamed.unwrap();
    edit(&database, early, "shared", vec![]).await;
    let retired = database.commands.change_tag(admin, slow, Turn::Retire);
    retired.await.unwrap();
    let anew = tempfile::tempdir().unwrap();
    for (words, hits) in [("quick", 1), ("slow", 0), ("remux", 0), ("shared", 2)] {
        assert_eq!(found(words).await, hits, "{words}");
        // The same over an index that is filled at once.
        let hit = self::found(&database, anew.path(), words).await;
        assert_eq!(hit, hits, "{words}");
    }
}

#[tokio::test]
async fn an_index_of_another_log_or_none_at_all_is_filled_anew() {
    let (one, other) = (Database::start().await, Database::start().await);
    let folder = tempfile::tempdir().unwrap();
    upload(&one, "alpha").await;
    upload(&one, "gamma").await;
    assert_eq!(found(&one, folder.path(), "shared").await, 2);
    upload(&other, "beta").await;
    assert_eq!(found(&other, folder.path(), "shared").await, 1);
    assert_eq!(found(&other, folder.path(), "alpha").await, 0);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::write(file.unwrap().path(), "not an index").unwrap();
    }
    assert_eq!(found(&other, folder.path(), "shared").await, 1);
}
