//! Passwords that change, the ways back for who forgot one, and the second factor.
//!
//! Before: `api::sign_in`. After: [`domain::user`].

use domain::id::MemberId;
use domain::user::{
    CODES, CodeHash, Command, Credentials, Device, Name, RecoveryCode, Rejection, TotpSecret, User,
};
use domain::{Actor, Permission, Purpose};

use crate::user::Member;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Changes how a member proves to know the password; that they know the present one was proved.
    pub async fn change_credentials(
        &self,
        by: MemberId,
        credentials: Credentials,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let command = Command::ChangeCredentials { credentials };
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done { of: (), position })
    }

    /// Changes how a member proves to know the password, at the command line.
    pub async fn reset_credentials(
        &self,
        name: &Name,
        credentials: Credentials,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let member = self.member_named(name).await?.ok_or(Refusal::NotFound)?.id;
        let command = Command::ChangeCredentials { credentials };
        let position = self
            .execute::<User>(member.0, command, self.frame(Actor::Operator))
            .await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    /// Makes a member's recovery codes and gives them, which nobody can tell again; earlier ones are
    /// void.
    pub async fn make_recovery_codes(
        &self,
        by: MemberId,
    ) -> Result<Done<Vec<RecoveryCode>>, Refusal<Rejection>> {
        let new = || {
            let mut random = [0; 10];
            self.random.fill(&mut random);
            RecoveryCode::new(random)
        };
        let codes: Vec<RecoveryCode> = std::iter::repeat_with(new).take(CODES).collect();
        let kept = codes.iter().map(|code| self.code_hash(by, code)).collect();
        let frame = self.frame(Actor::Member(by));
        let command = Command::MakeRecoveryCodes(kept);
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done {
            of: codes,
            position,
        })
    }

    /// Lets a member back in by a code, with another password; gives who it is.
    pub async fn recover(
        &self,
        name: &Name,
        code: &RecoveryCode,
        credentials: Credentials,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let member = self.member_named(name).await?.ok_or(Refusal::NotFound)?.id;
        let code = self.code_hash(member, code);
        let command = Command::Recover { code, credentials };
        let frame = self.frame(Actor::Member(member));
        let position = self.execute::<User>(member.0, command, frame).await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    /// Tells whether a member may come back by a code.
    pub fn is_recovery_code(&self, member: &Member, code: &RecoveryCode) -> bool {
        member.recovery.contains(&self.code_hash(member.id, code))
    }

    /// Lets a member sign in by a recovery code in place of the device.
    pub async fn use_recovery_code(
        &self,
        by: MemberId,
        code: &RecoveryCode,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let command = Command::UseRecoveryCode(self.code_hash(by, code));
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done { of: (), position })
    }

    /// Notes that a member signs in from somewhere: a kind of browser in a network. Where that is new, they
    /// are told.
    pub async fn sign_in_from(
        &self,
        by: MemberId,
        name: String,
        network: &[u8],
    ) -> Result<(), Refusal<Rejection>> {
        let message = [
            b"device ",
            by.0.as_bytes().as_slice(),
            network,
            name.as_bytes(),
        ]
        .concat();
        let mac = self.keys.mac(Purpose::Address, &message);
        let device = Device(mac.first_chunk().copied().unwrap_or_default());
        let command = Command::SignIn { device, name };
        let frame = self.frame(Actor::Member(by));
        self.execute::<User>(by.0, command, frame).await?;
        Ok(())
    }

    /// Asks a member's sign-ins for a code of their device; that they have it was proved by the code of a step.
    pub async fn enable_second_factor(
        &self,
        by: MemberId,
        secret: TotpSecret,
        step: i64,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let command = Command::SecondFactor(Some((secret, step)));
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done { of: (), position })
    }

    /// Spends a code of a member's device, by its step; it is good once, on all nodes and after a restart.
    pub async fn use_device_code(
        &self,
        by: MemberId,
        step: i64,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let frame = self.frame(Actor::Member(by));
        let command = Command::UseDeviceCode(step);
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done { of: (), position })
    }

    /// Asks a member's sign-ins for no code of a device; others than themself, who must be administrators, end
    /// all that there is of a second factor.
    pub async fn disable_second_factor(
        &self,
        by: Actor,
        member: MemberId,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let mut frame = self.frame(by);
        let command = if by == Actor::Member(member) {
            Command::SecondFactor(None)
        } else {
            if let Actor::Member(by) = by {
                self.require(by, Permission::Administer).await?;
            }
            let held = self.member(member).await?.ok_or(Refusal::NotFound)?;
            let keys = held.security_keys.iter();
            frame.releases = keys.map(|one| self.key_claim(&one.key.id)).collect();
            Command::EndSecondFactor
        };
        let position = self.execute::<User>(member.0, command, frame).await?;
        Ok(Done { of: (), position })
    }

    fn code_hash(&self, of: MemberId, code: &RecoveryCode) -> CodeHash {
        let message = format!("recovery {of} {}", code.reveal());
        CodeHash(self.keys.mac(Purpose::ApiKey, message.as_bytes()))
    }
}
