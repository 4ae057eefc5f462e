//! Passwords that change, and the ways back for who forgot one.
//!
//! Before: `api::sign_in`. After: [`domain::user`].

use domain::id::MemberId;
use domain::user::{CODES, CodeHash, Command, Credentials, Name, RecoveryCode, Rejection, User};
use domain::{Actor, Purpose};

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

    fn code_hash(&self, of: MemberId, code: &RecoveryCode) -> CodeHash {
        let message = format!("recovery {of} {}", code.reveal());
        CodeHash(self.keys.mac(Purpose::ApiKey, message.as_bytes()))
    }
}
