//! Comments below torrents: written, edited, removed and restored.
//!
//! Before: `api::web::torrent::comment`. After: [`domain::comment`].

use domain::comment::{Command, Comment, Rejection, Said};
use domain::id::{CommentId, MemberId, TorrentId};
use domain::{Actor, Permission};

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
        let said = Said {
            torrent,
            author: by,
            text,
        };
        let frame = self.frame(Actor::Member(by));
        let position = self
            .execute::<Comment>(comment.0, Command::Write(said), frame)
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
        self.may_change(by, comment).await?;
        self.change_comment(by, comment, Command::Edit { text })
            .await
    }

    /// Shows a comment no more; its author may, and who keeps order among comments.
    pub async fn remove_comment(
        &self,
        by: MemberId,
        comment: CommentId,
    ) -> Result<Done<CommentId>, Refusal<Rejection>> {
        let by_staff = self.may_change(by, comment).await? != by;
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

    /// Gives the author of a comment that a member may change.
    async fn may_change(
        &self,
        by: MemberId,
        comment: CommentId,
    ) -> Result<MemberId, Refusal<Rejection>> {
        let found: Comment = self.load(comment.0).await?;
        let author = found.said().ok_or(Refusal::NotFound)?.author;
        if author != by {
            self.require(by, Permission::Forum).await?;
        }
        Ok(author)
    }
}
