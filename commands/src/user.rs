//! Joining, signing in, the passkey.
//!
//! Before: `api::sign_in`. After: [`domain::user`].

use std::collections::BTreeSet;

use domain::id::{MemberId, RoleId, SITE};
use domain::passkey::Passkey;
use domain::role::OwnRole;
use domain::site::Site;
use domain::user::{
    Ban, CodeHash, Command, Credentials, HeldKey, Name, Rejection, Role, TotpSecret, User, Welcome,
};
use domain::{Actor, Permission, Permissions};

use crate::ports::{Claim, Unavailable};
use crate::{Commands, Done, Refusal, invite};

/// What a stranger brings to join.
#[derive(Debug, Clone)]
pub struct Join {
    /// The wanted name.
    pub name: Name,
    /// How the member will prove to know the password.
    pub credentials: Credentials,
}

/// How somebody joins.
pub(crate) struct Joining {
    pub(crate) member: MemberId,
    pub(crate) actor: Actor,
    pub(crate) role: Role,
    pub(crate) welcome: Welcome,
    /// What else must be free, such as the invite.
    pub(crate) claims: Vec<Claim>,
}

/// The invites of the first administrator.
const FOUNDERS_INVITES: u32 = 10;

/// A member as the aggregate knows them.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who it is.
    pub id: MemberId,
    /// The name as the member writes it.
    pub name: Name,
    /// What the member may do.
    pub role: Role,
    /// The site's own roles that were granted, whether they are retired or not.
    pub roles: BTreeSet<RoleId>,
    /// How the member proves to know the password.
    pub credentials: Credentials,
    /// The secret of the announce URL.
    pub passkey: Passkey,
    /// The last ban that wasn't lifted, whether it is over or not.
    pub ban: Option<Ban>,
    /// The recovery codes that are left.
    pub recovery: BTreeSet<CodeHash>,
    /// What the member's device and the site share, where there is a second factor.
    pub totp_secret: Option<TotpSecret>,
    /// The keys that prove a sign-in, in the order in which they were added.
    pub security_keys: Vec<HeldKey>,
}

impl Member {
    /// Tells whether a sign-in asks for more than the password.
    pub fn has_second_factor(&self) -> bool {
        self.totp_secret.is_some() || !self.security_keys.is_empty()
    }
}

impl Commands {
    /// Makes the first administrator; of many at once, one wins, and afterwards nobody.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
    pub async fn set_up(&self, join: Join) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let founder = self.claim("founder", b"");
        if self.log.holder(&founder).await?.is_some() {
            return Err(Refusal::Forbidden);
        }
        let member = MemberId(self.new_id());
        let joining = Joining {
            member,
            actor: Actor::Member(member),
            role: Role::Administrator,
            welcome: Welcome {
                invites: FOUNDERS_INVITES,
                ..Welcome::default()
            },
            claims: vec![founder],
        };
        let made = self.join(joining, join).await;
        made.map_err(|refusal| match refusal {
            Refusal::Taken {
                scope: "founder", ..
            } => Refusal::Forbidden,
            other => other,
        })
    }

    /// Tells whether the first administrator was made.
    pub async fn is_set_up(&self) -> Result<bool, Unavailable> {
        Ok(self
            .log
            .holder(&self.claim("founder", b""))
            .await?
            .is_some())
    }

    /// Makes a member at the command line, whatever the site lets strangers do.
    pub async fn create_member(
        &self,
        join: Join,
        role: Role,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let member = MemberId(self.new_id());
        if role != Role::Administrator {
            return self.join_as(member, role, join, vec![]).await;
        }
        let position = self
            .in_turn(|turn| {
                let join = join.clone();
                Box::pin(async move {
                    let founder = self.claim("founder", b"");
                    let first = self.log.holder(&founder).await?.is_none();
                    let claims = first.then_some(founder).into_iter().chain([turn]);
                    let made = self.join_as(member, role, join, claims.collect()).await?;
                    Ok(made.position)
                })
            })
            .await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    async fn join_as(
        &self,
        member: MemberId,
        role: Role,
        join: Join,
        claims: Vec<Claim>,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let site: Site = self.load(SITE).await?;
        let joining = Joining {
            member,
            actor: Actor::Operator,
            role,
            welcome: invite::welcome(&site),
            claims,
        };
        self.join(joining, join).await
    }

    /// Gives the member of a name, as the aggregate knows them.
    pub async fn member_named(&self, name: &Name) -> Result<Option<Member>, Unavailable> {
        match self.log.holder(&self.name_claim(name)).await? {
            Some(stream) => self.member(MemberId(stream)).await,
            None => Ok(None),
        }
    }

    /// Gives a member, as the aggregate knows them.
    pub async fn member(&self, id: MemberId) -> Result<Option<Member>, Unavailable> {
        Ok(match self.load::<User>(id.0).await? {
            User::Unknown | User::Erased {} => None,
            User::Registered {
                name,
                role,
                roles,
                credentials,
                passkey,
                ban,
                recovery,
                totp_secret,
                security_keys,
                ..
            } => Some(Member {
                id,
                name,
                role,
                roles,
                credentials,
                passkey,
                ban,
                recovery,
                totp_secret,
                security_keys,
            }),
        })
    }

    /// Gives the member another announce URL; the old one is void at once.
    pub async fn reset_passkey(&self, by: MemberId) -> Result<Done<Passkey>, Refusal<Rejection>> {
        let held = self.member(by).await?.ok_or(Refusal::NotFound)?.passkey;
        let passkey = self.new_passkey();
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(self.passkey_claim(&passkey));
        frame.releases.push(self.passkey_claim(&held));
        let command = Command::ResetPasskey {
            passkey: passkey.clone(),
        };
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done {
            of: passkey,
            position,
        })
    }

    /// Tells what a member may do, by the aggregate.
    pub async fn permissions(&self, member: MemberId) -> Result<Permissions, Unavailable> {
        let Some(member) = self.member(member).await? else {
            return Ok(Permissions::default());
        };
        let mut all = member.role.permissions();
        for role in member.roles {
            let role: OwnRole = self.load(role.0).await?;
            all = all.and(role.permissions());
        }
        Ok(all)
    }

    /// Refuses who may not.
    pub(crate) async fn require<R: std::error::Error>(
        &self,
        by: MemberId,
        permission: Permission,
    ) -> Result<(), Refusal<R>> {
        if self.permissions(by).await?.has(permission) {
            Ok(())
        } else {
            Err(Refusal::Forbidden)
        }
    }

    pub(crate) async fn join(
        &self,
        joining: Joining,
        join: Join,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let passkey = self.new_passkey();
        let mut frame = self.frame(joining.actor);
        frame.claims = joining.claims;
        frame.claims.push(self.name_claim(&join.name));
        frame.claims.push(self.looks_claim(&join.name));
        frame.claims.push(self.passkey_claim(&passkey));
        let Join { name, credentials } = join;
        let command = Command::Register {
            name,
            role: joining.role,
            credentials,
            passkey,
            welcome: joining.welcome,
        };
        let member = joining.member;
        let position = self.execute::<User>(member.0, command, frame).await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    pub(crate) fn name_claim(&self, name: &Name) -> Claim {
        self.claim("username", name.folded().as_bytes())
    }

    pub(crate) fn looks_claim(&self, name: &Name) -> Claim {
        self.claim("look-alike", name.looks().as_bytes())
    }

    pub(crate) fn passkey_claim(&self, passkey: &Passkey) -> Claim {
        self.claim("passkey", passkey.reveal().as_bytes())
    }

    fn new_passkey(&self) -> Passkey {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        Passkey::new(bytes)
    }
}
