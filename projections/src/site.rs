//! The site's settings, as pages show them.

use async_trait::async_trait;
use domain::site::{self, Registration};
use domain::{Fact, Recorded};
use sqlx::PgConnection;

use crate::{NotApplied, Projection, Reads, Unavailable};

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

#[async_trait]
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

    fn table_names(&self) -> &'static [&'static str] {
        &["site"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["site"]
    }

    async fn apply(&self, to: &mut PgConnection, events: &[Recorded]) -> Result<(), NotApplied> {
        for event in events {
            let Fact::Site(event) = &event.fact else {
                continue;
            };
            let (open, announcement) = match event {
                site::Event::RegistrationOpened {} => (Some(true), None),
                site::Event::RegistrationClosed {} => (Some(false), None),
                site::Event::AnnouncementSet { text } => (None, Some(text.as_str())),
            };
            sqlx::query(
                "insert into site (one, open, announcement) values (true, coalesce($1, false), coalesce($2, ''))
                 on conflict (one) do update
                 set open = coalesce($1, site.open), announcement = coalesce($2, site.announcement)",
            )
            .bind(open)
            .bind(announcement)
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}
