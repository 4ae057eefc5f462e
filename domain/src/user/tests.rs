//! Tests of [`super`].

use super::*;
use crate::spec::given;

fn credentials(iterations: u32) -> Credentials {
    Credentials {
        salt: [1; 32],
        iterations,
        verifier: [2; 32],
        server_key: [3; 32],
    }
}

fn alice() -> Event {
    Event::MemberRegistered {
        name: Name::parse("alice").unwrap(),
        role: Role::Member,
        credentials: credentials(600_000),
        passkey: Passkey::new([7; 16]),
        credit: Bytes(0),
        invites: 1,
        invited_by: None,
    }
}

#[test]
fn a_member_registers_once() {
    let register = Command::Register {
        name: Name::parse("alice").unwrap(),
        role: Role::Member,
        credentials: credentials(600_000),
        passkey: Passkey::new([7; 16]),
        welcome: Welcome {
            invites: 1,
            ..Welcome::default()
        },
    };
    given::<User>(&[]).when(register.clone()).then(&[alice()]);
    given::<User>(&[alice()])
        .when(register)
        .rejected(&Rejection::AlreadyRegistered);
}

#[test]
fn cheap_credentials_are_refused() {
    let change = |iterations| Command::ChangeCredentials {
        credentials: credentials(iterations),
    };
    given::<User>(&[alice()])
        .when(change(99_999))
        .rejected(&Rejection::Iterations);
    given::<User>(&[alice()])
        .when(change(10_000_001))
        .rejected(&Rejection::Iterations);
    given::<User>(&[alice()])
        .when(change(100_000))
        .then(&[Event::CredentialsChanged {
            credentials: credentials(100_000),
        }]);
}

#[test]
fn a_stranger_has_no_passkey_to_reset() {
    let reset = Command::ResetPasskey {
        passkey: Passkey::new([8; 16]),
    };
    given::<User>(&[])
        .when(reset.clone())
        .rejected(&Rejection::Unknown);
    given::<User>(&[alice()])
        .when(reset)
        .then(&[Event::PasskeyReset {
            passkey: Passkey::new([8; 16]),
        }]);
}

fn issued() -> Event {
    Event::InviteIssued {
        invite: InviteId(uuid::Uuid::from_u128(3)),
        code: Code::new([1; 16]),
        expires: 100,
    }
}

fn invite() -> Command {
    Command::Invite {
        invite: InviteId(uuid::Uuid::from_u128(3)),
        code: Code::new([1; 16]),
        expires: 100,
    }
}

#[test]
fn an_invite_costs_one_and_comes_back_when_it_is_void() {
    let revoke = |over| Command::Revoke {
        invite: InviteId(uuid::Uuid::from_u128(3)),
        over,
    };
    let revoked = |expired| Event::InviteRevoked {
        invite: InviteId(uuid::Uuid::from_u128(3)),
        expired,
    };
    given::<User>(&[alice()]).when(invite()).then(&[issued()]);
    given::<User>(&[alice(), issued()])
        .when(invite())
        .rejected(&Rejection::NoInviteLeft);
    given::<User>(&[alice(), issued()])
        .when(revoke(Some(99)))
        .then(&[]);
    given::<User>(&[alice(), issued()])
        .when(revoke(Some(100)))
        .then(&[revoked(true)]);
    given::<User>(&[alice(), issued()])
        .when(revoke(None))
        .then(&[revoked(false)]);
    given::<User>(&[alice(), issued(), revoked(false)])
        .when(revoke(None))
        .rejected(&Rejection::InviteUnknown);
    given::<User>(&[alice(), issued(), revoked(false)])
        .when(invite())
        .then(&[issued()]);
    given::<User>(&[alice()])
        .when(Command::GrantInvites(101))
        .rejected(&Rejection::TooManyInvites);
}

#[test]
fn a_ban_has_a_reason_and_ends_ahead_or_never() {
    let ban = |reason: &str, until| Command::Ban {
        ban: Ban {
            reason: reason.into(),
            until,
        },
        now: 100,
    };
    let banned = Event::MemberBanned {
        reason: "spam".into(),
        until: Some(101),
    };
    given::<User>(&[alice()])
        .when(ban(" ", None))
        .rejected(&Rejection::Reason);
    given::<User>(&[alice()])
        .when(ban("spam", Some(100)))
        .rejected(&Rejection::EndsBehind);
    given::<User>(&[alice()])
        .when(ban("spam", Some(101)))
        .then(std::slice::from_ref(&banned));
    let unban = Command::Unban("sorry".into());
    given::<User>(&[alice()])
        .when(unban.clone())
        .rejected(&Rejection::NotBanned);
    given::<User>(&[alice(), banned])
        .when(unban)
        .then(&[Event::MemberUnbanned {
            reason: "sorry".into(),
        }]);
}

#[test]
fn the_same_role_again_changes_nothing() {
    let assign = |role| Command::AssignRole { role };
    given::<User>(&[alice()])
        .when(assign(Role::Member))
        .then(&[]);
    given::<User>(&[alice()])
        .when(assign(Role::Administrator))
        .then(&[Event::RoleAssigned {
            role: Role::Administrator,
        }]);
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", alice());
    assert!(
        shown.contains("Passkey(…)") && shown.contains("Credentials(…)"),
        "{shown}"
    );
}

#[test]
fn a_recovery_code_is_good_once_and_only_while_it_is_the_latest() {
    let code = |of: u8| CodeHash([of; 32]);
    let made = |codes: [u8; 2]| Event::RecoveryCodesMade {
        codes: codes.map(code).into(),
    };
    let used = Event::RecoveryCodeUsed { code: code(1) };
    let recover = |iterations| Command::Recover {
        code: code(1),
        credentials: credentials(iterations),
    };
    given::<User>(&[alice(), made([1, 2])])
        .when(recover(100_000))
        .then(&[
            used.clone(),
            Event::CredentialsChanged {
                credentials: credentials(100_000),
            },
        ]);
    given::<User>(&[alice(), made([1, 2])])
        .when(recover(1))
        .rejected(&Rejection::Iterations);
    for void in [
        vec![alice()],
        vec![alice(), made([1, 2]), used],
        vec![alice(), made([1, 2]), made([3, 4])],
    ] {
        given::<User>(&void)
            .when(recover(100_000))
            .rejected(&Rejection::RecoveryCode);
    }
}
