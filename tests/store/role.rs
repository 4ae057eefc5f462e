//! Roles and tags of the site's own while several change them at once.

use commands::Refusal;
use commands::request::{Key, request};
use commands::user::Join;
use domain::id::{MemberId, RoleId};
use domain::role::Mandate;
use domain::tag::{Colour, Label, Turn};
use domain::user::{MOST_ROLES, Name, Rejection, Role};
use domain::{Permission, Permissions};
use tests::Database;
use tests::database::credentials;

async fn admin(database: &Database) -> MemberId {
    let join = Join {
        name: Name::parse("first").unwrap(),
        credentials: credentials(),
    };
    let made = database.commands.create_member(join, Role::Administrator);
    made.await.unwrap().of
}

fn called(name: &str, permissions: &[Permission]) -> Mandate {
    Mandate {
        name: name.to_owned(),
        colour: Colour::Blue,
        permissions: permissions.iter().copied().collect(),
    }
}

async fn made(database: &Database, by: MemberId, mandate: Mandate) -> RoleId {
    let made = database.commands.create_role(by, mandate);
    made.await.unwrap().of
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_rename_a_role_at_once_every_name_but_the_last_is_free_again() {
    let database = Database::start().await;
    let commands = &database.commands;
    let admin = admin(&database).await;
    for round in 0..5 {
        let names: Vec<String> = (0..4).map(|name| format!("name {round}-{name}")).collect();
        let before = format!("before {round}");
        let role = made(&database, admin, called(&before, &[])).await;
        let renamed = names
            .iter()
            .map(|name| commands.change_role(admin, role, called(name, &[])));
        let renamed = futures::future::join_all(renamed).await;
        let last = names
            .iter()
            .zip(&renamed)
            .filter_map(|(name, done)| Some((done.as_ref().ok()?.position, name)))
            .max()
            .unwrap()
            .1;
        for name in names.iter().chain([&before]) {
            let again = commands.create_role(admin, called(name, &[])).await;
            let taken = matches!(again, Err(Refusal::Taken { .. }));
            assert_eq!(taken, name == last, "{name}: {again:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_a_role_while_giving_another_gives_it_before_or_not_at_all() {
    let database = Database::start().await;
    let commands = &database.commands;
    let admin = admin(&database).await;
    let (giver, other) = (
        database.member("giver").await,
        database.member("other").await,
    );
    let may = [Permission::Roles, Permission::Forum];
    let high = made(&database, admin, called("high", &may)).await;
    let low = made(&database, admin, called("low", &[Permission::Forum])).await;
    for round in 0..10 {
        commands.hand_role(admin, giver, high, true).await.unwrap();
        let (taken, given) = tokio::join!(
            commands.hand_role(admin, giver, high, false),
            commands.hand_role(giver, other, low, true)
        );
        let taken = taken.unwrap().position;
        match given {
            Ok(given) => assert!(given.position < taken, "round {round}"),
            Err(Refusal::Forbidden) => {}
            Err(other) => panic!("round {round}: {other:?}"),
        }
        commands.hand_role(admin, other, low, false).await.unwrap();
    }
    let reach = commands.permissions(giver).await.unwrap();
    assert_eq!(reach, Permissions::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_has_only_so_many_roles_and_retired_ones_take_no_place() {
    let database = Database::start().await;
    let commands = &database.commands;
    let admin = admin(&database).await;
    let member = database.member("alice").await;
    let give = async |number: usize| {
        let role = made(&database, admin, called(&format!("role {number}"), &[])).await;
        let given = commands.hand_role(admin, member, role, true).await;
        given.map(|_| role)
    };
    let first = give(0).await.unwrap();
    for number in 1..MOST_ROLES {
        give(number).await.unwrap();
    }
    let one_more = give(MOST_ROLES).await;
    assert!(matches!(
        one_more,
        Err(Refusal::Rejected(Rejection::TooManyRoles))
    ));
    commands.retire_role(admin, first).await.unwrap();
    give(MOST_ROLES + 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_asked_for_again_has_its_first_answer_whatever_became_of_the_role() {
    let database = Database::start().await;
    let commands = &database.commands;
    let admin = admin(&database).await;
    let member = database.member("alice").await;
    let role = made(&database, admin, called("helpers", &[])).await;
    let key = |words| Some(Key::new(admin, "roles", words));
    let give = |words| request(key(words), commands.hand_role(admin, member, role, true));
    let retire = || request(key("retire"), commands.retire_role(admin, role));
    let (first, position) = give("once").await;
    assert_eq!(first.unwrap().position, position);
    let (retired, _) = retire().await;
    assert_eq!(
        retire().await.0.unwrap().position,
        retired.unwrap().position
    );
    let (again, noted) = give("once").await;
    assert_eq!((again.unwrap().position, noted), (position, position));
    assert!(matches!(give("twice").await.0, Err(Refusal::NotFound)));
    let refused = commands.retire_role(admin, role).await.unwrap_err();
    let retired = domain::role::Rejection::Retired;
    assert!(matches!(refused, Refusal::Rejected(found) if found == retired));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_rename_a_tag_at_once_every_name_but_the_last_is_free_again() {
    let database = Database::start().await;
    let commands = &database.commands;
    let admin = admin(&database).await;
    let label = |name: &str| Label {
        name: name.to_owned(),
        colour: Colour::Blue,
        rank: 1,
    };
    for round in 0..5 {
        let names: Vec<String> = (0..4).map(|name| format!("name {round}-{name}")).collect();
        let before = format!("before {round}");
        let tag = commands.create_tag(admin, label(&before)).await.unwrap().of;
        let renamed = names
            .iter()
            .map(|name| commands.change_tag(admin, tag, Turn::Change(label(name))));
        let renamed = futures::future::join_all(renamed).await;
        let last = names
            .iter()
            .zip(&renamed)
            .filter_map(|(name, done)| Some((done.as_ref().ok()?.position, name)))
            .max()
            .unwrap()
            .1;
        for name in names.iter().chain([&before]) {
            let again = commands.create_tag(admin, label(name)).await;
            let taken = matches!(again, Err(Refusal::Taken { .. }));
            assert_eq!(taken, name == last, "{name}: {again:?}");
        }
    }
}
