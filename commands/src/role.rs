//! Roles: the built-in ones, which administrators assign, and the site's own.
//!
//! Whoever changes a role, or who has it, takes the next turn: of two at once, one decides anew. So what
//! is looked up of others before deciding, such as what who asks may do, still holds in the append.
//!
//! Before: `api::web::staff::roles`, `api::web::profile`. After: [`domain::role`], [`domain::user`].

use std::pin::Pin;

use domain::id::{MemberId, RoleId};
use domain::role::{Command, Mandate, OwnRole, Rejection};
use domain::user::{self, MOST_ROLES, Role, User};
use domain::{Actor, Permission, Permissions, Position};

use crate::ports::{Claim, Unavailable};
use crate::{Commands, Done, Refusal};

/// The scope in which changes of roles are numbered.
const TURN: &str = "role";
/// How often a change that came late is tried again.
const TRIES: usize = 5;

/// A try of something that takes a turn.
pub(crate) type Tried<'a, R> =
    Pin<Box<dyn Future<Output = Result<Position, Refusal<R>>> + Send + 'a>>;

impl Commands {
    /// Makes a role; it lets nobody do what its maker may not.
    pub async fn create_role(
        &self,
        by: MemberId,
        mandate: Mandate,
    ) -> Result<Done<RoleId>, Refusal<Rejection>> {
        let role = RoleId(self.new_id());
        let position = self
            .in_turn(|turn| {
                let mandate = mandate.clone();
                Box::pin(async move {
                    let may = self.may_make_roles(by).await?;
                    let mut frame = self.frame(Actor::Member(by));
                    frame.claims.push(turn);
                    frame.claims.extend(self.names(&mandate));
                    let command = Command::Create { mandate, may };
                    self.execute::<OwnRole>(role.0, command, frame).await
                })
            })
            .await?;
        Ok(Done { of: role, position })
    }

    /// Gives a role another name, colour or reach.
    pub async fn change_role(
        &self,
        by: MemberId,
        role: RoleId,
        mandate: Mandate,
    ) -> Result<Done<RoleId>, Refusal<Rejection>> {
        let position = self
            .in_turn(|turn| Box::pin(self.turn_role(by, role, Some(mandate.clone()), turn)))
            .await?;
        Ok(Done { of: role, position })
    }

    /// Takes a role from everybody for good; its name is free.
    pub async fn retire_role(
        &self,
        by: MemberId,
        role: RoleId,
    ) -> Result<Done<RoleId>, Refusal<Rejection>> {
        let position = self
            .in_turn(|turn| Box::pin(self.turn_role(by, role, None, turn)))
            .await?;
        Ok(Done { of: role, position })
    }

    /// Changes or retires a role. Which name is free afterwards is decided on by the role itself: it
    /// refuses where it has another one than was looked up.
    async fn turn_role(
        &self,
        by: MemberId,
        role: RoleId,
        to: Option<Mandate>,
        turn: Claim,
    ) -> Result<Position, Refusal<Rejection>> {
        let may = self.may_make_roles(by).await?;
        let now = match self.load(role.0).await? {
            OwnRole::Unknown => return Err(Refusal::NotFound),
            OwnRole::Retired => return Err(Refusal::Rejected(Rejection::Retired)),
            OwnRole::Open(now) => now,
        };
        let had = self.names(&now);
        let wanted: Vec<Claim> = to.iter().flat_map(|to| self.names(to)).collect();
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(turn);
        let taken = wanted.iter().filter(|claim| !had.contains(claim));
        frame.claims.extend(taken.cloned());
        let given_up = had.iter().filter(|claim| !wanted.contains(claim));
        frame.releases.extend(given_up.cloned());
        let held = now.name;
        let command = match to {
            Some(mandate) => Command::Change { mandate, may, held },
            None => Command::Retire { may, held },
        };
        self.execute::<OwnRole>(role.0, command, frame).await
    }

    /// Gives a member one of the site's own roles, or takes it away; nobody does so with one that
    /// reaches further than they do, and only administrators with administrators.
    pub async fn hand_role(
        &self,
        by: MemberId,
        member: MemberId,
        role: RoleId,
        granted: bool,
    ) -> Result<Done<MemberId>, Refusal<user::Rejection>> {
        let position = self
            .in_turn(|turn| Box::pin(self.hand(by, member, (role, granted), turn)))
            .await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    async fn hand(
        &self,
        by: MemberId,
        member: MemberId,
        (role, granted): (RoleId, bool),
        turn: Claim,
    ) -> Result<Position, Refusal<user::Rejection>> {
        let may = self.permissions(by).await?;
        let theirs = self.permissions(member).await?;
        let reaches = self.load::<OwnRole>(role.0).await?;
        let below = !theirs.has(Permission::Administer) || may.has(Permission::Administer);
        if !may.has(Permission::Roles) || !reaches.permissions().are_within(may) || !below {
            return Err(Refusal::Forbidden);
        }
        if granted && !matches!(reaches, OwnRole::Open(_)) {
            return Err(Refusal::NotFound);
        }
        if granted && self.has_enough(member, role).await? {
            return Err(Refusal::Rejected(user::Rejection::TooManyRoles));
        }
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(turn);
        let command = if granted {
            user::Command::GrantRole(role)
        } else {
            user::Command::WithdrawRole(role)
        };
        self.execute::<User>(member.0, command, frame).await
    }

    /// Tells whether a member has as many other roles as anybody may; what is retired doesn't count.
    async fn has_enough(
        &self,
        member: MemberId,
        but: RoleId,
    ) -> Result<bool, Refusal<user::Rejection>> {
        let held = self.member(member).await?.ok_or(Refusal::NotFound)?.roles;
        let mut open = 0;
        for role in held.iter().filter(|role| **role != but) {
            open += usize::from(matches!(self.load(role.0).await?, OwnRole::Open(_)));
        }
        Ok(open >= MOST_ROLES)
    }

    /// Gives a member another built-in role; administrators may, but not to themselves, and the operator
    /// may, but not to the last administrator: so one is left.
    pub async fn assign_role(
        &self,
        by: Actor,
        member: MemberId,
        role: Role,
    ) -> Result<Done<MemberId>, Refusal<user::Rejection>> {
        let position = self
            .in_turn(|turn| Box::pin(self.assign(by, member, role, turn)))
            .await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    async fn assign(
        &self,
        by: Actor,
        member: MemberId,
        role: Role,
        turn: Claim,
    ) -> Result<Position, Refusal<user::Rejection>> {
        match by {
            Actor::Member(by) => {
                if by == member || !self.permissions(by).await?.has(Permission::Administer) {
                    return Err(Refusal::Forbidden);
                }
            }
            Actor::Operator | Actor::System => {
                if role != Role::Administrator && self.is_last_administrator(member).await? {
                    return Err(Refusal::Rejected(user::Rejection::LastAdministrator));
                }
            }
        }
        let mut frame = self.frame(by);
        frame.claims.push(turn);
        let command = user::Command::AssignRole { role };
        self.execute::<User>(member.0, command, frame).await
    }

    /// Tells whether a member is an administrator, and nobody else is: of those who ever became one. Who
    /// was made one at the command line before roles took turns counts from their next assignment on.
    async fn is_last_administrator(&self, member: MemberId) -> Result<bool, Unavailable> {
        if !self.is_administrator(member).await? {
            return Ok(false);
        }
        let mut turn = 0_u64;
        let mut next = self.log.holder(&self.claim("founder", b"")).await?;
        while let Some(stream) = next {
            let other = MemberId(stream);
            if other != member && self.is_administrator(other).await? {
                return Ok(false);
            }
            turn += 1;
            next = self.log.holder(&self.turn(turn)).await?;
        }
        Ok(true)
    }

    async fn is_administrator(&self, member: MemberId) -> Result<bool, Unavailable> {
        let member = self.member(member).await?;
        Ok(member.is_some_and(|member| member.role == Role::Administrator))
    }

    async fn may_make_roles(&self, by: MemberId) -> Result<Permissions, Refusal<Rejection>> {
        let may = self.permissions(by).await?;
        if may.has(Permission::Roles) {
            Ok(may)
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// Claims a role's name: as it is compared, and as it looks.
    fn names(&self, mandate: &Mandate) -> [Claim; 2] {
        [
            self.claim("role name", mandate.folded().as_bytes()),
            self.claim("role look-alike", mandate.looks().as_bytes()),
        ]
    }

    /// Takes the next turn, anew where somebody else was faster.
    pub(crate) async fn in_turn<'a, R: std::error::Error>(
        &'a self,
        attempt: impl Fn(Claim) -> Tried<'a, R> + Send + Sync,
    ) -> Result<Position, Refusal<R>> {
        for _ in 0..TRIES {
            // Taken before the look at who may: whoever changes a role meanwhile takes it away.
            let turn = self.next_turn().await?;
            match attempt(turn).await {
                Err(Refusal::Taken { scope: TURN, .. }) => {}
                // What was looked up may be otherwise than when this very request was answered.
                Err(refusal) => return self.first_answer().await?.ok_or(refusal),
                done => return done,
            }
        }
        Err(Refusal::Conflict)
    }

    fn turn(&self, number: u64) -> Claim {
        self.claim(TURN, &number.to_be_bytes())
    }

    /// Gives the claim of the next change of roles on this site: they are numbered from 1 on.
    pub(crate) async fn next_turn(&self) -> Result<Claim, Unavailable> {
        let (mut taken, mut free) = (0, 1);
        while self.log.holder(&self.turn(free)).await?.is_some() {
            (taken, free) = (free, free * 2);
        }
        while free - taken > 1 {
            let middle = taken.midpoint(free);
            match self.log.holder(&self.turn(middle)).await? {
                Some(_) => taken = middle,
                None => free = middle,
            }
        }
        Ok(self.turn(free))
    }
}
