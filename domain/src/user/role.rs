//! What a member may do.

use serde::{Deserialize, Serialize};

use crate::permission::{Permission, Permissions};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// What members do, and keep order among torrents, posts and members.
    Moderator,
    /// What members do, and read the whole history.
    Auditor,
    /// Upload, download, read.
    Member,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Self; 4] = [
        Self::Administrator,
        Self::Moderator,
        Self::Auditor,
        Self::Member,
    ];

    /// Gives the role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Moderator => "moderator",
            Self::Auditor => "auditor",
            Self::Member => "member",
        }
    }

    /// Reads a role's name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Tells what the role lets its members do.
    pub fn permissions(self) -> Permissions {
        match self {
            Self::Administrator => Permissions::everything(),
            Self::Moderator => [
                Permission::UploadAtOnce,
                Permission::Torrents,
                Permission::Forum,
                Permission::Reports,
                Permission::Members,
                Permission::Traffic,
            ]
            .into_iter()
            .collect(),
            Self::Auditor => [Permission::Audit].into_iter().collect(),
            Self::Member => Permissions::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_as_they_are_stored() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert_eq!(Role::named("king"), None);
    }
}
