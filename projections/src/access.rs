//! Who may announce what: passkeys by keyed hash, `info_hashes`, and where each client's totals stood.
//!
//! The tracker holds the answers in memory (`tracker::access`) and asks for what changed since a
//! position whenever the projection has moved.

use std::collections::BTreeMap;
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

    /// Gives the keyed hash of an event's passkey, if it has one.
    fn passkey(&self, event: &user::Event) -> Option<Vec<u8>> {
        match event {
            user::Event::MemberRegistered { passkey, .. }
            | user::Event::PasskeyReset { passkey } => {
                let hash = self.keys.mac(Purpose::Passkey, passkey.reveal().as_bytes());
                Some(hash.to_vec())
            }
            user::Event::CredentialsChanged { .. } | user::Event::RoleAssigned { .. } => None,
        }
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
        // Of each member and torrent only the last word counts.
        let (mut members, mut torrents) = (BTreeMap::new(), BTreeMap::new());
        for event in events {
            let (id, position) = (event.stream_id, event.position.0);
            match &event.fact {
                Fact::User(user) => {
                    if let Some(passkey) = self.passkey(user) {
                        members.insert(id, (passkey, position));
                    }
                }
                Fact::Torrent(torrent) => {
                    let said = torrents.entry(id).or_insert_with(Said::default);
                    said.take(torrent, position);
                }
                Fact::Category(_) | Fact::Site(_) | Fact::Traffic(_) | Fact::Audit(_) => {}
            }
        }
        write_members(to, members).await?;
        write_torrents(to, torrents).await?;
        Ok(())
    }
}

/// What a batch says of a torrent; the hashes where it was uploaded in it.
#[derive(Default)]
struct Said {
    v1: Option<Vec<u8>>,
    v2: Option<Vec<u8>>,
    offered: bool,
    position: i64,
}

impl Said {
    fn take(&mut self, event: &torrent::Event, position: i64) {
        self.position = position;
        self.offered = !matches!(event, torrent::Event::TorrentWithdrawn { .. });
        if let torrent::Event::TorrentUploaded(upload) = event {
            self.v1 = Some(upload.info_hash.0.to_vec());
            self.v2 = upload.info_hash_v2.map(|hash| hash.truncated().0.to_vec());
        }
    }
}

async fn write_members(
    to: &mut PgConnection,
    members: BTreeMap<Uuid, (Vec<u8>, i64)>,
) -> Result<(), sqlx::Error> {
    if members.is_empty() {
        return Ok(());
    }
    let (ids, rest): (Vec<Uuid>, Vec<(Vec<u8>, i64)>) = members.into_iter().unzip();
    let (passkeys, positions): (Vec<Vec<u8>>, Vec<i64>) = rest.into_iter().unzip();
    sqlx::query(
        "insert into access_member (member, passkey, position)
         select * from unnest($1::uuid[], $2::bytea[], $3::bigint[])
         on conflict (member) do update set passkey = excluded.passkey, position = excluded.position",
    )
    .bind(ids)
    .bind(passkeys)
    .bind(positions)
    .execute(to)
    .await
    .map(|_| ())
}

/// Inserts what was uploaded, and changes what was uploaded before.
async fn write_torrents(
    to: &mut PgConnection,
    torrents: BTreeMap<Uuid, Said>,
) -> Result<(), sqlx::Error> {
    let (new, known): (Vec<_>, Vec<_>) = torrents.iter().partition(|(_, said)| said.v1.is_some());
    let ids = |of: &[(&Uuid, &Said)]| of.iter().map(|(id, _)| **id).collect::<Vec<_>>();
    let offered = |of: &[(&Uuid, &Said)]| of.iter().map(|one| one.1.offered).collect::<Vec<_>>();
    let positions = |of: &[(&Uuid, &Said)]| of.iter().map(|one| one.1.position).collect::<Vec<_>>();
    if !new.is_empty() {
        sqlx::query(
            "insert into access_torrent (torrent, hashes, offered, position)
             select torrent, array_remove(array[v1, v2], null), offered, position
             from unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bool[], $5::bigint[])
               as s(torrent, v1, v2, offered, position)",
        )
        .bind(ids(&new))
        .bind(
            new.iter()
                .map(|one| one.1.v1.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(
            new.iter()
                .map(|one| one.1.v2.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(offered(&new))
        .bind(positions(&new))
        .execute(&mut *to)
        .await?;
    }
    if !known.is_empty() {
        sqlx::query(
            "update access_torrent t set offered = s.offered, position = s.position
             from unnest($1::uuid[], $2::bool[], $3::bigint[]) as s(torrent, offered, position)
             where t.torrent = s.torrent",
        )
        .bind(ids(&known))
        .bind(offered(&known))
        .bind(positions(&known))
        .execute(to)
        .await?;
    }
    Ok(())
}
