//! The site's own roles, and who has them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::id::RoleId;
use domain::role::{self, Mandate};
use domain::tag::Colour;
use domain::{Fact, Permission, Permissions, Recorded, user};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// A role of the site's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRole {
    /// Which one it is.
    pub id: RoleId,
    /// What members read.
    pub name: String,
    /// How it is told apart.
    pub colour: Colour,
    /// What it lets its members do.
    pub permissions: Permissions,
}

/// Gives every role that isn't retired, by name, with how many members have it.
pub async fn all(reads: &Reads) -> Result<Vec<(OwnRole, i64)>, Unavailable> {
    let query = "select id, name, colour, array_to_string(permissions, ' ') as permissions,
                     (select count(*) from member_role h where h.role = own_role.id) as members
                 from own_role where not retired order by lower(name), id";
    let rows = sqlx::query(query).fetch_all(&reads.pool).await?;
    let read = |row: &PgRow| {
        let role = read(
            row.try_get("id")?,
            row.try_get("name")?,
            &row.try_get::<String, _>("colour")?,
            &row.try_get::<String, _>("permissions")?,
        );
        Ok((role, row.try_get("members")?))
    };
    Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
}

/// Joins the roles of a member `m` to their row, by name; for [`own`] to read.
pub(crate) const OWN: &str = "left join lateral (
        select array_agg(r.id order by lower(r.name), r.id) as own_ids,
               array_agg(r.name order by lower(r.name), r.id) as own_names,
               array_agg(r.colour order by lower(r.name), r.id) as own_colours,
               array_agg(array_to_string(r.permissions, ' ') order by lower(r.name), r.id) as own_permissions
        from member_role h join own_role r on r.id = h.role where h.member = m.id and not r.retired
    ) own on true";

/// Reads the roles of a member out of the columns that [`OWN`] joins.
pub(crate) fn own(row: &PgRow) -> Result<Vec<OwnRole>, sqlx::Error> {
    let ids: Option<Vec<Uuid>> = row.try_get("own_ids")?;
    let Some(ids) = ids else {
        return Ok(vec![]);
    };
    let names: Vec<String> = row.try_get("own_names")?;
    let colours: Vec<String> = row.try_get("own_colours")?;
    let permissions: Vec<String> = row.try_get("own_permissions")?;
    let columns = ids.into_iter().zip(names).zip(colours).zip(permissions);
    let role = |(((id, name), colour), permissions): (((_, _), String), String)| {
        read(id, name, &colour, &permissions)
    };
    Ok(columns.map(role).collect())
}

fn read(id: Uuid, name: String, colour: &str, permissions: &str) -> OwnRole {
    OwnRole {
        id: RoleId(id),
        name,
        colour: Colour::named(colour).unwrap_or_default(),
        permissions: permissions
            .split(' ')
            .filter_map(Permission::named)
            .collect(),
    }
}

/// The projection behind the roles.
#[derive(Debug)]
pub struct Roles;

impl Projection for Roles {
    fn name(&self) -> &'static str {
        "role"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/role.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/role.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["own_role", "member_role"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["role", "user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Mandates {
            new: Copy::into("own_role (id, name, colour, permissions)", 4),
            changed: BTreeMap::new(),
            retired: vec![],
            handed: BTreeMap::new(),
            erased: vec![],
        })
    }
}

/// New roles, the last word on each that changed, and on who has which.
struct Mandates {
    new: Copy,
    changed: BTreeMap<Uuid, Mandate>,
    retired: Vec<Uuid>,
    /// By member and role, whether the member has it.
    handed: BTreeMap<(Uuid, Uuid), bool>,
    /// Members that were erased.
    erased: Vec<Uuid>,
}

fn names(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(Permission::name).collect()
}

#[async_trait]
impl Fold for Mandates {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let id = event.stream_id;
        if let Fact::Role(happened) = &event.fact {
            match happened {
                role::Event::RoleCreated(mandate) => {
                    let row = self.new.row().put(id)?.put(&mandate.name)?;
                    row.put(mandate.colour.name())?
                        .put(names(mandate.permissions))?;
                }
                role::Event::RoleChanged(mandate) => {
                    self.changed.insert(id, mandate.clone());
                }
                role::Event::RoleRetired {} => self.retired.push(id),
            }
        }
        if let Fact::User(user::Event::RoleGranted { role }) = &event.fact {
            self.handed.insert((id, role.0), true);
        }
        if let Fact::User(user::Event::RoleWithdrawn { role }) = &event.fact {
            self.handed.insert((id, role.0), false);
        }
        if let Fact::User(user::Event::MemberErased { .. }) = &event.fact {
            self.erased.push(id);
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.new.bytes(),
            changes: self.changed.len()
                + self.retired.len()
                + self.handed.len()
                + self.erased.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.new.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (id, mandate) in std::mem::take(&mut self.changed) {
            sqlx::query(
                "update own_role set name = $2, colour = $3, permissions = $4 where id = $1",
            )
            .bind(id)
            .bind(&mandate.name)
            .bind(mandate.colour.name())
            .bind(names(mandate.permissions))
            .execute(&mut *to)
            .await?;
        }
        for id in std::mem::take(&mut self.retired) {
            sqlx::query("update own_role set retired = true where id = $1")
                .bind(id)
                .execute(&mut *to)
                .await?;
        }
        for ((member, role), has) in std::mem::take(&mut self.handed) {
            let statement = if has {
                "insert into member_role (member, role) values ($1, $2) on conflict do nothing"
            } else {
                "delete from member_role where member = $1 and role = $2"
            };
            sqlx::query(statement)
                .bind(member)
                .bind(role)
                .execute(&mut *to)
                .await?;
        }
        let erased = std::mem::take(&mut self.erased);
        if !erased.is_empty() {
            sqlx::query("delete from member_role where member = any($1)")
                .bind(erased)
                .execute(to)
                .await?;
        }
        Ok(())
    }
}
