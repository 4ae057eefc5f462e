//! A member as others see them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use domain::id::MemberId;
use domain::user::{self, Role};
use domain::{Actor, Fact, Permissions, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::page::{Cursor, Page};
use crate::role::{self, OWN, OwnRole};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

pub mod sanction;

/// A member as others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who it is.
    pub id: MemberId,
    /// The name as the member writes it.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// The site's own roles that the member has besides, by name.
    pub roles: Vec<OwnRole>,
    /// When the member registered.
    pub joined: OffsetDateTime,
    /// When a ban ends, in seconds since 1970; one without an end never does.
    pub banned_until: Option<i64>,
    /// Since when sign-ins prove what they do now, in seconds since 1970, where it isn't the first password
    /// alone: sessions that were begun before are over.
    pub proves_since: Option<i64>,
    /// Whether sign-ins ask for a code of the member's device, or a key.
    pub second_factor: bool,
    /// Whether nothing is known of them any more.
    pub erased: bool,
}

/// What stands in place of an erased member's name. No member can be called so.
pub const ERASED: &str = "erased member";

impl Profile {
    /// Tells what the member may do.
    pub fn permissions(&self) -> Permissions {
        let own = self.roles.iter().map(|role| role.permissions);
        own.fold(self.role.permissions(), Permissions::and)
    }

    /// Tells whether the member is shut out at a moment, in seconds since 1970.
    pub fn is_banned(&self, now: i64) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }
}

/// What a profile is made of; whose follows.
const PROFILES: &str =
    "select m.id, m.name, m.role, m.joined, m.banned_until, m.proves_since, m.codes or m.security_keys > 0 as second_factor,
            m.erased, own.*
     from member m";

/// Gives a member's profile.
pub async fn profile(reads: &Reads, id: MemberId) -> Result<Option<Profile>, Unavailable> {
    let kept = reads
        .often
        .profiles
        .or_ask(reads.mark(), id, ask(reads, id));
    kept.await.map(Arc::unwrap_or_clone)
}

async fn ask(reads: &Reads, id: MemberId) -> Result<Option<Profile>, Unavailable> {
    let query = format!("{PROFILES} {OWN} where m.id = $1");
    let query = sqlx::query(&query).bind(id.0);
    let row = query.fetch_optional(&reads.pool).await?;
    Ok(row.as_ref().map(profile_row).transpose()?)
}

/// Gives the profile of a name, whatever its case.
pub async fn named(reads: &Reads, name: &user::Name) -> Result<Option<Profile>, Unavailable> {
    let query = format!("{PROFILES} {OWN} where m.folded = $1");
    let query = sqlx::query(&query).bind(name.folded());
    let row = query.fetch_optional(&reads.pool).await?;
    Ok(row.as_ref().map(profile_row).transpose()?)
}

/// The names of members.
pub type Names = HashMap<MemberId, String>;

/// Gives the names of members.
pub async fn names(
    reads: &Reads,
    members: impl Iterator<Item = MemberId>,
) -> Result<Names, Unavailable> {
    let mut wanted: Vec<Uuid> = members.map(|member| member.0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(Names::new());
    }
    let found: Vec<(Uuid, String)> =
        sqlx::query_as("select id, name from member where id = any($1)")
            .bind(wanted)
            .fetch_all(&reads.pool)
            .await?;
    Ok(found
        .into_iter()
        .map(|(id, name)| (MemberId(id), name))
        .collect())
}

/// Gives the names of members as they write them, by their folded names, of those that there are.
pub async fn known(
    reads: &Reads,
    folded: impl Iterator<Item = String>,
) -> Result<HashMap<String, String>, Unavailable> {
    let mut wanted: Vec<String> = folded.collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(String, String)> =
        sqlx::query_as("select folded, name from member where folded = any($1)")
            .bind(wanted)
            .fetch_all(&reads.pool)
            .await?;
    Ok(found.into_iter().collect())
}

/// Gives a page of members by name, those whose name begins so.
pub async fn list(
    reads: &Reads,
    begins: &str,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Profile>, Unavailable> {
    let begins = begins.to_lowercase();
    // What stands behind every name that begins so.
    let end = format!("{begins}\u{10FFFF}");
    let key: Option<String> = from.and_then(Cursor::key);
    let query = format!(
        "{PROFILES} {OWN}
         where folded >= $1 collate \"C\" and folded < $2 collate \"C\" and ($3::text is null or folded > $3 collate \"C\")
         order by folded collate \"C\" limit $4"
    );
    let rows = sqlx::query(&query)
        .bind(begins)
        .bind(end)
        .bind(key)
        .bind(limit + 1)
        .fetch_all(&reads.pool)
        .await?;
    let profiles = rows.iter().map(profile_row).collect::<Result<_, _>>()?;
    Ok(Page::cut(profiles, limit, |profile: &Profile| {
        profile.name.to_lowercase()
    }))
}

/// Counts the members, but those who were erased.
pub async fn count(reads: &Reads) -> Result<i64, Unavailable> {
    Ok(
        sqlx::query_scalar("select count(*) from member where not erased")
            .fetch_one(&reads.pool)
            .await?,
    )
}

fn profile_row(row: &PgRow) -> Result<Profile, sqlx::Error> {
    let role: String = row.try_get("role")?;
    Ok(Profile {
        id: MemberId(row.try_get("id")?),
        name: row.try_get("name")?,
        role: Role::named(&role).ok_or_else(|| sqlx::Error::Decode(role.into()))?,
        roles: role::own(row)?,
        joined: row.try_get("joined")?,
        banned_until: row.try_get("banned_until")?,
        proves_since: row.try_get("proves_since")?,
        second_factor: row.try_get("second_factor")?,
        erased: row.try_get("erased")?,
    })
}

/// The projection behind profiles.
#[derive(Debug)]
pub struct Users;

impl Projection for Users {
    fn name(&self) -> &'static str {
        "user"
    }

    fn version(&self) -> i32 {
        9
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/user.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/user.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["member", "sanction"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            registered: Copy::into("member (id, name, folded, role, joined, erased)", 6),
            roles: BTreeMap::new(),
            bans: BTreeMap::new(),
            passwords: BTreeMap::new(),
            factors: BTreeMap::new(),
            erased: BTreeSet::new(),
            sanctions: Copy::into(
                "sanction (position, member, kind, reason, until, by_address, at, by)",
                8,
            ),
        })
    }
}

/// New members, and the last word on each one's role, ban, password and second factor.
struct Said {
    registered: Copy,
    roles: BTreeMap<Uuid, Role>,
    /// When bans end, and which networks they cover; nothing where they were lifted.
    bans: BTreeMap<Uuid, (Option<i64>, Option<Vec<u8>>)>,
    /// Since when sign-ins prove something else, in seconds since 1970, and how often that was changed.
    passwords: BTreeMap<Uuid, (i64, i64)>,
    factors: BTreeMap<Uuid, Factor>,
    erased: BTreeSet<Uuid>,
    sanctions: Copy,
}

/// What changes of a second factor.
#[derive(Default)]
struct Factor {
    /// Whether a device makes codes, where that was said.
    codes: Option<bool>,
    /// How many keys there are more.
    keys: i32,
}

impl Said {
    /// Puts a member of whom nothing but the day is known any more.
    fn forgotten(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let row = self.registered.row().put(event.stream_id)?;
        row.put(ERASED)?
            .put(None::<String>)?
            .put(Role::Member.name())?
            .put(event.at)?
            .put(true)?;
        Ok(())
    }

    /// Forgets who was erased; what others made of them stays under a name that says so.
    async fn write_erased(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.erased.is_empty() {
            return Ok(());
        }
        let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
        sqlx::query(
            "update member set name = $2, folded = null, role = $3, banned_until = null, banned_network = null,
                 proves_since = null, codes = false, security_keys = 0, erased = true
             where id = any($1)",
        )
        .bind(&erased)
        .bind(ERASED)
        .bind(Role::Member.name())
        .execute(&mut *to)
        .await?;
        sqlx::query("delete from sanction where member = any($1)")
            .bind(erased)
            .execute(to)
            .await
            .map(|_| ())
    }

    async fn write_roles(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.roles.is_empty() {
            return Ok(());
        }
        let (ids, roles): (Vec<Uuid>, Vec<Role>) =
            std::mem::take(&mut self.roles).into_iter().unzip();
        sqlx::query(
            "update member m set role = s.role from unnest($1::uuid[], $2::text[]) as s(id, role) where m.id = s.id",
        )
        .bind(ids)
        .bind(roles.iter().map(|role| role.name()).collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }

    fn sanction(
        &mut self,
        event: &Recorded,
        kind: sanction::Kind,
        reason: &str,
        ban: Option<(i64, bool)>,
    ) -> Result<(), NotApplied> {
        let by = match event.meta.actor {
            Actor::Member(member) => Some(member.0),
            Actor::Operator | Actor::System => None,
        };
        let row = self.sanctions.row().put(event.position.0)?;
        let row = row.put(event.stream_id)?.put(kind.name())?.put(reason)?;
        let row = row.put(ban.map(|(until, _)| until))?;
        row.put(ban.is_some_and(|(_, by_address)| by_address))?
            .put(event.at)?
            .put(by)?;
        Ok(())
    }

    /// Notes another proof; each is later than the one before, also within a second.
    fn prove_anew(&mut self, event: &Recorded) {
        let said = self.passwords.entry(event.stream_id).or_default();
        *said = (event.at.unix_timestamp().max(said.0 + 1), said.1 + 1);
    }

    async fn write_passwords(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.passwords.is_empty() {
            return Ok(());
        }
        let (ids, said): (Vec<Uuid>, Vec<(i64, i64)>) =
            std::mem::take(&mut self.passwords).into_iter().unzip();
        let (since, many): (Vec<i64>, Vec<i64>) = said.into_iter().unzip();
        sqlx::query(
            "update member m set proves_since = greatest(s.since, m.proves_since + s.many)
             from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as s(id, since, many) where m.id = s.id",
        )
        .bind(ids)
        .bind(since)
        .bind(many)
        .execute(to)
        .await
        .map(|_| ())
    }

    /// Notes what changes of a second factor; what was begun by the password alone ends with the first one.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is no factor")]
    fn factor(&mut self, event: &Recorded, happened: &user::Event) {
        let said = self.factors.entry(event.stream_id).or_default();
        let proves_more = match happened {
            user::Event::SecondFactorEnabled { .. } => {
                said.codes = Some(true);
                true
            }
            user::Event::SecondFactorDisabled {} => {
                said.codes = Some(false);
                false
            }
            user::Event::SecurityKeyAdded { first, .. } => {
                said.keys += 1;
                *first
            }
            user::Event::SecurityKeyRemoved { .. } => {
                said.keys -= 1;
                false
            }
            _ => false,
        };
        if proves_more {
            self.prove_anew(event);
        }
    }

    async fn write_factors(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.factors.is_empty() {
            return Ok(());
        }
        let (ids, said): (Vec<Uuid>, Vec<Factor>) =
            std::mem::take(&mut self.factors).into_iter().unzip();
        let (codes, keys): (Vec<Option<bool>>, Vec<i32>) =
            said.into_iter().map(|said| (said.codes, said.keys)).unzip();
        sqlx::query(
            "update member m set codes = coalesce(s.codes, m.codes), security_keys = m.security_keys + s.keys
             from unnest($1::uuid[], $2::bool[], $3::int[]) as s(id, codes, keys) where m.id = s.id",
        )
        .bind(ids)
        .bind(codes)
        .bind(keys)
        .execute(to)
        .await
        .map(|_| ())
    }

    async fn write_bans(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.bans.is_empty() {
            return Ok(());
        }
        let (ids, (ends, networks)): (Vec<Uuid>, (Vec<_>, Vec<_>)) =
            std::mem::take(&mut self.bans).into_iter().unzip();
        sqlx::query(
            "update member m set banned_until = s.until, banned_network = s.network
             from unnest($1::uuid[], $2::bigint[], $3::bytea[]) as s(id, until, network) where m.id = s.id",
        )
        .bind(ids)
        .bind(ends)
        .bind(networks)
        .execute(to)
        .await
        .map(|_| ())
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::User(happened) = &event.fact else {
            if event.fact.is_erased() && event.fact.name() == "MemberRegistered" {
                self.forgotten(event)?;
            }
            return Ok(());
        };
        match happened {
            user::Event::MemberRegistered { name, role, .. } => {
                let row = self.registered.row().put(event.stream_id)?;
                row.put(name.as_str())?
                    .put(name.folded())?
                    .put(role.name())?
                    .put(event.at)?
                    .put(false)?;
            }
            user::Event::RoleAssigned { role } => {
                self.roles.insert(event.stream_id, *role);
            }
            user::Event::MemberWarned { reason } => {
                self.sanction(event, sanction::Kind::Warning, reason, None)?;
            }
            user::Event::MemberBanned(ban) => {
                let end = ban.until.unwrap_or(i64::MAX);
                let covered = ban.network.map(|network| network.0.to_vec());
                let told = Some((end, covered.is_some()));
                self.bans.insert(event.stream_id, (Some(end), covered));
                self.sanction(event, sanction::Kind::Ban, &ban.reason, told)?;
            }
            user::Event::MemberUnbanned { reason } => {
                self.bans.insert(event.stream_id, (None, None));
                self.sanction(event, sanction::Kind::Lifted, reason, None)?;
            }
            user::Event::CredentialsChanged { .. } => self.prove_anew(event),
            user::Event::SecondFactorEnabled { .. }
            | user::Event::SecondFactorDisabled {}
            | user::Event::SecurityKeyAdded { .. }
            | user::Event::SecurityKeyRemoved { .. } => self.factor(event, happened),
            user::Event::MemberErased { .. } => {
                self.erased.insert(event.stream_id);
            }
            user::Event::RecoveryCodesMade { .. }
            | user::Event::RecoveryCodeUsed { .. }
            | user::Event::SecurityKeyUsed { .. }
            | user::Event::DeviceCodeUsed { .. }
            | user::Event::DeviceSeen { .. }
            | user::Event::PasskeyReset { .. }
            | user::Event::RoleGranted { .. }
            | user::Event::RoleWithdrawn { .. }
            | user::Event::InviteIssued { .. }
            | user::Event::InviteRevoked { .. }
            | user::Event::InvitesGranted { .. } => {}
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.registered.bytes() + self.sanctions.bytes(),
            changes: self.roles.len()
                + self.bans.len()
                + self.passwords.len()
                + self.factors.len()
                + self.erased.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.registered.write(to).await?;
        self.sanctions.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_bans(to).await?;
        self.write_passwords(to).await?;
        self.write_factors(to).await?;
        self.write_roles(to).await?;
        self.write_erased(to).await
    }
}
