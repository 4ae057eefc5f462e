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
    /// Make and change categories, tags and the forum's sections.
    Categories,
    /// Let members invite more people, and see everybody's invites.
    Invites,
    /// Change the site's settings, who may register, the announcement and the logo, and set freeleech.
    Settings,
    /// Make the site's own roles, and give them.
    Roles,
    /// Read the whole history.
    Audit,
    /// What is the administrators' alone: the built-in roles, projections, the panic.
    Administer,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 12] = [
        Self::UploadAtOnce,
        Self::Torrents,
        Self::Forum,
        Self::Reports,
        Self::Members,
        Self::Traffic,
        Self::Categories,
        Self::Invites,
        Self::Settings,
        Self::Roles,
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
            Self::Categories => "categories",
            Self::Invites => "invites",
            Self::Settings => "settings",
            Self::Roles => "roles",
            Self::Audit => "audit",
            Self::Administer => "administer",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Says what it lets somebody do.
    pub fn about(self) -> &'static str {
        match self {
            Self::UploadAtOnce => "Upload without waiting for approval",
            Self::Torrents => "Approve, reject, edit, withdraw and restore others' torrents",
            Self::Forum => "Pin, lock, move, edit and remove in the forum, and others' comments",
            Self::Reports => "Read and handle reports",
            Self::Members => "Warn and ban members, and let them in again",
            Self::Traffic => "Exempt from hit-and-runs, and look at flagged traffic",
            Self::Categories => "Make and change categories, tags and the forum's sections",
            Self::Invites => "Let members invite more people, and see everybody's invites",
            Self::Settings => {
                "Change the site's settings, who may register, the announcement and the logo, and set freeleech"
            }
            Self::Roles => "Make the site's own roles, and give them",
            Self::Audit => "Read the whole history",
            Self::Administer => "What is the administrators' alone",
        }
    }
}

/// What belongs together among the permissions that a role of the site's own may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// What is uploaded and shared.
    Torrents,
    /// What members say and do.
    Community,
    /// What shapes the site.
    Site,
    /// What happened.
    History,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 4] = [Self::Torrents, Self::Community, Self::Site, Self::History];

    /// Says what it is about.
    pub fn about(self) -> &'static str {
        match self {
            Self::Torrents => "Torrents",
            Self::Community => "Members and what they say",
            Self::Site => "The site",
            Self::History => "History",
        }
    }

    /// Gives its permissions.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Torrents => &[
                Permission::UploadAtOnce,
                Permission::Torrents,
                Permission::Traffic,
            ],
            Self::Community => &[Permission::Forum, Permission::Reports, Permission::Members],
            Self::Site => &[
                Permission::Categories,
                Permission::Invites,
                Permission::Settings,
                Permission::Roles,
            ],
            Self::History => &[Permission::Audit],
        }
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
        // Who gives roles could take this one's power away.
        let beside = (theirs.has(keeps_order) || theirs.has(Permission::Roles))
            && !self.has(Permission::Administer);
        self.has(keeps_order) && !theirs.has(Permission::Administer) && !beside
    }

    /// Gives these and others.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Tells whether each of them is among others.
    pub fn are_within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Gives each of them.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .into_iter()
            .filter(move |one| self.has(*one))
    }

    /// Tells whether who may this is of the staff: it takes more than uploading without approval.
    pub fn are_of_the_staff(self) -> bool {
        self.iter().any(|one| one != Permission::UploadAtOnce)
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
        Permission::Categories => 1 << 8,
        Permission::Invites => 1 << 9,
        Permission::Settings => 1 << 10,
        Permission::Roles => 1 << 11,
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

    #[test]
    fn every_permission_but_the_administrators_own_stands_in_one_area() {
        for one in Permission::ALL {
            let areas = Area::ALL.into_iter();
            let of = areas.filter(|area| area.permissions().contains(&one));
            assert_eq!(of.count(), usize::from(one != Permission::Administer));
        }
    }

    #[test]
    fn nobody_sanctions_who_could_take_their_power_away() {
        let of = |all: &[Permission]| all.iter().copied().collect::<Permissions>();
        let keeper = of(&[Permission::Members]);
        let administrator = Permissions::everything();
        for theirs in [&[Permission::Members][..], &[Permission::Roles]] {
            assert!(!keeper.may_sanction(of(theirs)));
            assert!(administrator.may_sanction(of(theirs)));
        }
        assert!(keeper.may_sanction(of(&[Permission::Forum])));
        assert!(!administrator.may_sanction(administrator));
        assert!(!of(&[Permission::Roles]).may_sanction(of(&[])));
    }

    #[test]
    fn a_set_is_within_another_that_has_all_of_it() {
        let set = |of: &[Permission]| of.iter().copied().collect::<Permissions>();
        let (small, large) = (
            set(&[Permission::Forum]),
            set(&[Permission::Forum, Permission::Audit]),
        );
        assert!(small.are_within(large) && small.are_within(small) && set(&[]).are_within(small));
        assert!(!large.are_within(small));
        assert!(large.are_within(Permissions::everything()));
    }
}
