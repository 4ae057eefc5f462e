//! A member's bookmarks.
//!
//! Before: `api::web::bookmark`. After: [`domain::bookmark`].

use domain::Actor;
use domain::bookmark::{Bookmarks, Command, Rejection};
use domain::id::{MemberId, TorrentId};

use crate::{Commands, Done, Refusal};

impl Commands {
    /// Bookmarks a torrent that the member may have.
    pub async fn set_bookmark(
        &self,
        by: MemberId,
        torrent: TorrentId,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        if self.offered(by, torrent).await?.is_none() {
            return Err(Refusal::NotFound);
        }
        self.bookmark(by, torrent, Command::Set(torrent)).await
    }

    /// Takes a torrent out of the member's bookmarks, also one that is gone.
    pub async fn clear_bookmark(
        &self,
        by: MemberId,
        torrent: TorrentId,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        self.bookmark(by, torrent, Command::Clear(torrent)).await
    }

    async fn bookmark(
        &self,
        by: MemberId,
        torrent: TorrentId,
        command: Command,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<Bookmarks>(by.0, command, frame).await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }
}
