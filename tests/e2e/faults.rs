//! What the machine may do to a start: each is told clearly, and nothing is changed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use tests::{Options, Site, cluster, until};

const PASSWORD: &str = "correct horse battery";

fn told(output: &Output, words: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(words), "{error}");
}

fn serve(site: &Site, data: &Path, listen: &str, tracker: &str) -> Output {
    site.command(data)
        .env("OPENTRACKER_METRICS__LISTEN", "127.0.0.1:0")
        .args(["serve", "--listen", listen, "--tracker", tracker])
        .output()
        .unwrap()
}

#[tokio::test]
async fn ports_and_directories_in_use_are_named_and_untouched() {
    let site = Site::start(Options::default()).await;
    let other = site.data.join("../other");
    let taken = site.address.to_string();
    told(
        &serve(&site, &other, &taken, "127.0.0.1:0"),
        &format!("the site can't listen on {taken}"),
    );
    let taken = site.announces.to_string();
    told(
        &serve(&site, &other, "127.0.0.1:0", &taken),
        &format!("the tracker can't listen on {taken}"),
    );
    assert!(!other.exists(), "nothing was made");
    told(
        &serve(&site, &site.data, "127.0.0.1:0", "127.0.0.1:0"),
        "is in use by another running instance",
    );
    assert_eq!(
        reqwest::get(site.url("/health/ready"))
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named() {
    let site = Site::start(Options::default()).await;
    told(
        &serve(
            &site,
            Path::new("/proc/opentracker"),
            "127.0.0.1:0",
            "127.0.0.1:0",
        ),
        "/proc/opentracker",
    );
}

#[tokio::test]
async fn a_wrong_or_missing_master_key_refuses_to_start_and_writes_nothing() {
    let mut site = Site::start(Options::default()).await;
    site.client().set_up("admin", PASSWORD).await;
    site.stop();
    let key = site.data.join("keys/master.key");
    let right = std::fs::read_to_string(&key).unwrap();
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o400
    );
    let put = |text: &str| {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&key, text).unwrap();
    };
    put(&"ab".repeat(32));
    told(
        &serve(&site, &site.data, "127.0.0.1:0", "127.0.0.1:0"),
        "doesn't belong to this event store",
    );
    put("not a key");
    told(
        &serve(&site, &site.data, "127.0.0.1:0", "127.0.0.1:0"),
        "expected 64 hex digits",
    );
    std::fs::remove_file(&key).unwrap();
    told(
        &serve(&site, &site.data, "127.0.0.1:0", "127.0.0.1:0"),
        "is missing",
    );
    assert!(!key.exists(), "no other key was made");
    std::fs::write(&key, right).unwrap();
    site.launch().await;
    assert_eq!(
        site.client().sign_in("admin", PASSWORD).await.0,
        200,
        "the right key opens everything"
    );
}

#[tokio::test]
async fn settings_that_cannot_be_are_named() {
    let site = Site::start(Options::default()).await;
    let check = |key: &str, value: &str| {
        let mut command = site.command(&site.data);
        command
            .env(key, value)
            .args(["config", "check"])
            .output()
            .unwrap()
    };
    told(
        &check("OPENTRACKER_SITE__ITERATIONS", "5"),
        "site.iterations",
    );
    told(&check("OPENTRACKER_SITE__NMAE", "x"), "nmae");
    told(
        &check("OPENTRACKER_TRACKER__INTERVAL", "0"),
        "tracker.interval",
    );
    let printed = site.run(&["config", "print"]);
    assert!(String::from_utf8_lossy(&printed.stdout).contains("iterations = 100000"));
}

#[tokio::test]
async fn no_secret_stands_in_the_log_or_in_the_read_tables() {
    let mut site = Site::start(Options {
        extra: vec![("OPENTRACKER_LOG__FILTER".into(), "debug".into())],
        ..Options::default()
    })
    .await;
    let client = site.client();
    client.set_up("admin", PASSWORD).await;
    let url = client.announce_url().await;
    let passkey = url.split("passkey=").nth(1).unwrap().to_owned();
    reqwest::get(format!("{url}&info_hash=short"))
        .await
        .unwrap();
    let dump = dump(&site).await;
    assert!(dump.contains("admin"), "the dump holds the read tables");
    site.stop();
    let database_log = std::fs::read_to_string(site.data.join("postgres.log")).unwrap_or_default();
    for text in [site.log(), database_log, dump] {
        assert!(!text.contains(&passkey) && !text.contains(PASSWORD));
    }
}

/// Every row of every table as text.
async fn dump(site: &Site) -> String {
    let pool = site.database().await;
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select table_schema::text, table_name::text from information_schema.tables
         where table_schema in ('public', 'read') and table_type = 'BASE TABLE'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let mut dump = String::new();
    for (schema, table) in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(&format!("select t::text from {schema}.{table} t"))
                .fetch_all(&pool)
                .await
                .unwrap();
        dump.push_str(&rows.join("\n"));
    }
    dump
}

#[tokio::test]
async fn a_start_that_waits_ends_by_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let database = cluster::start(folder.path());
    let url = ("DATABASE_URL".to_owned(), database.url().to_owned());
    let options = Options {
        extra: vec![url],
        ..Options::default()
    };
    let mut site = Site::start(options).await;
    site.stop();
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::raw_sql("lock table read.checkpoint in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let mut command = site.command(&site.data);
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--tracker",
        "127.0.0.1:0",
    ]);
    let mut child = command.spawn().unwrap();
    until("the wait", Duration::from_secs(20), || async {
        let waits = "select exists (select from pg_locks where not granted)";
        let waits: bool = sqlx::query_scalar(waits).fetch_one(&pool).await.unwrap();
        waits.then_some(())
    })
    .await;
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    let mut ended = || child.try_wait().unwrap();
    let ended = until("the end", Duration::from_secs(20), || {
        std::future::ready(ended())
    });
    assert!(ended.await.success());
}
