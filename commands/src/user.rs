//! Joining, signing in, the passkey.
//!
//! Before: `api::sign_in`. After: [`domain::user`].

use domain::id::{MemberId, SITE};
use domain::passkey::Passkey;
use domain::site::Site;
use domain::user::{Ban, Command, Credentials, Name, Rejection, Role, User, Welcome};
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
/// The scope in which assignments of roles are numbered.
const TURN: &str = "role";
/// How often an assignment that came late is tried again.
const TRIES: usize = 5;

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
    /// The last ban that wasn't lifted, whether it is over or not.
    pub ban: Option<Ban>,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
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
        let founder = self.claim("founder", b"");
        let first = role == Role::Administrator && self.log.holder(&founder).await?.is_none();
        let member = MemberId(self.new_id());
        let site: Site = self.load(SITE).await?;
        let joining = Joining {
            member,
            actor: Actor::Operator,
            role,
            welcome: invite::welcome(&site),
            claims: first.then_some(founder).into_iter().collect(),
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
            User::Unknown => None,
            User::Registered {
                name,
                role,
                credentials,
                passkey,
                ban,
                recovery,
                ..
            } => Some(Member {
                id,
                name,
                role,
                credentials,
                passkey,
                ban,
                recovery_codes: recovery.len(),
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

    /// Gives a member another role; administrators may, but not to themselves, so that one is left:
    /// of two who take each other's role at once, one is late.
    pub async fn assign_role(
        &self,
        by: Actor,
        member: MemberId,
        role: Role,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        for _ in 0..TRIES {
            // Taken before the look at who may: whoever assigns a role meanwhile takes it away.
            let turn = self.next_turn().await?;
            let may = match by {
                Actor::Member(by) => {
                    by != member && self.permissions(by).await?.has(Permission::Administer)
                }
                Actor::Operator | Actor::System => true,
            };
            if !may {
                return Err(Refusal::Forbidden);
            }
            let mut frame = self.frame(by);
            frame.claims.push(turn);
            let command = Command::AssignRole { role };
            match self.execute::<User>(member.0, command, frame).await {
                Err(Refusal::Taken { scope: TURN, .. }) => {}
                done => {
                    return done.map(|position| Done {
                        of: member,
                        position,
                    });
                }
            }
        }
        Err(Refusal::Conflict)
    }

    /// Gives the claim of the next assignment of a role on this site: they are numbered from 1 on.
    async fn next_turn(&self) -> Result<Claim, Unavailable> {
        let turn = |number: u64| self.claim(TURN, &number.to_be_bytes());
        let (mut taken, mut free) = (0, 1);
        while self.log.holder(&turn(free)).await?.is_some() {
            (taken, free) = (free, free * 2);
        }
        while free - taken > 1 {
            let middle = taken.midpoint(free);
            match self.log.holder(&turn(middle)).await? {
                Some(_) => taken = middle,
                None => free = middle,
            }
        }
        Ok(turn(free))
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

    pub(crate) async fn join(
        &self,
        joining: Joining,
        join: Join,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let passkey = self.new_passkey();
        let mut frame = self.frame(joining.actor);
        frame.claims = joining.claims;
        frame.claims.push(self.name_claim(&join.name));
        let looks = self.claim("look-alike", join.name.looks().as_bytes());
        frame.claims.push(looks);
        frame
            .claims
            .push(self.claim("passkey", passkey.reveal().as_bytes()));
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

    fn name_claim(&self, name: &Name) -> Claim {
        self.claim("username", name.folded().as_bytes())
    }

    fn new_passkey(&self) -> Passkey {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        Passkey::new(bytes)
    }
}
