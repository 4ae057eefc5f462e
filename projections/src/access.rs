//! Who may announce what: passkeys by keyed hash, `info_hashes`, and where each client's totals stood.
//!
//! The tracker holds the answers in memory (`tracker::access`) and asks for what changed since a
//! position whenever the projection has moved.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use domain::passkey::Passkey;
use domain::{Fact, Keyed, Position, Purpose, Recorded, torrent, user};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

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
}

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

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/access.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["access_member", "access_torrent"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user", "torrent"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            keys: Arc::clone(&self.keys),
            members: Copy::into("access_member (member, passkey, position)", 3),
            passkeys: BTreeMap::new(),
            torrents: Copy::into("access_torrent (torrent, hashes, offered, position)", 4),
            offered: BTreeMap::new(),
        })
    }
}

/// New members and torrents, and of those that were there the last word on each.
struct Said {
    keys: Arc<dyn Keyed>,
    members: Copy,
    passkeys: BTreeMap<Uuid, ([u8; 32], i64)>,
    torrents: Copy,
    offered: BTreeMap<Uuid, (bool, i64)>,
}

impl Said {
    fn hide(&self, passkey: &Passkey) -> [u8; 32] {
        self.keys.mac(Purpose::Passkey, passkey.reveal().as_bytes())
    }

    fn user(&mut self, at: &Recorded, event: &user::Event) -> Result<(), NotApplied> {
        match event {
            user::Event::MemberRegistered { passkey, .. } => {
                let hash = self.hide(passkey);
                let row = self.members.row().put(at.stream_id)?;
                row.put(hash.as_slice())?.put(at.position.0)?;
            }
            user::Event::PasskeyReset { passkey } => {
                let hash = self.hide(passkey);
                self.passkeys.insert(at.stream_id, (hash, at.position.0));
            }
            user::Event::CredentialsChanged { .. } | user::Event::RoleAssigned { .. } => {}
        }
        Ok(())
    }

    fn torrent(&mut self, at: &Recorded, event: &torrent::Event) -> Result<(), NotApplied> {
        let is_offered = match event {
            torrent::Event::TorrentUploaded(upload) => {
                let v2 = upload.info_hash_v2.map(|hash| hash.truncated());
                let hashes = [Some(upload.info_hash), v2];
                let hashes: Vec<Vec<u8>> = hashes
                    .iter()
                    .flatten()
                    .map(|hash| hash.0.to_vec())
                    .collect();
                let row = self.torrents.row().put(at.stream_id)?;
                row.put(hashes)?.put(true)?.put(at.position.0)?;
                return Ok(());
            }
            torrent::Event::TorrentEdited(_) => return Ok(()),
            torrent::Event::TorrentWithdrawn { .. } => false,
            torrent::Event::TorrentRestored {} => true,
        };
        self.offered
            .insert(at.stream_id, (is_offered, at.position.0));
        Ok(())
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::User(happened) = &event.fact {
            self.user(event, happened)?;
        }
        if let Fact::Torrent(happened) = &event.fact {
            self.torrent(event, happened)?;
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.members.bytes() + self.torrents.bytes(),
            changes: self.passkeys.len() + self.offered.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.members.write(to).await?;
        self.torrents.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if !self.passkeys.is_empty() {
            let (ids, said): (Vec<Uuid>, Vec<_>) =
                std::mem::take(&mut self.passkeys).into_iter().unzip();
            sqlx::query(
                "update access_member m set passkey = s.passkey, position = s.position
                 from unnest($1::uuid[], $2::bytea[], $3::bigint[]) as s(member, passkey, position)
                 where m.member = s.member",
            )
            .bind(ids)
            .bind(said.iter().map(|one| one.0.to_vec()).collect::<Vec<_>>())
            .bind(said.iter().map(|one| one.1).collect::<Vec<_>>())
            .execute(&mut *to)
            .await?;
        }
        if !self.offered.is_empty() {
            let (ids, said): (Vec<Uuid>, Vec<_>) =
                std::mem::take(&mut self.offered).into_iter().unzip();
            sqlx::query(
                "update access_torrent t set offered = s.offered, position = s.position
                 from unnest($1::uuid[], $2::bool[], $3::bigint[]) as s(torrent, offered, position)
                 where t.torrent = s.torrent",
            )
            .bind(ids)
            .bind(said.iter().map(|one| one.0).collect::<Vec<_>>())
            .bind(said.iter().map(|one| one.1).collect::<Vec<_>>())
            .execute(to)
            .await?;
        }
        Ok(())
    }
}
