//! Uploading, approving, editing, withdrawing and handing out torrents, and the ways back.
//!
//! Before: `api::web::upload`. After: [`domain::torrent`].

use std::collections::BTreeSet;

use domain::category::Category;
use domain::id::{CategoryId, MemberId, SITE, TagId, TorrentId};
use domain::info_hash::{InfoHash, InfoHashV2};
use domain::setting::Key;
use domain::site::Site;
use domain::tag::Tag;
use domain::torrent::version::versions;
use domain::torrent::{
    Command, Edit, Event, Free, MOST_TAGS, Rejection, Review, Torrent, Upload, Verdict,
};
use domain::{Actor, Decider as _, Fact, Permission, Position, Recorded};

use crate::ports::{Claim, Reach, Unavailable};
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Offers a torrent, or lets it wait for the staff; refused as `Taken` with its holder when its
    /// `info_hash` is offered already.
    pub async fn upload(&self, upload: Upload) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let pending = self.must_wait(upload.uploader).await?;
        let by = Actor::Member(upload.uploader);
        self.offer(by, Upload { pending, ..upload }).await
    }

    /// Offers a torrent in a member's name at the command line, whoever they are.
    pub async fn add(&self, upload: Upload) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let pending = false;
        self.offer(Actor::Operator, Upload { pending, ..upload })
            .await
    }

    /// Tells whether what a member uploads waits for the staff.
    pub async fn must_wait(&self, uploader: MemberId) -> Result<bool, Unavailable> {
        let may = self.permissions(uploader).await?;
        let site: Site = self.load(SITE).await?;
        Ok(site.settings.switch(Key::ApproveUploads) && !may.has(Permission::UploadAtOnce))
    }

    async fn offer(
        &self,
        by: Actor,
        upload: Upload,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        self.category(upload.category, None).await?;
        let tags = self.tags(&upload.tags, &[]).await?;
        let upload = Upload { tags, ..upload };
        let torrent = TorrentId(self.new_id());
        let mut frame = self.frame(by);
        frame.claims = self.hash_claims(upload.info_hash, upload.info_hash_v2);
        let position = self
            .execute::<Torrent>(torrent.0, Command::Upload(Box::new(upload)), frame)
            .await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Lets a torrent's page say something else; its uploader and the staff may.
    pub async fn edit(
        &self,
        by: MemberId,
        torrent: TorrentId,
        edit: Edit,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        self.reword(by, torrent, edit, None).await
    }

    /// Lets a torrent's page say again what a version of it said, numbered as
    /// [`domain::torrent::version`] does; who may edit it may.
    pub async fn bring_back(
        &self,
        by: MemberId,
        torrent: TorrentId,
        number: usize,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let versions = versions(&self.stream(torrent).await?);
        let wanted = versions
            .into_iter()
            .find(|version| version.number == number);
        let version = wanted.ok_or(Refusal::NotFound)?;
        self.reword(by, torrent, version.said, Some(version.position))
            .await
    }

    async fn reword(
        &self,
        by: MemberId,
        torrent: TorrentId,
        edit: Edit,
        because: Option<Position>,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let (before, _) = self.own(by, torrent).await?;
        // What a version of it had once may come back, though it is retired.
        let before = if because.is_some() {
            edit.clone()
        } else {
            before.editable()
        };
        self.category(edit.category, Some(before.category)).await?;
        let tags = self.tags(&edit.tags, &before.tags).await?;
        let edit = Edit { tags, ..edit };
        let mut frame = self.frame(Actor::Member(by));
        frame.meta.causation = because;
        let command = Command::Edit(edit);
        let position = self.execute::<Torrent>(torrent.0, command, frame).await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Refuses a category that isn't there, and a retired one unless the torrent stands in it.
    async fn category(
        &self,
        category: CategoryId,
        before: Option<CategoryId>,
    ) -> Result<(), Refusal<Rejection>> {
        match self.load(category.0).await? {
            Category::Unknown => Err(Refusal::NotFound),
            Category::Retired(_) if before != Some(category) => {
                Err(Refusal::Rejected(Rejection::CategoryRetired))
            }
            Category::Open(_) | Category::Retired(_) => Ok(()),
        }
    }

    /// Gives each tag once; refuses those that aren't there, and retired ones that are new to the
    /// torrent.
    async fn tags(
        &self,
        wanted: &[TagId],
        before: &[TagId],
    ) -> Result<Vec<TagId>, Refusal<Rejection>> {
        let mut seen = BTreeSet::new();
        let once: Vec<TagId> = wanted
            .iter()
            .copied()
            .filter(|tag| seen.insert(*tag))
            .collect();
        if once.len() > MOST_TAGS {
            return Err(Refusal::Rejected(Rejection::TooManyTags));
        }
        for tag in once.iter().filter(|tag| !before.contains(tag)) {
            let found: Tag = self.load(tag.0).await?;
            if !matches!(found, Tag::Open(_)) {
                return Err(Refusal::Rejected(Rejection::TagGone));
            }
        }
        Ok(once)
    }

    async fn stream(&self, torrent: TorrentId) -> Result<Vec<Recorded>, Unavailable> {
        self.log.load(Torrent::STREAM, torrent.0, Reach::All).await
    }

    /// Offers a torrent no longer; its uploader and the staff may.
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

    /// Says whether others may have a torrent that waits; the staff does.
    pub async fn review(
        &self,
        by: MemberId,
        torrent: TorrentId,
        verdict: Verdict,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        self.require(by, Permission::Torrents).await?;
        let (upload, _) = self.own(by, torrent).await?;
        let mut frame = self.frame(Actor::Member(by));
        match &verdict {
            Verdict::Approve => {}
            Verdict::AskForChanges(reason) => frame.meta.reason = Some(reason.clone()),
            // The same may be uploaded again, and better.
            Verdict::Reject(reason) => {
                frame.meta.reason = Some(reason.clone());
                frame.releases = self.hash_claims(upload.info_hash, upload.info_hash_v2);
            }
        }
        let command = Command::Review(verdict);
        let position = self.execute::<Torrent>(torrent.0, command, frame).await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Puts a torrent before the staff once more; its uploader does, after changes were asked for.
    pub async fn submit(
        &self,
        by: MemberId,
        torrent: TorrentId,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        self.own(by, torrent).await?;
        let frame = self.frame(Actor::Member(by));
        let position = self
            .execute::<Torrent>(torrent.0, Command::Submit, frame)
            .await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Offers a withdrawn torrent again, or lets a rejected one wait again; refused as `Taken` with its holder when the same was
    /// uploaded meanwhile.
    pub async fn restore(
        &self,
        by: MemberId,
        torrent: TorrentId,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        let (upload, by_staff) = self.own(by, torrent).await?;
        let mut frame = self.frame(Actor::Member(by));
        frame.meta.causation = last_refusal(&self.stream(torrent).await?);
        frame.claims = self.hash_claims(upload.info_hash, upload.info_hash_v2);
        let command = Command::Restore { by_staff };
        let position = self.execute::<Torrent>(torrent.0, command, frame).await?;
        Ok(Done {
            of: torrent,
            position,
        })
    }

    /// Charges downloads of a torrent, or doesn't; who may change settings says so.
    pub async fn set_freeleech(
        &self,
        by: MemberId,
        torrent: TorrentId,
        free: Free,
    ) -> Result<Done<TorrentId>, Refusal<Rejection>> {
        self.require(by, Permission::Settings).await?;
        let (command, frame) = (Command::SetFreeleech(free), self.frame(Actor::Member(by)));
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
            Torrent::Offered(upload)
            | Torrent::Held { upload, .. }
            | Torrent::Withdrawn { upload, .. } => upload,
        };
        let staff = self.permissions(by).await?.has(Permission::Torrents);
        if upload.uploader != by && !staff {
            return Err(Refusal::Forbidden);
        }
        Ok((upload, staff))
    }

    /// Gives a torrent as its uploader gave it, with its .torrent file, to who may have it.
    pub async fn offered(
        &self,
        to: MemberId,
        torrent: TorrentId,
    ) -> Result<Option<Upload>, Unavailable> {
        Ok(match self.load(torrent.0).await? {
            Torrent::Offered(upload) => Some(*upload),
            Torrent::Held {
                review: Review::Waiting | Review::ChangesAsked { .. },
                upload,
            } if upload.uploader == to || self.permissions(to).await?.has(Permission::Torrents) => {
                Some(*upload)
            }
            Torrent::Unknown | Torrent::Held { .. } | Torrent::Withdrawn { .. } => None,
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
    pub(crate) fn hash_claims(&self, v1: InfoHash, v2: Option<InfoHashV2>) -> Vec<Claim> {
        let short = v2.map(|hash| hash.truncated());
        [Some(v1), short]
            .into_iter()
            .flatten()
            .map(|hash| self.claim("info_hash", &hash.0))
            .collect()
    }
}

/// Tells where a torrent was withdrawn or rejected last: what a restoration undoes.
fn last_refusal(stream: &[Recorded]) -> Option<Position> {
    let is_refusal = |event: &&Recorded| matches!(&event.fact, Fact::Torrent(happened) if matches!(**happened, Event::TorrentWithdrawn { .. } | Event::TorrentRejected { .. }));
    stream.iter().rfind(is_refusal).map(|event| event.position)
}
