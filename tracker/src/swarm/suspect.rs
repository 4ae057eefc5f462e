//! What looks wrong about a report; the staff is shown it, nothing follows by itself.

use domain::amount::{Bytes, Seconds};
use domain::transfer::Suspicion;

use super::{Joined, Side, Swarm};
use crate::announce::Event;
use crate::rules::Rules;
use crate::session::{Reported, Totals};

/// Bytes that may be sent to somebody who was there unseen.
const UNSEEN: u64 = 64 << 20;

impl Swarm {
    /// Notes that somebody is there to receive: anybody but the announcer, or the announcer for the rest.
    pub(super) fn see_leechers(&mut self, before: Option<Side>, joined: &Joined<'_>) {
        let own = u32::from(before == Some(Side::Leechers));
        let receives = joined.announce.left > 0 && joined.announce.event != Event::Stopped;
        if self.peers.count().leechers > own || receives {
            self.leecher_seen = self.leecher_seen.max(joined.now);
        }
    }

    /// Says what looks wrong about a report, if anything does; `stood` is where its totals stood before.
    pub(super) fn suspicion(
        &self,
        stood: &Totals,
        reported: &Reported,
        joined: &Joined<'_>,
        rules: &Rules,
    ) -> Option<Suspicion> {
        let announce = joined.announce;
        if reported.shrunk {
            return Some(Suspicion::Shrunk {
                before: (Bytes(stood.uploaded), Bytes(stood.downloaded)),
                then: (Bytes(announce.uploaded), Bytes(announce.downloaded)),
            });
        }
        // After a start there is nothing to compare with.
        let (moved, passed) = (reported.moved, reported.moved.passed);
        if passed == 0 || reported.new_run || announce.event == Event::Started {
            return None;
        }
        let within = Seconds(passed.into());
        let most = moved.sent.max(moved.got);
        if rules.most_speed > 0 && most / u64::from(passed) > rules.most_speed {
            let moved = Bytes(most);
            return Some(Suspicion::TooFast { moved, within });
        }
        let alone = self.leecher_seen < joined.now.saturating_sub(passed);
        (alone && moved.sent > UNSEEN).then_some(Suspicion::NobodyThere {
            sent: Bytes(moved.sent),
            within,
        })
    }
}
