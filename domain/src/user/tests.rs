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

pub(super) fn alice() -> Event {
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
            network: Some(Network([7; 16])),
        },
        now: 100,
    };
    let banned = Event::MemberBanned(Ban {
        reason: "spam".into(),
        until: Some(101),
        network: Some(Network([7; 16])),
    });
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

#[test]
fn a_role_of_the_sites_own_is_granted_once_and_withdrawn_once() {
    let role = |number| RoleId(uuid::Uuid::from_u128(number));
    let granted = |number| Event::RoleGranted { role: role(number) };
    let withdrawn = Event::RoleWithdrawn { role: role(1) };
    given::<User>(&[alice()])
        .when(Command::GrantRole(role(1)))
        .then(&[granted(1)]);
    let has = [alice(), granted(1)];
    given::<User>(&has)
        .when(Command::GrantRole(role(1)))
        .then(&[]);
    given::<User>(&has)
        .when(Command::WithdrawRole(role(1)))
        .then(std::slice::from_ref(&withdrawn));
    let had = [alice(), granted(1), withdrawn];
    given::<User>(&had)
        .when(Command::WithdrawRole(role(1)))
        .then(&[]);
    given::<User>(&had)
        .when(Command::GrantRole(role(1)))
        .then(&[granted(1)]);
}

#[test]
fn an_erased_member_is_asked_nothing_more_and_an_administrator_stays() {
    let by = InvitedBy {
        member: crate::id::MemberId(uuid::Uuid::from_u128(1)),
        invite: InviteId(uuid::Uuid::from_u128(2)),
    };
    let invited = Event::MemberRegistered {
        name: Name::parse("alice").unwrap(),
        role: Role::Member,
        credentials: credentials(600_000),
        passkey: Passkey::new([7; 16]),
        credit: Bytes(0),
        invites: 1,
        invited_by: Some(by),
    };
    let erased = |invited_by| Event::MemberErased { invited_by };
    given::<User>(&[alice()])
        .when(Command::Erase)
        .then(&[erased(None)]);
    given::<User>(std::slice::from_ref(&invited))
        .when(Command::Erase)
        .then(&[erased(Some(by))]);
    let administrator = Event::RoleAssigned {
        role: Role::Administrator,
    };
    given::<User>(&[alice(), administrator])
        .when(Command::Erase)
        .rejected(&Rejection::Administrator);
    let register = Command::Register {
        name: Name::parse("bob").unwrap(),
        role: Role::Member,
        credentials: credentials(600_000),
        passkey: Passkey::new([8; 16]),
        welcome: Welcome::default(),
    };
    let commands = [
        Command::Erase,
        Command::GrantInvites(1),
        Command::Unban("because".into()),
        register,
    ];
    // What stood before is gone, so the event alone must do.
    for history in [vec![invited, erased(Some(by))], vec![erased(Some(by))]] {
        for command in commands.clone() {
            let user = given::<User>(&history);
            user.when(command).rejected(&Rejection::Unknown);
        }
    }
}

#[test]
fn a_second_factor_is_set_up_once_and_turned_off_once() {
    let secret = TotpSecret::new([4; 20]);
    let enable = Command::SecondFactor(Some((secret.clone(), 7)));
    let enabled = Event::SecondFactorEnabled {
        totp_secret: secret,
    };
    let shown = Event::DeviceCodeUsed { step: 7 };
    let disabled = Event::SecondFactorDisabled {};
    given::<User>(&[alice()])
        .when(enable.clone())
        .then(&[enabled.clone(), shown.clone()]);
    let has = [alice(), enabled.clone(), shown.clone()];
    given::<User>(&has)
        .when(enable.clone())
        .rejected(&Rejection::SecondFactor);
    given::<User>(&has)
        .when(Command::SecondFactor(None))
        .then(std::slice::from_ref(&disabled));
    let had = [alice(), enabled.clone(), shown.clone(), disabled];
    given::<User>(&had)
        .when(Command::SecondFactor(None))
        .then(&[]);
    given::<User>(&had).when(enable).then(&[enabled, shown]);
}

#[test]
fn a_code_of_the_device_is_good_once_and_none_before_it() {
    let enabled = Event::SecondFactorEnabled {
        totp_secret: TotpSecret::new([4; 20]),
    };
    let used = |step| Event::DeviceCodeUsed { step };
    let has = [alice(), enabled.clone(), used(7)];
    for step in [6, 7] {
        given::<User>(&has)
            .when(Command::UseDeviceCode(step))
            .rejected(&Rejection::CodeUsed);
    }
    given::<User>(&has)
        .when(Command::UseDeviceCode(8))
        .then(&[used(8)]);
    // What was set up before codes were noted has none yet.
    given::<User>(&[alice(), enabled])
        .when(Command::UseDeviceCode(3))
        .then(&[used(3)]);
    given::<User>(&[alice()])
        .when(Command::UseDeviceCode(3))
        .rejected(&Rejection::CodeUsed);
}

#[test]
fn a_recovery_code_in_place_of_the_device_is_good_once_and_leaves_the_second_factor() {
    let code = CodeHash([1; 32]);
    let made = Event::RecoveryCodesMade {
        codes: [code].into(),
    };
    let used = Event::RecoveryCodeUsed { code };
    let use_it = Command::UseRecoveryCode(code);
    given::<User>(&[alice(), made.clone()])
        .when(use_it.clone())
        .then(std::slice::from_ref(&used));
    given::<User>(&[alice(), made, used])
        .when(use_it)
        .rejected(&Rejection::RecoveryCode);
}

#[test]
fn a_sign_in_is_told_of_from_where_it_is_new_and_few_are_remembered() {
    let device = |number: u8| Device([number; 16]);
    let seen = |number, first| Event::DeviceSeen {
        device: device(number),
        name: "Firefox on Linux".into(),
        first,
    };
    let sign_in = |number| Command::SignIn {
        device: device(number),
        name: "Firefox on Linux".into(),
    };
    given::<User>(&[alice()])
        .when(sign_in(1))
        .then(&[seen(1, true)]);
    let mut known = vec![alice(), seen(1, true)];
    given::<User>(&known).when(sign_in(1)).then(&[]);
    given::<User>(&known)
        .when(sign_in(2))
        .then(&[seen(2, false)]);
    let others = u8::try_from(MOST_DEVICES).unwrap() + 1;
    known.extend((2..=others).map(|number| seen(number, false)));
    given::<User>(&known)
        .when(sign_in(1))
        .then(&[seen(1, false)]);
    given::<User>(&known).when(sign_in(2)).then(&[]);
}
