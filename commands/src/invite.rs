//! Inviting people: making, voiding and granting invites, and joining by one.
//!
//! Before: `api::web::invite` and `src/serve/invite.rs`. After: [`domain::user`]. An invite is used or
//! voided once, whoever is first: both claim it in their append.

use domain::id::{InviteId, MemberId, SITE};
use domain::invite::{Code, InvitedBy};
use domain::setting::Key;
use domain::site::{Registration, Site};
use domain::user::{Command, Rejection, Role, User, Welcome};
use domain::{Actor, Permission};

use crate::ports::{Claim, Unavailable};
use crate::user::{Join, Joining};
use crate::{Commands, Done, Refusal};

/// The claim of whoever uses or voids an invite.
const USE: &str = "invite";

impl Commands {
    /// Lets a stranger join as a member, as the site lets strangers; with an invite's code where one is
    /// brought. `now` is in seconds since 1970.
    pub async fn register(
        &self,
        join: Join,
        code: Option<&Code>,
        now: i64,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        if join.name.is_reserved() {
            return Err(Refusal::Rejected(Rejection::NameReserved));
        }
        let site: Site = self.load(SITE).await?;
        let invited_by = match (site.registration, code) {
            (Registration::Closed, _) | (Registration::ByInvite, None) => {
                return Err(Refusal::Forbidden);
            }
            (Registration::Open, None) => None,
            (Registration::Open | Registration::ByInvite, Some(code)) => {
                Some(self.invited_by(code, now).await?)
            }
        };
        let member = MemberId(self.new_id());
        let joining = Joining {
            member,
            actor: Actor::Member(member),
            role: Role::Member,
            welcome: Welcome {
                invited_by,
                ..welcome(&site)
            },
            claims: invited_by.iter().map(|by| self.used(by.invite)).collect(),
        };
        self.join(joining, join).await.map_err(used_before)
    }

    /// Says whose invite a code is of, if it still holds.
    async fn invited_by(&self, code: &Code, now: i64) -> Result<InvitedBy, Refusal<Rejection>> {
        let unknown = || Refusal::Rejected(Rejection::InviteUnknown);
        let holder = self.log.holder(&self.code_claim(code)).await?;
        let member = MemberId(holder.ok_or_else(unknown)?);
        let User::Registered { issued, ban, .. } = self.load(member.0).await? else {
            return Err(unknown());
        };
        let found = issued.iter().find(|(_, invite)| invite.code == *code);
        let (invite, issued) = found.ok_or_else(unknown)?;
        if ban.is_some_and(|ban| ban.holds(now)) {
            return Err(unknown());
        }
        if now >= issued.expires {
            return Err(Refusal::Rejected(Rejection::InviteOver));
        }
        let invite = *invite;
        Ok(InvitedBy { member, invite })
    }

    /// Makes an invite, and gives its code; `now` is in seconds since 1970.
    pub async fn invite(&self, by: MemberId, now: i64) -> Result<Done<Code>, Refusal<Rejection>> {
        let site: Site = self.load(SITE).await?;
        let mut random = [0; 16];
        self.random.fill(&mut random);
        let code = Code::new(random);
        let holds = i64::try_from(site.settings.count(Key::InviteTime)).unwrap_or(i64::MAX);
        let command = Command::Invite {
            invite: InviteId(self.new_id()),
            code: code.clone(),
            expires: now.saturating_add(holds),
        };
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(self.code_claim(&code));
        let position = self.execute::<User>(by.0, command, frame).await?;
        Ok(Done { of: code, position })
    }

    /// Gives the codes of the invites that a member made and that weren't voided.
    pub async fn invite_codes(
        &self,
        member: MemberId,
    ) -> Result<Vec<(InviteId, Code)>, Unavailable> {
        Ok(match self.load(member.0).await? {
            User::Unknown | User::Erased {} => vec![],
            User::Registered { issued, .. } => issued
                .into_iter()
                .map(|(invite, issued)| (invite, issued.code))
                .collect(),
        })
    }

    /// Voids an invite that nobody used; it comes back to who made it.
    pub async fn revoke_invite(
        &self,
        by: MemberId,
        invite: InviteId,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let voided = self.void(by, invite, Actor::Member(by), None).await;
        voided.map_err(|refusal| {
            if matches!(refusal, Refusal::Rejected(Rejection::InviteUnknown)) {
                return Refusal::NotFound;
            }
            refusal
        })
    }

    /// Voids an invite whose time is over by now, in seconds since 1970.
    pub async fn expire_invite(
        &self,
        issuer: MemberId,
        invite: InviteId,
        now: i64,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        self.void(issuer, invite, Actor::System, Some(now)).await
    }

    async fn void(
        &self,
        issuer: MemberId,
        invite: InviteId,
        actor: Actor,
        over: Option<i64>,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let mut frame = self.frame(actor);
        frame.claims.push(self.used(invite));
        let command = Command::Revoke { invite, over };
        let voided = self.execute::<User>(issuer.0, command, frame).await;
        let position = voided.map_err(used_before)?;
        Ok(Done { of: (), position })
    }

    /// Lets a member invite more people; who may grant invites does.
    pub async fn grant_invites(
        &self,
        by: MemberId,
        member: MemberId,
        count: u32,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        self.require(by, Permission::Invites).await?;
        let (command, frame) = (Command::GrantInvites(count), self.frame(Actor::Member(by)));
        let position = self.execute::<User>(member.0, command, frame).await?;
        Ok(Done { of: (), position })
    }

    fn used(&self, invite: InviteId) -> Claim {
        self.claim(USE, invite.0.as_bytes())
    }

    pub(crate) fn code_claim(&self, code: &Code) -> Claim {
        self.claim("invite code", code.reveal().as_bytes())
    }
}

/// Says of a claim that is taken that the invite was used.
fn used_before(refusal: Refusal<Rejection>) -> Refusal<Rejection> {
    if matches!(refusal, Refusal::Taken { scope: USE, .. }) {
        return Refusal::Rejected(Rejection::InviteUsed);
    }
    refusal
}

/// What the site gives a new member.
pub(crate) fn welcome(site: &Site) -> Welcome {
    let settings = &site.settings;
    Welcome {
        credit: settings.bytes(Key::StarterUpload),
        invites: u32::try_from(settings.count(Key::DefaultInvites)).unwrap_or(u32::MAX),
        invited_by: None,
    }
}
