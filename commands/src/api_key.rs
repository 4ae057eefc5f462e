//! API keys: a member makes and revokes their own.
//!
//! Before: `api::web::api_key`. After: [`domain::api_key`].

use domain::api_key::{ApiKeys, Command, Rejection, Scope, Text};
use domain::id::{ApiKeyId, MemberId};
use domain::{Actor, Purpose};

use crate::{Commands, Done, Refusal};

impl Commands {
    /// Makes a key and gives its text, which nobody can tell again.
    pub async fn make_api_key(
        &self,
        by: MemberId,
        label: &str,
        scopes: Vec<Scope>,
    ) -> Result<Done<Text>, Refusal<Rejection>> {
        self.member(by).await?.ok_or(Refusal::NotFound)?;
        let mut random = [0; 32];
        self.random.fill(&mut random);
        let text = Text::new(random);
        let command = Command::Make {
            key: ApiKeyId(self.new_id()),
            label: label.to_owned(),
            scopes,
            hash: self.api_key_hash(text.reveal()),
        };
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<ApiKeys>(by.0, command, frame).await?;
        Ok(Done { of: text, position })
    }

    /// Lets a key of the member act no longer.
    pub async fn revoke_api_key(
        &self,
        by: MemberId,
        key: ApiKeyId,
    ) -> Result<Done<ApiKeyId>, Refusal<Rejection>> {
        let frame = self.frame(Actor::Member(by));
        let command = Command::Revoke { key };
        let position = self.execute::<ApiKeys>(by.0, command, frame).await?;
        Ok(Done { of: key, position })
    }

    /// Gives the keyed hash under which a key's text is known.
    pub fn api_key_hash(&self, text: &str) -> [u8; 32] {
        self.keys.mac(Purpose::ApiKey, text.as_bytes())
    }
}
