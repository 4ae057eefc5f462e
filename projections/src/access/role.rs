//! Who keeps order among torrents by one of the site's own roles.

use std::collections::BTreeMap;

use domain::id::RoleId;
use domain::role::Event;
use domain::{Permission, Recorded};
use sqlx::PgConnection;
use uuid::Uuid;

/// The last word on roles, and on who has which.
#[derive(Default)]
pub(super) struct Said {
    /// Whether a role keeps order among torrents, and where it last changed.
    roles: BTreeMap<Uuid, (bool, i64)>,
    /// By member and role, whether the member has it.
    handed: BTreeMap<(Uuid, Uuid), bool>,
}

impl Said {
    pub(super) fn role(&mut self, at: &Recorded, event: &Event) {
        let staff = match event {
            Event::RoleCreated(mandate) | Event::RoleChanged(mandate) => {
                mandate.permissions.has(Permission::Torrents)
            }
            Event::RoleRetired {} => false,
        };
        self.roles.insert(at.stream_id, (staff, at.position.0));
    }

    pub(super) fn hand(&mut self, at: &Recorded, role: RoleId, granted: bool) {
        self.handed.insert((at.stream_id, role.0), granted);
    }

    pub(super) fn changes(&self) -> usize {
        self.roles.len() + self.handed.len()
    }

    /// Writes it; whoever has a role that changed has changed where it did.
    pub(super) async fn write(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for ((member, role), granted) in std::mem::take(&mut self.handed) {
            let statement = if granted {
                "insert into access_member_role (member, role) values ($1, $2) on conflict do nothing"
            } else {
                "delete from access_member_role where member = $1 and role = $2"
            };
            sqlx::query(statement)
                .bind(member)
                .bind(role)
                .execute(&mut *to)
                .await?;
        }
        for (role, (staff, position)) in std::mem::take(&mut self.roles) {
            sqlx::query(
                "insert into access_role (role, staff) values ($1, $2)
                 on conflict (role) do update set staff = excluded.staff",
            )
            .bind(role)
            .bind(staff)
            .execute(&mut *to)
            .await?;
            sqlx::query(
                "update access_member m set position = greatest(m.position, $2)
                 from access_member_role h where h.role = $1 and m.member = h.member",
            )
            .bind(role)
            .bind(position)
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}
