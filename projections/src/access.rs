//! Who may announce what: passkeys by keyed hash, `info_hashes`, and where each client's totals stood.
//!
//! The tracker holds the answers in memory (`tracker::access`) and asks for what changed since a
//! position whenever the projection has moved.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::amount::{Bytes, Ratio};
use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use domain::passkey::Passkey;
use domain::user::Role;
use domain::{Fact, Keyed, Permission, Position, Purpose, Recorded, torrent, user};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

mod role;

/// A member as the tracker knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAccess {
    /// Who it is.
    pub member: MemberId,
    /// The keyed hash of the passkey that holds; an erased member has none.
    pub passkey: Option<[u8; 32]>,
    /// Whether the member keeps order among torrents.
    pub staff: bool,
    /// When a ban ends, in seconds since 1970.
    pub banned_until: Option<i64>,
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
    /// Who uploaded it.
    pub uploader: MemberId,
    /// Whether it is offered; a withdrawn one is refused.
    pub offered: bool,
    /// Whether it waits for approval; its uploader and the staff alone may announce it.
    pub pending: bool,
    /// When its freeleech ends, in seconds since 1970.
    pub free_until: Option<i64>,
    /// Where the torrent last changed.
    pub position: Position,
}

/// What a member moved and owes, as the tracker's rules ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Who it is.
    pub member: MemberId,
    /// What counts against what, as bytes uploaded and downloaded.
    pub ratio: Ratio,
    /// Hit-and-runs that are open.
    pub marks: u32,
    /// Where that last changed.
    pub position: Position,
}

/// Gives how members stand who moved or owe something since a position.
pub async fn standings(reads: &Reads, after: Position) -> Result<Vec<Standing>, Unavailable> {
    let rows: Vec<(Uuid, i64, i64, i32, i64)> = sqlx::query_as(
        "select member, uploaded + credit, charged, marks, position from member_total where position > $1",
    )
    .bind(after.0)
    .fetch_all(&reads.pool)
    .await?;
    let standing = |(member, up, down, marks, position): (Uuid, i64, i64, i32, i64)| Standing {
        member: MemberId(member),
        ratio: Ratio {
            uploaded: Bytes(up.unsigned_abs()),
            downloaded: Bytes(down.unsigned_abs()),
        },
        marks: marks.unsigned_abs(),
        position: Position(position),
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// Tells until when a torrent is freeleech, in seconds since 1970, where it is.
pub async fn free_until(reads: &Reads, torrent: TorrentId) -> Result<Option<i64>, Unavailable> {
    let query = sqlx::query_scalar("select free_until from access_torrent where torrent = $1");
    let row: Option<Option<i64>> = query.bind(torrent.0).fetch_optional(&reads.pool).await?;
    Ok(row.flatten())
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
    // Both as they stood at once: what was applied between the two would be passed by.
    let mut at_once = crate::at_once(&reads.pool).await?;
    let members = sqlx::query(
        "select member, passkey, banned_until, position, staff or exists (
                 select from access_member_role h join access_role r on r.role = h.role
                 where h.member = m.member and r.staff) as staff
             from access_member m where position > $1",
    )
    .bind(after.0)
    .fetch_all(&mut *at_once)
    .await?;
    let torrents = sqlx::query(
        "select torrent, hashes, uploader, offered, pending, free_until, position
         from access_torrent where position > $1",
    )
    .bind(after.0)
    .fetch_all(&mut *at_once)
    .await?;
    Ok(Changes {
        members: members.iter().map(member_row).collect::<Result<_, _>>()?,
        torrents: torrents.iter().map(torrent_row).collect::<Result<_, _>>()?,
    })
}

fn member_row(row: &sqlx::postgres::PgRow) -> Result<MemberAccess, sqlx::Error> {
    let passkey: Option<Vec<u8>> = row.try_get("passkey")?;
    Ok(MemberAccess {
        member: MemberId(row.try_get("member")?),
        passkey: passkey
            .map(TryInto::try_into)
            .transpose()
            .map_err(|_| sqlx::Error::Decode("a passkey hash has 32 bytes".into()))?,
        staff: row.try_get("staff")?,
        banned_until: row.try_get("banned_until")?,
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
        uploader: MemberId(
            row.try_get::<Option<Uuid>, _>("uploader")?
                .unwrap_or_default(),
        ),
        offered: row.try_get("offered")?,
        pending: row.try_get("pending")?,
        free_until: row.try_get("free_until")?,
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
        5
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/access.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/access.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &[
            "access_member",
            "access_role",
            "access_member_role",
            "access_torrent",
        ]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user", "role", "torrent"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            keys: Arc::clone(&self.keys),
            members: Copy::into("access_member (member, passkey, staff, position)", 4),
            changed_members: BTreeMap::new(),
            roles: role::Said::default(),
            erased: BTreeMap::new(),
            torrents: Copy::into(
                "access_torrent (torrent, hashes, uploader, offered, pending, position)",
                6,
            ),
            changed_torrents: BTreeMap::new(),
        })
    }
}

/// New members and torrents, and of those that were there the last word on each.
struct Said {
    keys: Arc<dyn Keyed>,
    members: Copy,
    changed_members: BTreeMap<Uuid, MemberSaid>,
    roles: role::Said,
    /// Where members were erased.
    erased: BTreeMap<Uuid, i64>,
    torrents: Copy,
    changed_torrents: BTreeMap<Uuid, TorrentSaid>,
}

/// What is new about a member.
#[derive(Default)]
struct MemberSaid {
    passkey: Option<Vec<u8>>,
    staff: Option<bool>,
    /// Whether a ban was set or lifted, and its end.
    ban: (bool, Option<i64>),
    position: i64,
}

/// What is new about a torrent.
#[derive(Default)]
struct TorrentSaid {
    offered: Option<bool>,
    pending: Option<bool>,
    /// Whether freeleech was set or lifted, and its end.
    free: (bool, Option<i64>),
    position: i64,
}

impl Said {
    fn hide(&self, passkey: &Passkey) -> [u8; 32] {
        self.keys.mac(Purpose::Passkey, passkey.reveal().as_bytes())
    }

    fn user(&mut self, at: &Recorded, event: &user::Event) -> Result<(), NotApplied> {
        match event {
            user::Event::MemberRegistered { passkey, role, .. } => {
                let hash = self.hide(passkey);
                let row = self.members.row().put(at.stream_id)?;
                row.put(hash.as_slice())?
                    .put(is_staff(*role))?
                    .put(at.position.0)?;
            }
            user::Event::PasskeyReset { passkey } => {
                let hash = self.hide(passkey).to_vec();
                self.member(at).passkey = Some(hash);
            }
            user::Event::RoleAssigned { role } => self.member(at).staff = Some(is_staff(*role)),
            user::Event::RoleGranted { role } => {
                self.member(at);
                self.roles.hand(at, *role, true);
            }
            user::Event::RoleWithdrawn { role } => {
                self.member(at);
                self.roles.hand(at, *role, false);
            }
            user::Event::MemberBanned(ban) => {
                self.member(at).ban = (true, Some(ban.until.unwrap_or(i64::MAX)));
            }
            user::Event::MemberUnbanned { .. } => self.member(at).ban = (true, None),
            user::Event::MemberErased { .. } => {
                self.erased.insert(at.stream_id, at.position.0);
            }
            user::Event::CredentialsChanged { .. }
            | user::Event::RecoveryCodesMade { .. }
            | user::Event::SecondFactorEnabled { .. }
            | user::Event::SecondFactorDisabled {}
            | user::Event::DeviceCodeUsed { .. }
            | user::Event::SecurityKeyAdded { .. }
            | user::Event::SecurityKeyUsed { .. }
            | user::Event::SecurityKeyRemoved { .. }
            | user::Event::DeviceSeen { .. }
            | user::Event::RecoveryCodeUsed { .. }
            | user::Event::InviteIssued { .. }
            | user::Event::InviteRevoked { .. }
            | user::Event::InvitesGranted { .. }
            | user::Event::MemberWarned { .. } => {}
        }
        Ok(())
    }

    fn member(&mut self, at: &Recorded) -> &mut MemberSaid {
        let said = self.changed_members.entry(at.stream_id).or_default();
        said.position = at.position.0;
        said
    }

    fn torrent(&mut self, at: &Recorded, event: &torrent::Event) -> Result<(), NotApplied> {
        match event {
            torrent::Event::TorrentUploaded(upload) => {
                let v2 = upload.info_hash_v2.map(|hash| hash.truncated());
                let hashes = [Some(upload.info_hash), v2];
                let hashes: Vec<Vec<u8>> = hashes
                    .iter()
                    .flatten()
                    .map(|hash| hash.0.to_vec())
                    .collect();
                let row = self.torrents.row().put(at.stream_id)?.put(hashes)?;
                let row = row.put(upload.uploader.0)?.put(true)?;
                row.put(upload.pending)?.put(at.position.0)?;
            }
            torrent::Event::TorrentEdited(_) | torrent::Event::TorrentChangesAsked { .. } => {}
            torrent::Event::TorrentWithdrawn { .. } | torrent::Event::TorrentRejected { .. } => {
                self.changed(at).offered = Some(false);
            }
            torrent::Event::TorrentRestored {} | torrent::Event::TorrentSubmitted {} => {
                self.changed(at).offered = Some(true);
            }
            torrent::Event::TorrentApproved {} => self.changed(at).pending = Some(false),
            torrent::Event::FreeleechSet { until } => {
                self.changed(at).free = (true, Some(until.unwrap_or(i64::MAX)));
            }
            torrent::Event::FreeleechLifted {} => self.changed(at).free = (true, None),
        }
        Ok(())
    }

    fn changed(&mut self, at: &Recorded) -> &mut TorrentSaid {
        let said = self.changed_torrents.entry(at.stream_id).or_default();
        said.position = at.position.0;
        said
    }

    async fn write_members(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (ids, said): (Vec<Uuid>, Vec<MemberSaid>) = std::mem::take(&mut self.changed_members)
            .into_iter()
            .unzip();
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update access_member m set passkey = coalesce(s.passkey, m.passkey), staff = coalesce(s.staff, m.staff),
                 banned_until = case when s.ban then s.banned_until else m.banned_until end, position = s.position
             from unnest($1::uuid[], $2::bytea[], $3::bool[], $4::bool[], $5::bigint[], $6::bigint[])
                 as s(member, passkey, staff, ban, banned_until, position)
             where m.member = s.member",
        )
        .bind(ids)
        .bind(said.iter().map(|one| one.passkey.clone()).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.staff).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.ban.0).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.ban.1).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.position).collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }

    /// Leaves of erased members nothing but that they changed, for the trackers to hear of it.
    async fn write_erased(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.erased.is_empty() {
            return Ok(());
        }
        let (ids, positions): (Vec<Uuid>, Vec<i64>) =
            std::mem::take(&mut self.erased).into_iter().unzip();
        sqlx::query("delete from access_member_role where member = any($1)")
            .bind(&ids)
            .execute(&mut *to)
            .await?;
        sqlx::query(
            "insert into access_member (member, position) select * from unnest($1::uuid[], $2::bigint[])
             on conflict (member) do update
             set passkey = null, staff = false, banned_until = null, position = excluded.position",
        )
        .bind(ids)
        .bind(positions)
        .execute(to)
        .await
        .map(|_| ())
    }

    async fn write_torrents(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (ids, said): (Vec<Uuid>, Vec<TorrentSaid>) = std::mem::take(&mut self.changed_torrents)
            .into_iter()
            .unzip();
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update access_torrent t set offered = coalesce(s.offered, t.offered),
                 pending = coalesce(s.pending, t.pending),
                 free_until = case when s.free then s.free_until else t.free_until end, position = s.position
             from unnest($1::uuid[], $2::bool[], $3::bool[], $4::bool[], $5::bigint[], $6::bigint[])
                 as s(torrent, offered, pending, free, free_until, position)
             where t.torrent = s.torrent",
        )
        .bind(ids)
        .bind(said.iter().map(|one| one.offered).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.pending).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.free.0).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.free.1).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.position).collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }
}

/// Tells whether a role keeps order among torrents.
fn is_staff(role: Role) -> bool {
    role.permissions().has(Permission::Torrents)
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::User(happened) = &event.fact {
            self.user(event, happened)?;
        }
        if let Fact::Role(happened) = &event.fact {
            self.roles.role(event, happened);
        }
        if let Fact::Torrent(happened) = &event.fact {
            self.torrent(event, happened)?;
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.members.bytes() + self.torrents.bytes(),
            changes: self.changed_members.len()
                + self.erased.len()
                + self.roles.changes()
                + self.changed_torrents.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.members.write(to).await?;
        self.torrents.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_members(to).await?;
        self.roles.write(to).await?;
        self.write_erased(to).await?;
        self.write_torrents(to).await
    }
}
