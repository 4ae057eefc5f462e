//! What the site's settings ask of clients, and how members stand against it.

use std::sync::{Mutex, PoisonError};

use ahash::AHashMap;
use domain::client::Clients;
use domain::setting::Key;
use domain::transfer::{Kind, Pair, Suspicion};
use projections::access::Standing;
use projections::site;

use crate::Settings;
use crate::access::Offer;
use crate::announce::{Announce, Event, Failure};
use crate::member::Member;

/// The rules that are in force; what the site doesn't set is as the node's configuration says.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) interval: u32,
    pub(crate) min_interval: u32,
    pub(crate) numwant: usize,
    pub(crate) most_peers: usize,
    pub(crate) most_addresses: usize,
    /// Announces a minute of a member from an address; 0 for any number.
    pub(crate) announce_rate: u32,
    clients: Clients,
    /// Bytes a second of one client above which it is flagged; 0 for never.
    pub(crate) most_speed: u64,
    /// In hundredths; 0 for none.
    least_ratio: u64,
    ratio_free_download: u64,
    /// Open hit-and-runs with which nobody may download; 0 for any number.
    most_marks: u32,
    /// Till when nothing is charged, in seconds since 1970.
    free_until: i64,
}

impl Rules {
    /// Takes the rules from what the site set and what the configuration says.
    pub(crate) fn new(site: &site::Settings, settings: &Settings) -> Self {
        let set = &site.values;
        let or = |key, configured: u32| {
            let said = set.counted(key).and_then(|count| u32::try_from(count).ok());
            said.unwrap_or(configured)
        };
        let many = |key, configured: usize| {
            let said = set
                .counted(key)
                .and_then(|count| usize::try_from(count).ok());
            said.unwrap_or(configured)
        };
        let marks = if set.switch(Key::HitAndRun) {
            set.count(Key::MostHitAndRuns)
        } else {
            0
        };
        let free_until = site.freeleech.map(|free| free.until.unwrap_or(i64::MAX));
        Self {
            interval: or(Key::Interval, settings.interval),
            min_interval: or(Key::LeastInterval, settings.min_interval),
            numwant: many(Key::PeersGiven, settings.numwant),
            most_peers: many(Key::MostPeers, settings.most_peers),
            most_addresses: many(Key::MostAddresses, settings.most_addresses),
            announce_rate: or(Key::AnnounceRate, settings.announce_rate),
            clients: Clients::parse(set.text(Key::Clients)).unwrap_or_default(),
            most_speed: set.count(Key::MostSpeed),
            least_ratio: set.count(Key::LeastRatio),
            ratio_free_download: set.count(Key::RatioFreeDownload),
            most_marks: u32::try_from(marks).unwrap_or(u32::MAX),
            free_until: free_until.unwrap_or(0),
        }
    }

    /// Tells whether downloads of a torrent aren't charged now.
    pub(crate) fn is_free(&self, offer: &Offer, now: u32) -> bool {
        i64::from(now) < self.free_until.max(offer.free_until)
    }

    /// Refuses a client that isn't on the list, or a torrent that waits for approval.
    pub(crate) fn admit(
        &self,
        member: &Member,
        offer: &Offer,
        client: &[u8; 20],
    ) -> Result<(), Failure> {
        if !self.clients.allow(client) {
            return Err(Failure::ClientNotAllowed);
        }
        if offer.pending && !member.staff && offer.uploader != member.number {
            return Err(Failure::TorrentNotApproved);
        }
        Ok(())
    }

    /// Tells whether the member's figures matter: who has everything, or leaves, owes nothing for it.
    pub(crate) fn asks(&self, announce: &Announce) -> bool {
        let downloads = announce.left > 0 && announce.event != Event::Stopped;
        downloads && (self.least_ratio > 0 || self.most_marks > 0)
    }

    /// Refuses who may not download; `free` says whether the torrent is freeleech.
    pub(crate) fn may_download(&self, standing: &Figures, free: bool) -> Result<(), Failure> {
        let (up, down) = (standing.uploaded, standing.charged);
        let owed = u128::from(down) * u128::from(self.least_ratio);
        if !free && down > self.ratio_free_download && u128::from(up) * 100 < owed {
            let has = u128::from(up) * 100 / u128::from(down.max(1));
            return Err(Failure::RatioTooLow {
                has: u32::try_from(has).unwrap_or(u32::MAX),
                least: u32::try_from(self.least_ratio).unwrap_or(u32::MAX),
            });
        }
        if self.most_marks > 0 && standing.marks >= self.most_marks {
            return Err(Failure::TooManyHitAndRuns(standing.marks));
        }
        Ok(())
    }
}

/// A member's figures, as far as the rules ask for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    uploaded: u64,
    charged: u64,
    marks: u32,
}

impl From<&Standing> for Figures {
    fn from(standing: &Standing) -> Self {
        Self {
            uploaded: standing.ratio.uploaded.0,
            charged: standing.ratio.downloaded.0,
            marks: standing.marks,
        }
    }
}

/// The most suspicions that wait to be flagged.
const MOST_WAITING: usize = 1_000;
/// The most that are remembered as flagged already.
const MOST_KNOWN: usize = 100_000;

/// What looks wrong and waits to be flagged; a kind once for a member and a torrent.
#[derive(Debug, Default)]
pub(crate) struct Suspicions(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    known: AHashMap<(Pair, Kind), ()>,
    waiting: Vec<(Pair, Suspicion)>,
}

impl Suspicions {
    /// Notes what looks wrong.
    pub(crate) fn note(&self, of: Pair, suspicion: Suspicion) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.known.len() >= MOST_KNOWN {
            all.known.clear();
        }
        let is_new = all.known.insert((of, suspicion.kind()), ()).is_none();
        if is_new && all.waiting.len() < MOST_WAITING {
            all.waiting.push((of, suspicion));
        }
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Vec<(Pair, Suspicion)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut all.waiting)
    }

    /// Gives back what couldn't be flagged.
    pub(crate) fn give_back(&self, left: Vec<(Pair, Suspicion)>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.waiting.extend(left);
    }

    /// Lets everything be flagged anew: the staff may have looked at it.
    pub(crate) fn forget(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::setting::Value;

    fn rules(set: &[(Key, Value)]) -> Rules {
        let mut site = site::Settings::default();
        for (key, value) in set {
            site.values.set(*key, Some(value.clone()));
        }
        Rules::new(&site, &Settings::default())
    }

    fn figures(uploaded: u64, charged: u64, marks: u32) -> Figures {
        Figures {
            uploaded,
            charged,
            marks,
        }
    }

    #[test]
    fn who_is_below_the_least_ratio_downloads_nothing_that_is_charged() {
        let half = rules(&[
            (Key::LeastRatio, Value::Count(50)),
            (Key::RatioFreeDownload, Value::Count(100)),
        ]);
        assert_eq!(half.may_download(&figures(500, 1_000, 0), false), Ok(()));
        assert_eq!(half.may_download(&figures(0, 100, 0), false), Ok(()));
        let refused = half.may_download(&figures(499, 1_000, 0), false);
        assert_eq!(refused, Err(Failure::RatioTooLow { has: 49, least: 50 }));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "ratio too low: 0.49, and 0.50 is the least"
        );
        assert_eq!(half.may_download(&figures(499, 1_000, 0), true), Ok(()));
    }

    #[test]
    fn too_many_marks_stop_downloads_where_they_are_asked_for() {
        let owing = rules(&[(Key::HitAndRun, Value::Switch(true))]);
        assert_eq!(owing.may_download(&figures(0, 0, 2), true), Ok(()));
        assert_eq!(
            owing.may_download(&figures(0, 0, 3), true),
            Err(Failure::TooManyHitAndRuns(3))
        );
        assert_eq!(rules(&[]).may_download(&figures(0, 0, 9), true), Ok(()));
    }

    #[test]
    fn a_kind_is_noted_once_for_a_member_and_a_torrent() {
        use domain::amount::{Bytes, Seconds};
        use domain::id::{MemberId, TorrentId};
        let of = Pair {
            member: MemberId(uuid::Uuid::nil()),
            torrent: TorrentId(uuid::Uuid::nil()),
        };
        let suspicion = Suspicion::TooFast {
            moved: Bytes(1),
            within: Seconds(1),
        };
        let suspicions = Suspicions::default();
        suspicions.note(of, suspicion);
        suspicions.note(of, suspicion);
        assert_eq!(suspicions.take(), [(of, suspicion)]);
        suspicions.note(of, suspicion);
        assert_eq!(suspicions.take(), []);
        suspicions.forget();
        suspicions.note(of, suspicion);
        assert_eq!(suspicions.take(), [(of, suspicion)]);
    }
}
