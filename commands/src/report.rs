//! Reporting what is wrong, and handling it.
//!
//! Before: `api::web::report`. After: [`domain::report`].

use domain::comment::Comment;
use domain::id::{MemberId, ReportId};
use domain::report::{Act, Case, Command, Filing, Reason, Rejection, Report, Target};
use domain::torrent::Torrent;
use domain::{Actor, Permission};

use crate::ports::Claim;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Reports something that the member sees; refused as `Taken` with their report while one of the same
    /// thing is open.
    pub async fn report(
        &self,
        by: MemberId,
        target: Target,
        reason: Reason,
        text: String,
    ) -> Result<Done<ReportId>, Refusal<Rejection>> {
        let about = self.reportable(by, target).await?;
        let report = ReportId(self.new_id());
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(self.report_claim(by, target));
        let command = Command::File(Filing {
            by,
            target,
            about,
            reason,
            text,
        });
        let position = self.execute::<Report>(report.0, command, frame).await?;
        Ok(Done {
            of: report,
            position,
        })
    }

    /// Takes a report, notes something about it, or closes it; who handles reports may, and never what is
    /// about themselves.
    pub async fn handle_report(
        &self,
        by: MemberId,
        report: ReportId,
        act: Act,
    ) -> Result<Done<ReportId>, Refusal<Rejection>> {
        self.require(by, Permission::Reports).await?;
        let Report::Filed(case) = self.load(report.0).await? else {
            return Err(Refusal::NotFound);
        };
        let mut frame = self.frame(Actor::Member(by));
        if let Act::Close(..) = act {
            let Case { filing, .. } = case;
            frame
                .releases
                .push(self.report_claim(filing.by, filing.target));
        }
        let command = Command::Handle { by, act };
        let position = self.execute::<Report>(report.0, command, frame).await?;
        Ok(Done {
            of: report,
            position,
        })
    }

    /// Tells whose something is that a member sees and may report.
    async fn reportable(
        &self,
        by: MemberId,
        target: Target,
    ) -> Result<MemberId, Refusal<Rejection>> {
        let gone = Refusal::Rejected(Rejection::Gone);
        match target {
            Target::Torrent(id) => match self.load(id.0).await? {
                Torrent::Withdrawn { .. } => Err(gone),
                Torrent::Unknown | Torrent::Offered(_) | Torrent::Held { .. } => {
                    let seen = self.offered(by, id).await?;
                    Ok(seen.ok_or(Refusal::NotFound)?.uploader)
                }
            },
            Target::Member(id) => {
                let member = self.member(id).await?;
                Ok(member.ok_or(Refusal::NotFound)?.id)
            }
            Target::Post { topic, post } => {
                let found = self.topic_seen_by(by, topic).await?;
                let (_, thread) = found.ok_or(Refusal::NotFound)?;
                let post = thread.posts.get(&post).ok_or(Refusal::NotFound)?;
                if thread.removed.is_some() || post.removed.is_some() {
                    return Err(gone);
                }
                Ok(post.author)
            }
            Target::Comment(id) => match self.load(id.0).await? {
                Comment::Unknown => Err(Refusal::NotFound),
                Comment::Removed { .. } => Err(gone),
                Comment::Shown(said) => {
                    let seen = self.offered(by, said.torrent).await?;
                    seen.ok_or(Refusal::NotFound)?;
                    Ok(said.author)
                }
            },
        }
    }

    /// Names a member's open report of something.
    fn report_claim(&self, by: MemberId, target: Target) -> Claim {
        let words = format!("{by}/{}/{}", target.kind().name(), target.id());
        self.claim("report", words.as_bytes())
    }
}
