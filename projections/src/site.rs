//! The site's settings, as pages show them.

use async_trait::async_trait;
use domain::site::{self, Registration};
use domain::{Fact, Recorded};
use sqlx::PgConnection;

use crate::fold::Held;
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// The site's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether strangers may register.
    pub registration: Registration,
    /// What every member is told, in markdown.
    pub announcement: String,
}

/// Gives the site's settings.
pub async fn settings(reads: &Reads) -> Result<Settings, Unavailable> {
    let row: Option<(bool, String)> = sqlx::query_as("select open, announcement from site")
        .fetch_optional(&reads.pool)
        .await?;
    Ok(
        row.map_or_else(Settings::default, |(open, announcement)| Settings {
            registration: if open {
                Registration::Open
            } else {
                Registration::Closed
            },
            announcement,
        }),
    )
}

/// The projection behind the site's settings.
#[derive(Debug)]
pub struct Sites;

impl Projection for Sites {
    fn name(&self) -> &'static str {
        "site"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/site.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/site.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["site"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["site"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said::default())
    }
}

/// The last word on each setting.
#[derive(Default)]
struct Said {
    open: Option<bool>,
    announcement: Option<String>,
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::Site(event) = &event.fact {
            match event {
                site::Event::RegistrationOpened {} => self.open = Some(true),
                site::Event::RegistrationClosed {} => self.open = Some(false),
                site::Event::AnnouncementSet { text } => self.announcement = Some(text.clone()),
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held::default()
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Self { open, announcement } = std::mem::take(self);
        if open.is_none() && announcement.is_none() {
            return Ok(());
        }
        sqlx::query(
            "insert into site (one, open, announcement) values (true, coalesce($1, false), coalesce($2, ''))
             on conflict (one) do update
             set open = coalesce($1, site.open), announcement = coalesce($2, site.announcement)",
        )
        .bind(open)
        .bind(announcement)
        .execute(to)
        .await
        .map(|_| ())
    }
}
