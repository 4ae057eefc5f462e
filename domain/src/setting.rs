//! The site's settings: each key with its section, its kind, its limits and its default.
//!
//! A value that was never set is the default; where a node's configuration has the same knob, its word
//! holds until the site says otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{Bytes, Seconds};

mod form;

pub use form::{NotRead, bytes, check, read, write};

/// Where a setting stands on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Who may join, and with what.
    Joining,
    /// How members prove who they are.
    SignIn,
    /// What members owe.
    Ratio,
    /// How long who downloaded must seed.
    HitAndRun,
    /// How torrents come in.
    Torrents,
    /// How clients announce.
    Tracker,
    /// What the site is called.
    Branding,
    /// What the first page says.
    Home,
}

impl Section {
    /// Every section, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::Joining,
        Self::SignIn,
        Self::Ratio,
        Self::HitAndRun,
        Self::Torrents,
        Self::Tracker,
        Self::Branding,
        Self::Home,
    ];

    /// Gives its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Joining => "Joining",
            Self::SignIn => "Signing in",
            Self::Ratio => "Ratio",
            Self::HitAndRun => "Hit-and-run",
            Self::Torrents => "Torrents",
            Self::Tracker => "Tracker",
            Self::Branding => "Branding",
            Self::Home => "First page",
        }
    }
}

/// What may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Switch {
        /// What holds where nothing is set.
        default: bool,
    },
    /// A number within limits.
    Count {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
        /// What holds where nothing is set.
        default: u64,
        /// What is counted.
        unit: Unit,
    },
    /// A text.
    Text {
        /// The most characters.
        most: usize,
        /// Whether it has several lines.
        lines: bool,
        /// What holds where nothing is set.
        default: &'static str,
    },
    /// One of a few words, the default first.
    Choice(&'static [&'static str]),
    /// Clients that may announce.
    Clients,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Plain,
    /// Bytes, written as a size.
    Bytes,
    /// Seconds, written as a span.
    Seconds,
    /// Hundredths, written with two decimals.
    Hundredths,
}

/// What is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A number.
    Count(u64),
    /// A text.
    Text(String),
}

macro_rules! keys {
    ($($(#[$doc:meta])* $key:ident $name:literal in $section:ident, $label:literal, $hint:literal: $kind:expr;)*) => {
        /// A setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Key {
            $($(#[$doc])* #[serde(rename = $name)] $key,)*
        }

        impl Key {
            /// Every key, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$key),*];

            /// Gives its name, as it is stored.
            pub fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)* }
            }

            /// Gives what the person reads.
            pub fn label(self) -> &'static str {
                match self { $(Self::$key => $label,)* }
            }

            /// Gives what helps to fill it in.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$key => $hint,)* }
            }

            /// Tells where it stands.
            pub fn section(self) -> Section {
                match self { $(Self::$key => Section::$section,)* }
            }

            /// Tells what may be set.
            pub fn kind(self) -> Kind {
                match self { $(Self::$key => $kind,)* }
            }
        }
    };
}

const fn count(least: u64, most: u64, default: u64) -> Kind {
    let unit = Unit::Plain;
    Kind::Count {
        least,
        most,
        default,
        unit,
    }
}

const fn span(least: u64, most: u64, default: u64) -> Kind {
    let unit = Unit::Seconds;
    Kind::Count {
        least,
        most,
        default,
        unit,
    }
}

const fn size(most: u64, default: u64) -> Kind {
    let unit = Unit::Bytes;
    Kind::Count {
        least: 0,
        most,
        default,
        unit,
    }
}

const fn line(most: usize, default: &'static str) -> Kind {
    Kind::Text {
        most,
        lines: false,
        default,
    }
}

const fn lines(most: usize, default: &'static str) -> Kind {
    Kind::Text {
        most,
        lines: true,
        default,
    }
}

const DAY: u64 = 86_400;

keys! {
    /// What a new member is credited as uploaded.
    StarterUpload "starter_upload" in Joining, "Starter credit",
        "Counted as uploaded from the first day, such as 10 GiB.": size(1 << 50, 0);
    /// Invites of a new member.
    DefaultInvites "default_invites" in Joining, "Invites of a new member", "": count(0, 1_000, 2);
    /// How long an invite holds.
    InviteTime "invite_time" in Joining, "An invite holds for", "Afterwards it comes back to who made it.":
        span(1, 365 * DAY, 7 * DAY);
    /// Whether the staff needs a second factor.
    StaffSecondFactor "second_factor_for_staff" in SignIn, "The staff needs a second factor",
        "Whoever of the staff has none is led to set it up before anything else.": Kind::Switch { default: false };
    /// The least ratio with which a member may download.
    LeastRatio "least_ratio" in Ratio, "Least ratio", "Below it nobody begins a download; 0 lets everybody.":
        Kind::Count { least: 0, most: 1_000, default: 0, unit: Unit::Hundredths };
    /// What a member may download before the least ratio holds.
    RatioFreeDownload "ratio_free_download" in Ratio, "Before the least ratio holds",
        "Who downloaded less than this is left alone.": size(1 << 50, 0);
    /// Whether who downloaded owes seed time.
    HitAndRun "hit_and_run" in HitAndRun, "Members owe seed time", "It holds for what is completed from then on.":
        Kind::Switch { default: false };
    /// The seed time that a completed download owes.
    SeedTime "seed_time" in HitAndRun, "Seed time owed", "": span(0, 90 * DAY, DAY);
    /// How long a member has for it.
    GracePeriod "grace_period" in HitAndRun, "Within", "Afterwards it is marked as a hit-and-run.":
        span(1, 365 * DAY, 3 * DAY);
    /// With how many marks a member may not download.
    MostHitAndRuns "most_hit_and_runs" in HitAndRun, "Marks that stop new downloads", "0 for never.": count(0, 1_000, 3);
    /// Whether uploads wait for the staff.
    ApproveUploads "approve_uploads" in Torrents, "Uploads wait for approval",
        "The staff's, and those of roles that may, don't.": Kind::Switch { default: true };
    /// Seconds between two announces.
    Interval "announce_interval" in Tracker, "Announce interval", "": span(60, 7_200, 1_800);
    /// Seconds that must pass between two announces.
    LeastInterval "least_announce_interval" in Tracker, "Least announce interval", "": span(0, 3_600, 900);
    /// Peers in an answer, when the client doesn't say.
    PeersGiven "peers_given" in Tracker, "Peers in an answer", "Where the client doesn't say.": count(1, 200, 50);
    /// Peers in an answer, whatever the client says.
    MostPeers "most_peers" in Tracker, "Most peers in an answer", "": count(1, 200, 200);
    /// Addresses of one member on one torrent.
    MostAddresses "most_addresses" in Tracker, "Addresses of a member on a torrent", "": count(1, 100, 3);
    /// Announces a minute of one member from one address.
    AnnounceRate "announce_rate" in Tracker, "Announces a minute", "Of one member from one address; 0 for no limit.":
        count(0, 100_000, 200);
    /// Which clients may announce.
    Clients "clients" in Tracker, "Clients that may announce",
        "One on each line: how its peer id begins, and the least version where that matters, such as -qB 4.5.0 or A2-. Nothing lets every client.":
        Kind::Clients;
    /// The speed above which traffic is flagged.
    MostSpeed "most_speed" in Tracker, "Speed that is flagged", "Bytes a second of one client, such as 1.25 GiB; 0 for never.":
        size(1 << 40, 5 << 28);
    /// What members call the site.
    SiteName "site_name" in Branding, "Name", "": line(50, "");
    /// What stands beside the name.
    SiteSubtitle "site_subtitle" in Branding, "Subtitle", "": line(100, "");
    /// How the announcement is shown.
    AnnouncementKind "announcement_kind" in Home, "The announcement is", "": Kind::Choice(&["info", "warning", "error"]);
    /// The first page's title.
    HeroTitle "hero_title" in Home, "Title", "": line(50, "");
    /// What stands below the title.
    HeroSubtitle "hero_subtitle" in Home, "Below the title", "": lines(500, "");
    /// A short line on how the site is.
    StatusBadge "status_badge_text" in Home, "Status line", "": line(100, "");
    /// The first box's title.
    Feature1Title "feature_1_title" in Home, "First box", "": line(100, "");
    /// The first box's text.
    Feature1Text "feature_1_desc" in Home, "Its text", "": lines(500, "");
    /// The second box's title.
    Feature2Title "feature_2_title" in Home, "Second box", "": line(100, "");
    /// The second box's text.
    Feature2Text "feature_2_desc" in Home, "Its text", "": lines(500, "");
    /// The third box's title.
    Feature3Title "feature_3_title" in Home, "Third box", "": line(100, "");
    /// The third box's text.
    Feature3Text "feature_3_desc" in Home, "Its text", "": lines(500, "");
    /// The site's rules.
    Rules "rules" in Home, "Rules", "Markdown; they have a page of their own.": lines(20_000, "");
}

impl Key {
    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }
}

/// Everything that was set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<Key, Value>);

impl Settings {
    /// Sets a key, or sets it back to its default.
    pub fn set(&mut self, key: Key, value: Option<Value>) {
        match value {
            Some(value) => self.0.insert(key, value),
            None => self.0.remove(&key),
        };
    }

    /// Gives what was set.
    pub fn get(&self, key: Key) -> Option<&Value> {
        self.0.get(&key)
    }

    /// Tells whether a switch is on.
    pub fn switch(&self, key: Key) -> bool {
        match (self.0.get(&key), key.kind()) {
            (Some(Value::Switch(on)), _) => *on,
            (_, Kind::Switch { default }) => default,
            _ => false,
        }
    }

    /// Gives a number.
    pub fn count(&self, key: Key) -> u64 {
        match (self.0.get(&key), key.kind()) {
            (Some(Value::Count(count)), _) => *count,
            (_, Kind::Count { default, .. }) => default,
            _ => 0,
        }
    }

    /// Gives a number that was set.
    pub fn counted(&self, key: Key) -> Option<u64> {
        self.0.get(&key).map(|_| self.count(key))
    }

    /// Gives a number of bytes.
    pub fn bytes(&self, key: Key) -> Bytes {
        Bytes(self.count(key))
    }

    /// Gives a span.
    pub fn span(&self, key: Key) -> Seconds {
        Seconds(self.count(key))
    }

    /// Gives a text, or a choice.
    pub fn text(&self, key: Key) -> &str {
        match (self.0.get(&key), key.kind()) {
            (Some(Value::Text(text)), _) => text,
            (_, Kind::Text { default, .. }) => default,
            (_, Kind::Choice(words)) => words.first().copied().unwrap_or_default(),
            (_, Kind::Switch { .. } | Kind::Count { .. } | Kind::Clients) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_set_is_the_default() {
        let mut settings = Settings::default();
        assert_eq!(settings.count(Key::DefaultInvites), 2);
        assert_eq!(settings.text(Key::AnnouncementKind), "info");
        assert!(settings.switch(Key::ApproveUploads));
        assert_eq!(settings.counted(Key::Interval), None);
        settings.set(Key::DefaultInvites, Some(Value::Count(5)));
        assert_eq!(settings.count(Key::DefaultInvites), 5);
        settings.set(Key::DefaultInvites, None);
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn keys_have_their_stored_names() {
        for key in Key::ALL.iter().copied() {
            assert_eq!(Key::named(key.name()), Some(key));
            assert_eq!(serde_json::to_value(key).unwrap(), key.name());
        }
        assert_eq!(Key::named("king"), None);
    }
}
