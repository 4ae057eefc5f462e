//! Tests of [`super`].

use super::*;
use crate::spec::given;

fn set(of: &[Permission]) -> Permissions {
    of.iter().copied().collect()
}

fn mandate(name: &str, permissions: &[Permission]) -> Mandate {
    Mandate {
        name: name.into(),
        colour: Colour::Teal,
        permissions: set(permissions),
    }
}

fn create(name: &str) -> Command {
    Command::Create {
        mandate: mandate(name, &[]),
        may: Permissions::everything(),
    }
}

#[test]
fn a_role_is_made_once_with_a_name_of_one_line_and_one_script() {
    given::<OwnRole>(&[])
        .when(create("  Forum   guides "))
        .then(&[Event::RoleCreated(mandate("Forum guides", &[]))]);
    for wrong in [
        "",
        "x",
        "two\u{200b}parts",
        "right\u{202e}left",
        "a/b",
        &"é".repeat(31),
    ] {
        given::<OwnRole>(&[])
            .when(create(wrong))
            .rejected(&Rejection::Unnamed);
    }
    given::<OwnRole>(&[])
        .when(create("guіde"))
        .rejected(&Rejection::NameMixed);
    for taken in ["Moderator", "audit0r", "Member", "STAFF"] {
        given::<OwnRole>(&[])
            .when(create(taken))
            .rejected(&Rejection::NameReserved);
    }
    given::<OwnRole>(&[Event::RoleCreated(mandate("Guides", &[]))])
        .when(create("Guides"))
        .rejected(&Rejection::AlreadyCreated);
}

#[test]
fn nobody_gives_a_role_what_they_may_not_do_themselves() {
    let may = set(&[Permission::Roles, Permission::Forum]);
    let make = |permissions: &[Permission], may| Command::Create {
        mandate: mandate("Guides", permissions),
        may,
    };
    given::<OwnRole>(&[])
        .when(make(&[Permission::Forum], may))
        .then(&[Event::RoleCreated(mandate("Guides", &[Permission::Forum]))]);
    given::<OwnRole>(&[])
        .when(make(&[Permission::Forum, Permission::Members], may))
        .rejected(&Rejection::Beyond);
    given::<OwnRole>(&[])
        .when(make(&[Permission::Administer], Permissions::everything()))
        .rejected(&Rejection::Administers);
}

#[test]
fn a_role_that_reaches_further_is_changed_and_retired_by_nobody_below() {
    let may = set(&[Permission::Roles, Permission::Forum]);
    let above = [Event::RoleCreated(mandate(
        "Judges",
        &[Permission::Members],
    ))];
    let held = || "Judges".to_owned();
    given::<OwnRole>(&above)
        .when(Command::Change {
            mandate: mandate("Judges", &[]),
            may,
            held: held(),
        })
        .rejected(&Rejection::Beyond);
    given::<OwnRole>(&above)
        .when(Command::Retire { may, held: held() })
        .rejected(&Rejection::Beyond);
    given::<OwnRole>(&above)
        .when(Command::Retire {
            may: Permissions::everything(),
            held: held(),
        })
        .then(&[Event::RoleRetired {}]);
}

#[test]
fn a_role_is_changed_and_retired_under_the_name_that_it_has() {
    let past = [Event::RoleCreated(mandate("Guides", &[Permission::Forum]))];
    let change = |to: &Mandate, held: &str| Command::Change {
        mandate: to.clone(),
        may: Permissions::everything(),
        held: held.into(),
    };
    let retire = |held: &str| Command::Retire {
        may: Permissions::everything(),
        held: held.into(),
    };
    let renamed = mandate("Helpers", &[Permission::Reports]);
    given::<OwnRole>(&past)
        .when(change(&renamed, "Guides"))
        .then(&[Event::RoleChanged(renamed.clone())]);
    given::<OwnRole>(&past)
        .when(change(&mandate("Guides", &[Permission::Forum]), "Guides"))
        .then(&[]);
    for late in [change(&renamed, "guides"), retire("guides")] {
        given::<OwnRole>(&past)
            .when(late)
            .rejected(&Rejection::Renamed);
    }
    let retired = [past[0].clone(), Event::RoleRetired {}];
    for late in [change(&renamed, "Guides"), retire("Guides")] {
        given::<OwnRole>(&retired)
            .when(late)
            .rejected(&Rejection::Retired);
    }
    for unknown in [change(&renamed, "Guides"), retire("Guides")] {
        given::<OwnRole>(&[])
            .when(unknown)
            .rejected(&Rejection::Unknown);
    }
}

#[test]
fn names_are_compared_without_case_and_by_their_looks() {
    let of = |name: &str| mandate(name, &[]);
    assert_eq!(of("Forum  Guides").folded(), "forum guides");
    assert_eq!(of("Paul I").looks(), of("PauI  l").looks());
    assert_ne!(of("Guides").looks(), of("Judges").looks());
}
