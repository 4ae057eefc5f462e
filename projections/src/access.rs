//! Who may announce what: passkeys by keyed hash, `info_hashes`, and where each client's totals stood.
//!
//! The tracker holds the answers in memory (`tracker::access`) and asks for what changed since a
//! position whenever the projection has moved.

use std::sync::Arc;

use async_trait::async_trait;
use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use domain::{Fact, Keyed, Position, Purpose, Recorded, torrent, user};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::{NotApplied, Projection, Reads, Unavailable};

/// A member as the tracker knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAccess {
    /// Who it is.
    pub member: MemberId,
    /// The keyed hash of the passkey that holds.
    pub passkey: [u8; 32],
    /// Where the member last changed.
    pub position: Position,
}

/// A torrent as the tracker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorrentAccess {
    /// Which one it is.
    pub torrent: TorrentId,
    /// The hashes under which clients announce it: one, or two for a hybrid.
    pub hashes: Vec<InfoHash>,
    /// Whether it is offered; a withdrawn one is refused.
    pub offered: bool,
    /// Where the torrent last changed.
    pub position: Position,
}

/// What changed for the tracker after a position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Members that are new or have another passkey.
    pub members: Vec<MemberAccess>,
    /// Torrents that are new or withdrawn.
    pub torrents: Vec<TorrentAccess>,
}

/// Gives what changed after a position; everything, after position 0.
pub async fn changes(reads: &Reads, after: Position) -> Result<Changes, Unavailable> {
    let members =
        sqlx::query("select member, passkey, position from access_member where position > $1")
            .bind(after.0)
            .fetch_all(&reads.pool)
            .await?;
    let torrents = sqlx::query(
        "select torrent, hashes, offered, position from access_torrent where position > $1",
    )
    .bind(after.0)
    .fetch_all(&reads.pool)
    .await?;
    Ok(Changes {
        members: members.iter().map(member_row).collect::<Result<_, _>>()?,
        torrents: torrents.iter().map(torrent_row).collect::<Result<_, _>>()?,
    })
}

fn member_row(row: &sqlx::postgres::PgRow) -> Result<MemberAccess, sqlx::Error> {
    let passkey: Vec<u8> = row.try_get("passkey")?;
    Ok(MemberAccess {
        member: MemberId(row.try_get("member")?),
        passkey: passkey
            .try_into()
            .map_err(|_| sqlx::Error::Decode("a passkey hash has 32 bytes".into()))?,
        position: Position(row.try_get("position")?),
    })
}

fn torrent_row(row: &sqlx::postgres::PgRow) -> Result<TorrentAccess, sqlx::Error> {
    let hashes: Vec<Vec<u8>> = row.try_get("hashes")?;
    let hashes = hashes
        .into_iter()
        .map(|hash| hash.try_into().map(InfoHash))
        .collect::<Result<_, _>>();
    Ok(TorrentAccess {
        torrent: TorrentId(row.try_get("torrent")?),
        hashes: hashes.map_err(|_| sqlx::Error::Decode("an info_hash has 20 bytes".into()))?,
        offered: row.try_get("offered")?,
        position: Position(row.try_get("position")?),
    })
}

/// The projection behind the tracker's access list.
#[derive(Debug)]
pub struct Access {
    keys: Arc<dyn Keyed>,
}

impl Access {
    /// Makes the projection with the keys that hide the passkeys.
    pub fn new(keys: Arc<dyn Keyed>) -> Self {
        Self { keys }
    }

    async fn member(
        &self,
        to: &mut PgConnection,
        at: &Recorded,
        event: &user::Event,
    ) -> Result<(), sqlx::Error> {
        let passkey = match event {
            user::Event::MemberRegistered { passkey, .. }
            | user::Event::PasskeyReset { passkey } => passkey,
            user::Event::CredentialsChanged { .. } | user::Event::RoleAssigned { .. } => {
                return Ok(());
            }
        };
        let hash = self.keys.mac(Purpose::Passkey, passkey.reveal().as_bytes());
        sqlx::query(
            "insert into access_member (member, passkey, position) values ($1, $2, $3)
             on conflict (member) do update set passkey = excluded.passkey, position = excluded.position",
        )
        .bind(at.stream_id)
        .bind(hash.as_slice())
        .bind(at.position.0)
        .execute(to)
        .await
        .map(|_| ())
    }
}

#[async_trait]
impl Projection for Access {
    fn name(&self) -> &'static str {
        "access"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/access.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["access_member", "access_torrent"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user", "torrent"]
    }

    async fn apply(&self, to: &mut PgConnection, events: &[Recorded]) -> Result<(), NotApplied> {
        for event in events {
            match &event.fact {
                Fact::User(user) => self.member(to, event, user).await?,
                Fact::Torrent(torrent) => torrent_changed(to, event, torrent).await?,
                Fact::Category(_) | Fact::Site(_) | Fact::Traffic(_) | Fact::Audit(_) => {}
            }
        }
        Ok(())
    }
}

async fn torrent_changed(
    to: &mut PgConnection,
    at: &Recorded,
    event: &torrent::Event,
) -> Result<(), sqlx::Error> {
    let id: Uuid = at.stream_id;
    match event {
        torrent::Event::TorrentUploaded(upload) => {
            let short = upload.info_hash_v2.map(|hash| hash.truncated());
            let hashes: Vec<Vec<u8>> =
                [Some(upload.info_hash), short].into_iter().flatten().map(|hash| hash.0.to_vec()).collect();
            sqlx::query("insert into access_torrent (torrent, hashes, offered, position) values ($1, $2, true, $3)")
                .bind(id)
                .bind(hashes)
                .bind(at.position.0)
        }
        torrent::Event::TorrentWithdrawn { .. } | torrent::Event::TorrentRestored {} => {
            sqlx::query("update access_torrent set offered = $3, position = $2 where torrent = $1")
                .bind(id)
                .bind(at.position.0)
                .bind(matches!(event, torrent::Event::TorrentRestored {}))
        }
    }
    .execute(to)
    .await
    .map(|_| ())
}
