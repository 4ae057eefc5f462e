//! Joining, signing in, the passkey.
//!
//! Before: `api::sign_in`. After: [`domain::user`].

use domain::passkey::Passkey;
use domain::site::{Registration, Site};
use domain::user::{Command, Credentials, Name, Rejection, Role, User};
use domain::{Actor, Permission, Permissions, id::MemberId};

use crate::ports::{Claim, Unavailable};
use crate::{Commands, Done, Refusal};

/// What a stranger brings to join.
#[derive(Debug, Clone)]
pub struct Join {
    /// The wanted name.
    pub name: Name,
    /// How the member will prove to know the password.
    pub credentials: Credentials,
}

/// A member as the aggregate knows them.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who it is.
    pub id: MemberId,
    /// The name as the member writes it.
    pub name: Name,
    /// What the member may do.
    pub role: Role,
    /// How the member proves to know the password.
    pub credentials: Credentials,
    /// The secret of the announce URL.
    pub passkey: Passkey,
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
        let made = self
            .join(
                member,
                Actor::Member(member),
                Role::Administrator,
                join,
                Some(founder),
            )
            .await;
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

    /// Lets a stranger join as a member, where the site lets strangers register.
    pub async fn register(&self, join: Join) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let site: Site = self.load(domain::id::SITE).await?;
        if site.registration != Registration::Open {
            return Err(Refusal::Forbidden);
        }
        let member = MemberId(self.new_id());
        self.join(member, Actor::Member(member), Role::Member, join, None)
            .await
    }

    /// Makes a member at the command line, whatever the site lets strangers do.
    pub async fn create_member(
        &self,
        join: Join,
        role: Role,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let founder = self.claim("founder", b"");
        let first = role == Role::Administrator && self.log.holder(&founder).await?.is_none();
        let member = MemberId(self.new_id());
        self.join(
            member,
            Actor::Operator,
            role,
            join,
            first.then_some(founder),
        )
        .await
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
            User::Unknown => None,
            User::Registered {
                name,
                role,
                credentials,
                passkey,
            } => Some(Member {
                id,
                name,
                role,
                credentials,
                passkey,
            }),
        })
    }

    /// Gives the member another announce URL; the old one is void at once.
    pub async fn reset_passkey(&self, by: MemberId) -> Result<Done<Passkey>, Refusal<Rejection>> {
        let held = self.member(by).await?.ok_or(Refusal::NotFound)?.passkey;
        let passkey = self.new_passkey();
        let mut frame = self.frame(Actor::Member(by));
        frame
            .claims
            .push(self.claim("passkey", passkey.reveal().as_bytes()));
        frame
            .releases
            .push(self.claim("passkey", held.reveal().as_bytes()));
        let command = Command::ResetPasskey {
            passkey: passkey.clone(),
        };
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done {
            of: passkey,
            position,
        })
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

    /// Gives a member another role; administrators may, but not to themselves, so that one is left.
    pub async fn assign_role(
        &self,
        by: Actor,
        member: MemberId,
        role: Role,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let may = match by {
            Actor::Member(by) => {
                by != member && self.permissions(by).await?.has(Permission::Administer)
            }
            Actor::Operator | Actor::System => true,
        };
        if !may {
            return Err(Refusal::Forbidden);
        }
        let command = Command::AssignRole { role };
        let position = self
            .execute::<User>(member.0, command, self.frame(by))
            .await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    /// Tells what a member may do, by the aggregate.
    pub async fn permissions(&self, member: MemberId) -> Result<Permissions, Unavailable> {
        let member = self.member(member).await?;
        Ok(member.map_or_else(Permissions::default, |member| member.role.permissions()))
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

    async fn join(
        &self,
        member: MemberId,
        actor: Actor,
        role: Role,
        join: Join,
        founder: Option<Claim>,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let passkey = self.new_passkey();
        let mut frame = self.frame(actor);
        frame.claims.extend(founder);
        frame.claims.push(self.name_claim(&join.name));
        frame
            .claims
            .push(self.claim("passkey", passkey.reveal().as_bytes()));
        let Join { name, credentials } = join;
        let command = Command::Register {
            name,
            role,
            credentials,
            passkey,
        };
        let position = self.execute::<User>(member.0, command, frame).await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    fn name_claim(&self, name: &Name) -> Claim {
        self.claim("username", name.folded().as_bytes())
    }

    fn new_passkey(&self) -> Passkey {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        Passkey::new(bytes)
    }
}
