//! The site's settings, as pages show them and trackers follow them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::id::MemberId;
use domain::setting::{self, Key};
use domain::site::{self, Freeleech, Registration};
use domain::{Actor, Fact, Position, Recorded};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::fold::Held;
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// The site's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether strangers may register.
    pub registration: Registration,
    /// What every member is told, in markdown.
    pub announcement: String,
    /// While downloads aren't charged anywhere.
    pub freeleech: Option<Freeleech>,
    /// Under which name the logo is asked for, where there is one.
    pub logo: Option<String>,
    /// What was set.
    pub values: setting::Settings,
    /// Where they last changed.
    pub position: Position,
}

/// A change of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which setting.
    pub key: Key,
    /// What it was set to, as people write it; nothing for the default.
    pub value: Option<String>,
    /// When.
    pub at: OffsetDateTime,
    /// Who did, where a member did.
    pub member: Option<MemberId>,
}

/// Tells where the site's settings last changed.
pub async fn changed(reads: &Reads) -> Result<Position, Unavailable> {
    let position = sqlx::query_scalar("select position from site")
        .fetch_optional(&reads.pool)
        .await?;
    Ok(Position(position.unwrap_or(0)))
}

/// Gives the site's settings.
pub async fn settings(reads: &Reads) -> Result<Arc<Settings>, Unavailable> {
    reads
        .often
        .settings
        .or_ask(reads.mark(), (), ask(reads))
        .await
}

async fn ask(reads: &Reads) -> Result<Settings, Unavailable> {
    let one = "select registration, announcement, freeleech, freeleech_until, logo_name, position from site";
    let mut settings = match sqlx::query(one).fetch_optional(&reads.pool).await? {
        None => Settings::default(),
        Some(row) => Settings {
            registration: Registration::named(row.try_get("registration")?).unwrap_or_default(),
            announcement: row.try_get("announcement")?,
            freeleech: row
                .try_get::<bool, _>("freeleech")?
                .then(|| {
                    row.try_get("freeleech_until")
                        .map(|until| Freeleech { until })
                })
                .transpose()?,
            logo: row.try_get("logo_name")?,
            values: setting::Settings::default(),
            position: Position(row.try_get("position")?),
        },
    };
    let set: Vec<(String, String)> = sqlx::query_as("select key, value from setting")
        .fetch_all(&reads.pool)
        .await?;
    for (key, value) in set {
        if let Some(key) = Key::named(&key) {
            settings
                .values
                .set(key, setting::read(key, &value).ok().flatten());
        }
    }
    Ok(settings)
}

/// Gives the logo of a name, a PNG.
pub async fn logo(reads: &Reads, name: &str) -> Result<Option<Vec<u8>>, Unavailable> {
    let query = "select logo from site where logo_name = $1 and logo is not null";
    Ok(sqlx::query_scalar(query)
        .bind(name)
        .fetch_optional(&reads.pool)
        .await?)
}

/// How long who follows the settings waits at most before it looks for changes itself.
const POLL: Duration = Duration::from_millis(500);

/// Tells the settings, and again whenever they change, until `stop` turns true. They never go back: a table that
/// a crash of the database emptied changes nothing.
pub async fn follow(
    reads: &Reads,
    mut stop: watch::Receiver<bool>,
    told: impl Fn(&Settings) + Send + Sync,
) {
    let mut progress = reads.progress();
    let mut known: Option<Position> = None;
    while !*stop.borrow() {
        // Away, they stay as they are.
        if let Ok(position) = changed(reads).await
            && known.is_none_or(|known| position > known)
            && let Ok(settings) = settings(reads).await
        {
            known = Some(settings.position);
            told(&settings);
        }
        tokio::select! {
            moved = progress.changed() => if moved.is_err() { return },
            () = tokio::time::sleep(POLL) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Gives the latest changes of settings, the last first.
pub async fn changes(reads: &Reads, limit: i64) -> Result<Vec<Change>, Unavailable> {
    let rows = sqlx::query(
        "select key, value, at, member from setting_change order by position desc, key limit $1",
    )
    .bind(limit)
    .fetch_all(&reads.pool)
    .await?;
    let mut changes = vec![];
    for row in rows {
        let key: String = row.try_get("key")?;
        let Some(key) = Key::named(&key) else {
            continue;
        };
        changes.push(Change {
            key,
            value: row.try_get("value")?,
            at: row.try_get("at")?,
            member: row
                .try_get::<Option<uuid::Uuid>, _>("member")?
                .map(MemberId),
        });
    }
    Ok(changes)
}

/// The projection behind the site's settings.
#[derive(Debug)]
pub struct Sites;

impl Projection for Sites {
    fn name(&self) -> &'static str {
        "site"
    }

    fn version(&self) -> i32 {
        3
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/site.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/site.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["site", "setting", "setting_change"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["site"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said::default())
    }
}

/// The last word on each setting, and every change of one.
#[derive(Default)]
struct Said {
    registration: Option<Registration>,
    announcement: Option<String>,
    /// Whether it holds, and until when.
    freeleech: Option<(bool, Option<i64>)>,
    /// The logo; empty, where there is none any more.
    logo: Option<Vec<u8>>,
    set: BTreeMap<Key, Option<String>>,
    changes: Vec<(i64, Change)>,
    position: Option<i64>,
}

impl Said {
    fn set(&mut self, at: &Recorded, changes: &site::Changes) {
        let member = match at.meta.actor {
            Actor::Member(member) => Some(member),
            Actor::Operator | Actor::System => None,
        };
        for (key, value) in changes {
            let value = value.as_ref().map(|value| setting::write(*key, value));
            let (key, moment) = (*key, at.at);
            self.set.insert(key, value.clone());
            let change = Change {
                key,
                value,
                at: moment,
                member,
            };
            self.changes.push((at.position.0, change));
        }
    }

    async fn write_values(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (key, value) in std::mem::take(&mut self.set) {
            let query = match &value {
                Some(value) => sqlx::query(
                    "insert into setting (key, value) values ($1, $2) on conflict (key) do update set value = $2",
                )
                .bind(key.name())
                .bind(value),
                None => sqlx::query("delete from setting where key = $1").bind(key.name()),
            };
            query.execute(&mut *to).await?;
        }
        for (position, change) in std::mem::take(&mut self.changes) {
            sqlx::query(
                "insert into setting_change (position, key, value, at, member) values ($1, $2, $3, $4, $5)",
            )
            .bind(position)
            .bind(change.key.name())
            .bind(change.value)
            .bind(change.at)
            .bind(change.member.map(|member| member.0))
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Site(happened) = &event.fact else {
            return Ok(());
        };
        self.position = Some(event.position.0);
        match happened {
            site::Event::RegistrationOpened {} => self.registration = Some(Registration::Open),
            site::Event::RegistrationLimited {} => self.registration = Some(Registration::ByInvite),
            site::Event::RegistrationClosed {} => self.registration = Some(Registration::Closed),
            site::Event::AnnouncementSet { text } => self.announcement = Some(text.clone()),
            site::Event::SettingsChanged { changes } => self.set(event, changes),
            site::Event::FreeleechBegun { until } => {
                self.freeleech = Some((true, *until));
            }
            site::Event::FreeleechEnded {} => self.freeleech = Some((false, None)),
            site::Event::LogoSet { png } => {
                self.logo = Some(STANDARD.decode(png).unwrap_or_default());
            }
            site::Event::LogoRemoved {} => self.logo = Some(vec![]),
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: usize::from(self.position.is_some()) + self.changes.len(),
        }
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Some(position) = self.position.take() else {
            return Ok(());
        };
        let freeleech = self.freeleech.take();
        sqlx::query("insert into site (one) values (true) on conflict (one) do nothing")
            .execute(&mut *to)
            .await?;
        sqlx::query(
            "update site set registration = coalesce($1, registration), announcement = coalesce($2, announcement),
                 freeleech = coalesce($3, freeleech),
                 freeleech_until = case when $3 is null then freeleech_until else $4 end, position = $5",
        )
        .bind(self.registration.take().map(Registration::name))
        .bind(self.announcement.take())
        .bind(freeleech.map(|(holds, _)| holds))
        .bind(freeleech.and_then(|(_, until)| until))
        .bind(position)
        .execute(&mut *to)
        .await?;
        if let Some(logo) = self.logo.take() {
            let logo = Some(logo).filter(|logo| !logo.is_empty());
            let name = logo.as_deref().map(logo_name);
            sqlx::query("update site set logo = $1, logo_name = $2")
                .bind(logo)
                .bind(name)
                .execute(&mut *to)
                .await?;
        }
        self.write_values(to).await
    }
}

/// Names a logo by its bytes: an address holds one for ever.
fn logo_name(png: &[u8]) -> String {
    hex::encode(Sha256::digest(png).get(..8).unwrap_or_default())
}
