//! Which torrents a member bookmarked; [`crate::torrent::list`] shows them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::id::{MemberId, TorrentId};
use domain::{Fact, Recorded, bookmark, user};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fold::Held;
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// Tells whether a member bookmarked a torrent.
pub async fn is_set(
    reads: &Reads,
    member: MemberId,
    torrent: TorrentId,
) -> Result<bool, Unavailable> {
    let query = "select exists (select from bookmark where member = $1 and torrent = $2)";
    let query = sqlx::query_scalar(query).bind(member.0).bind(torrent.0);
    Ok(query.fetch_one(&reads.pool).await?)
}

/// The projection behind the bookmarks.
#[derive(Debug)]
pub struct Bookmarks;

impl Projection for Bookmarks {
    fn name(&self) -> &'static str {
        "bookmark"
    }

    fn version(&self) -> i32 {
        2
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/bookmark.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/bookmark.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["bookmark"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["bookmarks", "user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said::default())
    }
}

/// The last word on each bookmark, and members who have none any more.
#[derive(Default)]
struct Said {
    marks: BTreeMap<(Uuid, TorrentId), bool>,
    erased: BTreeSet<Uuid>,
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::User(user::Event::MemberErased { .. }) = &event.fact {
            self.erased.insert(event.stream_id);
        }
        if let Fact::Bookmark(happened) = &event.fact {
            let (torrent, is_set) = match happened {
                bookmark::Event::BookmarkSet { torrent } => (*torrent, true),
                bookmark::Event::BookmarkCleared { torrent } => (*torrent, false),
            };
            self.marks.insert((event.stream_id, torrent), is_set);
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: self.marks.len() + self.erased.len(),
        }
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let said = std::mem::take(&mut self.marks);
        for (is_set, query) in [
            (
                false,
                "delete from bookmark b using unnest($1::uuid[], $2::uuid[]) as s(member, torrent)
                 where b.member = s.member and b.torrent = s.torrent",
            ),
            (
                true,
                "insert into bookmark (member, torrent)
                 select member, torrent from unnest($1::uuid[], $2::uuid[]) as s(member, torrent)
                 on conflict do nothing",
            ),
        ] {
            let some = said.iter().filter(|(_, set)| **set == is_set);
            let (members, torrents): (Vec<Uuid>, Vec<Uuid>) = some
                .map(|((member, torrent), _)| (*member, torrent.0))
                .unzip();
            if !members.is_empty() {
                let query = sqlx::query(query).bind(members).bind(torrents);
                query.execute(&mut *to).await?;
            }
        }
        if !self.erased.is_empty() {
            let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
            let query = sqlx::query("delete from bookmark where member = any($1)").bind(erased);
            query.execute(to).await?;
        }
        Ok(())
    }
}
