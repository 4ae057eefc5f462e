//! What a role lets its members do, by area.

use serde::{Deserialize, Serialize};

/// One thing that a member may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Upload without waiting for approval.
    UploadAtOnce,
    /// Approve, reject, edit, withdraw and restore others' torrents, and see those that wait.
    Torrents,
    /// Pin, lock, move, edit and remove in the forum, and others' comments.
    Forum,
    /// Read and handle reports.
    Reports,
    /// Warn and ban members.
    Members,
    /// Exempt from hit-and-runs, clear them, and look at flagged traffic.
    Traffic,
    /// Read the whole history.
    Audit,
    /// Everything that shapes the site: settings, categories, roles, invites, the panic.
    Administer,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 8] = [
        Self::UploadAtOnce,
        Self::Torrents,
        Self::Forum,
        Self::Reports,
        Self::Members,
        Self::Traffic,
        Self::Audit,
        Self::Administer,
    ];

    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadAtOnce => "upload_at_once",
            Self::Torrents => "torrents",
            Self::Forum => "forum",
            Self::Reports => "reports",
            Self::Members => "members",
            Self::Traffic => "traffic",
            Self::Audit => "audit",
            Self::Administer => "administer",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u16);

impl Permissions {
    /// Everything.
    pub fn everything() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Tells whether one is among them.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// Tells whether who may do this warns and bans who may do that: nobody does so to those above
    /// or beside them.
    pub fn may_sanction(self, theirs: Self) -> bool {
        let keeps_order = Permission::Members;
        let beside = theirs.has(keeps_order) && !self.has(Permission::Administer);
        self.has(keeps_order) && !theirs.has(Permission::Administer) && !beside
    }

    /// Gives these and others.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Gives each of them.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .into_iter()
            .filter(move |one| self.has(*one))
    }

    /// Tells whether there is any.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

fn bit(permission: Permission) -> u16 {
    match permission {
        Permission::UploadAtOnce => 1,
        Permission::Torrents => 1 << 1,
        Permission::Forum => 1 << 2,
        Permission::Reports => 1 << 3,
        Permission::Members => 1 << 4,
        Permission::Traffic => 1 << 5,
        Permission::Audit => 1 << 6,
        Permission::Administer => 1 << 7,
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |set, one| set | bit(one)))
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(permissions: Vec<Permission>) -> Self {
        permissions.into_iter().collect()
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(permissions: Permissions) -> Self {
        permissions.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_stored_by_the_names_of_what_is_in_it() {
        let set: Permissions = [Permission::Forum, Permission::Audit].into_iter().collect();
        let stored = serde_json::to_value(set).unwrap();
        assert_eq!(stored, serde_json::json!(["forum", "audit"]));
        assert_eq!(serde_json::from_value::<Permissions>(stored).unwrap(), set);
        assert!(set.has(Permission::Forum) && !set.has(Permission::Administer));
        for one in Permission::ALL {
            assert_eq!(serde_json::to_value(one).unwrap(), one.name());
            assert_eq!(Permission::named(one.name()), Some(one));
        }
    }
}
