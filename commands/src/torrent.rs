//! Uploading, withdrawing and handing out torrents.
//!
//! Before: `api::web::upload`. After: [`domain::torrent`].

use domain::Actor;
use domain::category::Category;
use domain::id::{MemberId, TorrentId};
use domain::info_hash::{InfoHash, InfoHashV2};
use domain::torrent::{Command, Rejection, Torrent, Upload};

use crate::ports::{Claim, Unavailable};
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Offers a torrent; refused as `Taken` with its holder when its `info_hash` is offered already.
    pub async fn upload(&self, upload: Upload) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        if let Category::Unknown = self.load::<Category>(upload.category.0).await? {
            return Err(Refusal::NotFound);
        }
        let torrent = TorrentId(self.new_id());
        let mut frame = self.frame(Actor::Member(upload.uploader));
        frame.claims = self.hash_claims(upload.info_hash, upload.info_hash_v2);
        let position = self
            .execute::<Torrent>(torrent.0, Command::Upload(Box::new(upload)), frame)
            .await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Offers a torrent no longer; its uploader and administrators may.
    pub async fn withdraw(
        &self,
        by: MemberId,
        torrent: TorrentId,
        reason: Option<String>,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let (upload, staff) = self.own(by, torrent).await?;
        let by_staff = staff && upload.uploader != by;
        let mut frame = self.frame(Actor::Member(by));
        frame.meta.reason.clone_from(&reason);
        frame.releases = self.hash_claims(upload.info_hash, upload.info_hash_v2);
        let command = Command::Withdraw { reason, by_staff };
        let position = self.execute::<Torrent>(torrent.0, command, frame).await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Offers a withdrawn torrent again; refused as `Taken` with its holder when the same was
    /// uploaded meanwhile.
    pub async fn restore(
        &self,
        by: MemberId,
        torrent: TorrentId,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let (upload, by_staff) = self.own(by, torrent).await?;
        let mut frame = self.frame(Actor::Member(by));
        frame.claims = self.hash_claims(upload.info_hash, upload.info_hash_v2);
        let command = Command::Restore { by_staff };
        let position = self.execute::<Torrent>(torrent.0, command, frame).await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Gives a torrent that a member may withdraw and restore: their own, or any to administrators;
    /// and whether they are one.
    async fn own(
        &self,
        by: MemberId,
        torrent: TorrentId,
    ) -> Result<(Box<Upload>, bool), Refusal<Rejection>> {
        let upload = match self.load(torrent.0).await? {
            Torrent::Unknown => return Err(Refusal::NotFound),
            Torrent::Offered(upload) | Torrent::Withdrawn { upload, .. } => upload,
        };
        let staff = self.is_administrator(by).await?;
        if upload.uploader != by && !staff {
            return Err(Refusal::Forbidden);
        }
        Ok((upload, staff))
    }

    /// Gives an offered torrent as its uploader gave it, with its .torrent file.
    pub async fn offered(&self, torrent: TorrentId) -> Result<Option<Upload>, Unavailable> {
        Ok(match self.load(torrent.0).await? {
            Torrent::Offered(upload) => Some(*upload),
            Torrent::Unknown | Torrent::Withdrawn { .. } => None,
        })
    }

    /// Gives the torrent that is offered under an `info_hash`.
    pub async fn offered_as(&self, info_hash: InfoHash) -> Result<Option<TorrentId>, Unavailable> {
        Ok(self
            .log
            .holder(&self.claim("info_hash", &info_hash.0))
            .await?
            .map(TorrentId))
    }

    /// A hybrid is announced under both its hashes, so it holds both.
    fn hash_claims(&self, v1: InfoHash, v2: Option<InfoHashV2>) -> Vec<Claim> {
        let short = v2.map(|hash| hash.truncated());
        [Some(v1), short]
            .into_iter()
            .flatten()
            .map(|hash| self.claim("info_hash", &hash.0))
            .collect()
    }
}
