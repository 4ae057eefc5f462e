//! Security keys: what proves a sign-in beside the password.
//!
//! Before: `api::sign_in::security_key`, which checks what a key signed. After: [`domain::user`].

use domain::Actor;
use domain::id::MemberId;
use domain::user::{Command, KeyCommand, Opaque, Rejection, SecurityKey, User};

use crate::ports::Claim;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Lets a key of a member's prove their sign-ins; that they have it was proved. Nobody else has it.
    pub async fn add_security_key(
        &self,
        by: MemberId,
        key: SecurityKey,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let claims = vec![self.key_claim(&key.id)];
        self.on_keys(by, KeyCommand::Add(key), (claims, vec![]))
            .await
    }

    /// Notes that a member signs in by a key, and how often it has signed; refuses a copy.
    pub async fn use_security_key(
        &self,
        by: MemberId,
        id: &Opaque,
        counter: u32,
        at: i64,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let id = id.clone();
        let used = KeyCommand::Use { id, counter, at };
        self.on_keys(by, used, (vec![], vec![])).await
    }

    /// Lets a key of a member's prove nothing from here on.
    pub async fn remove_security_key(
        &self,
        by: MemberId,
        id: Opaque,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let releases = vec![self.key_claim(&id)];
        self.on_keys(by, KeyCommand::Remove(id), (vec![], releases))
            .await
    }

    async fn on_keys(
        &self,
        by: MemberId,
        asked: KeyCommand,
        (claims, releases): (Vec<Claim>, Vec<Claim>),
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let mut frame = self.frame(Actor::Member(by));
        (frame.claims, frame.releases) = (claims, releases);
        let command = Command::SecurityKey(asked);
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done { of: (), position })
    }

    pub(crate) fn key_claim(&self, id: &Opaque) -> Claim {
        self.claim("security-key", &id.0)
    }
}
