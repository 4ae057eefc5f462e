//! Comments below torrents: written, edited, removed and restored.
//!
//! Before: `api::web::torrent::comment`. After: [`domain::comment`].

use domain::comment::{Command, Comment, Rejection, Said};
use domain::id::{CommentId, MemberId, TorrentId};
use domain::torrent::Torrent;
use domain::{Actor, Permission};

use crate::ports::Unavailable;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Writes a comment below a torrent that the member may have.
    pub async fn comment(
        &self,
        by: MemberId,
        torrent: TorrentId,
        text: String,
    ) -> Result<Done<CommentId>, Refusal<Rejection>> {
        if self.offered(by, torrent).await?.is_none() {
            return Err(Refusal::NotFound);
        }
        let comment = CommentId(self.new_id());
        let mentioned = self.named_below(torrent, &text).await?;
        let said = Said {
            torrent,
            author: by,
            text,
        };
        let frame = self.frame(Actor::Member(by));
        let position = self
            .execute::<Comment>(comment.0, Command::Write { said, mentioned }, frame)
            .await?;
        Ok(Done {
            of: comment,
            position,
        })
    }

    /// Lets a comment say something else; its author may, and who keeps order among comments.
    pub async fn edit_comment(
        &self,
        by: MemberId,
        comment: CommentId,
        text: String,
    ) -> Result<Done<CommentId>, Refusal<Rejection>> {
        let torrent = self.may_change(by, comment).await?.torrent;
        let mentioned = self.named_below(torrent, &text).await?;
        self.change_comment(by, comment, Command::Edit { text, mentioned })
            .await
    }

    /// Shows a comment no more; its author may, and who keeps order among comments.
    pub async fn remove_comment(
        &self,
        by: MemberId,
        comment: CommentId,
    ) -> Result<Done<CommentId>, Refusal<Rejection>> {
        let by_staff = self.may_change(by, comment).await?.author != by;
        self.change_comment(by, comment, Command::Remove { by_staff })
            .await
    }

    /// Shows a removed comment again; who removed it may, and who keeps order among comments.
    pub async fn restore_comment(
        &self,
        by: MemberId,
        comment: CommentId,
    ) -> Result<Done<CommentId>, Refusal<Rejection>> {
        self.may_change(by, comment).await?;
        let by_staff = self.permissions(by).await?.has(Permission::Forum);
        self.change_comment(by, comment, Command::Restore { by_staff })
            .await
    }

    async fn change_comment(
        &self,
        by: MemberId,
        comment: CommentId,
        command: Command,
    ) -> Result<Done<CommentId>, Refusal<Rejection>> {
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<Comment>(comment.0, command, frame).await?;
        Ok(Done {
            of: comment,
            position,
        })
    }

    /// Gives the members that a text names, where every member sees the torrent.
    async fn named_below(
        &self,
        torrent: TorrentId,
        text: &str,
    ) -> Result<Vec<MemberId>, Unavailable> {
        match self.load(torrent.0).await? {
            Torrent::Offered(_) => self.mentioned(text).await,
            Torrent::Unknown | Torrent::Held { .. } | Torrent::Withdrawn { .. } => Ok(vec![]),
        }
    }

    /// Gives what a comment says that a member may change.
    async fn may_change(
        &self,
        by: MemberId,
        comment: CommentId,
    ) -> Result<Said, Refusal<Rejection>> {
        let found: Comment = self.load(comment.0).await?;
        let said = found.said().ok_or(Refusal::NotFound)?;
        if said.author != by {
            self.require(by, Permission::Forum).await?;
        }
        Ok(said.clone())
    }
}
