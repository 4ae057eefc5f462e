//! Every event name and version has a golden file: what was stored once is read for ever.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use domain::{
    Fact, api_key, audit, bookmark, category, comment, feed_key, reading, report, role, section,
    site, tag, topic, torrent, traffic, transfer, user, vault,
};
use serde_json::Value;

/// Every name that is written today, with its version, from a match that misses none.
#[expect(clippy::too_many_lines, reason = "a list of all events")]
fn written() -> BTreeSet<String> {
    use domain::Event as _;
    let mut names = BTreeSet::new();
    for (stream, file) in golden() {
        let fact = read(&stream, &file);
        // A new event makes these incomplete, and the compiler says so.
        let (name, version) = match fact {
            Fact::User(event) => match &event {
                user::Event::MemberRegistered { .. }
                | user::Event::CredentialsChanged { .. }
                | user::Event::RecoveryCodesMade { .. }
                | user::Event::RecoveryCodeUsed { .. }
                | user::Event::SecondFactorEnabled { .. }
                | user::Event::SecondFactorDisabled {}
                | user::Event::DeviceCodeUsed { .. }
                | user::Event::SecurityKeyAdded { .. }
                | user::Event::SecurityKeyUsed { .. }
                | user::Event::SecurityKeyRemoved { .. }
                | user::Event::DeviceSeen { .. }
                | user::Event::PasskeyReset { .. }
                | user::Event::RoleAssigned { .. }
                | user::Event::RoleGranted { .. }
                | user::Event::RoleWithdrawn { .. }
                | user::Event::InviteIssued { .. }
                | user::Event::InviteRevoked { .. }
                | user::Event::InvitesGranted { .. }
                | user::Event::MemberWarned { .. }
                | user::Event::MemberBanned(_)
                | user::Event::MemberUnbanned { .. }
                | user::Event::MemberErased { .. } => (event.name(), event.version()),
            },
            Fact::ApiKey(event) => match &event {
                api_key::Event::ApiKeyMade { .. } | api_key::Event::ApiKeyRevoked { .. } => {
                    (event.name(), event.version())
                }
            },
            Fact::Torrent(event) => match event.as_ref() {
                torrent::Event::TorrentUploaded(_)
                | torrent::Event::TorrentEdited(_)
                | torrent::Event::TorrentWithdrawn { .. }
                | torrent::Event::TorrentRestored {}
                | torrent::Event::FreeleechSet { .. }
                | torrent::Event::FreeleechLifted {}
                | torrent::Event::TorrentApproved {}
                | torrent::Event::TorrentRejected { .. }
                | torrent::Event::TorrentChangesAsked { .. }
                | torrent::Event::TorrentSubmitted {} => (event.name(), event.version()),
            },
            Fact::Category(event) => match &event {
                category::Event::CategoryCreated(_)
                | category::Event::CategoryChanged(_)
                | category::Event::CategoryRetired {}
                | category::Event::CategoryReopened {} => (event.name(), event.version()),
            },
            Fact::Tag(event) => match &event {
                tag::Event::TagCreated(_)
                | tag::Event::TagChanged(_)
                | tag::Event::TagRetired {}
                | tag::Event::TagReopened {} => (event.name(), event.version()),
            },
            Fact::Role(event) => match &event {
                role::Event::RoleCreated(_)
                | role::Event::RoleChanged(_)
                | role::Event::RoleRetired {} => (event.name(), event.version()),
            },
            Fact::Comment(event) => match &event {
                comment::Event::CommentWritten { .. }
                | comment::Event::CommentEdited { .. }
                | comment::Event::CommentRemoved { .. }
                | comment::Event::CommentRestored {} => (event.name(), event.version()),
            },
            Fact::Bookmark(event) => match &event {
                bookmark::Event::BookmarkSet { .. } | bookmark::Event::BookmarkCleared { .. } => {
                    (event.name(), event.version())
                }
            },
            Fact::FeedKey(event) => match &event {
                feed_key::Event::FeedKeyMade { .. } | feed_key::Event::FeedKeyRevoked {} => {
                    (event.name(), event.version())
                }
            },
            Fact::Section(event) => of_section(&event),
            Fact::Topic(event) => of_topic(&event),
            Fact::Reading(event) => of_reading(&event),
            Fact::Report(event) => of_report(&event),
            Fact::Site(event) => match &event {
                site::Event::RegistrationOpened {}
                | site::Event::RegistrationClosed {}
                | site::Event::RegistrationLimited {}
                | site::Event::SettingsChanged { .. }
                | site::Event::FreeleechBegun { .. }
                | site::Event::FreeleechEnded {}
                | site::Event::LogoSet { .. }
                | site::Event::LogoRemoved {}
                | site::Event::AnnouncementSet { .. } => (event.name(), event.version()),
            },
            Fact::Traffic(event) => match &event {
                traffic::Event::TrafficRecorded(_) => (event.name(), event.version()),
            },
            Fact::Transfer(event) => match &event {
                transfer::Event::SnatchCompleted { .. }
                | transfer::Event::HitAndRunMarked { .. }
                | transfer::Event::SeedTimeMet { .. }
                | transfer::Event::HitAndRunCleared { .. }
                | transfer::Event::HitAndRunExempted { .. }
                | transfer::Event::TrafficFlagged { .. }
                | transfer::Event::FlagDismissed { .. } => (event.name(), event.version()),
            },
            Fact::Audit(event) => match &event {
                audit::Event::CheckpointSet(_)
                | audit::Event::HistoryRead { .. }
                | audit::Event::BlockLifted { .. }
                | audit::Event::BackupMade(_)
                | audit::Event::BackupVerified(_) => (event.name(), event.version()),
            },
            Fact::Vault(event) => of_vault(&event),
            // It is what is left of an event, and never written.
            Fact::Erased(_) => continue,
        };
        names.insert(format!("{name}.{version}"));
    }
    names
}

/// The same for what happens to a section.
fn of_section(event: &section::Event) -> (&'static str, i32) {
    use domain::Event as _;
    match event {
        section::Event::SectionCreated { .. }
        | section::Event::SectionChanged(_)
        | section::Event::SectionReordered { .. }
        | section::Event::SectionRetired {}
        | section::Event::SectionReopened {} => (event.name(), event.version()),
    }
}

/// The same for what happens to the vault.
fn of_vault(event: &vault::Event) -> (&'static str, i32) {
    use domain::Event as _;
    match event {
        vault::Event::PanicPasswordSet { .. }
        | vault::Event::PanicPasswordChanged { .. }
        | vault::Event::VaultSealed {}
        | vault::Event::VaultRestored {}
        | vault::Event::KeysRotated {} => (event.name(), event.version()),
    }
}

/// The same for what a member has read.
fn of_reading(event: &reading::Event) -> (&'static str, i32) {
    use domain::Event as _;
    match event {
        reading::Event::ForumRead { .. } | reading::Event::NotificationsRead { .. } => {
            (event.name(), event.version())
        }
    }
}

/// The same for what happens to a report.
fn of_report(event: &report::Event) -> (&'static str, i32) {
    use domain::Event as _;
    match event {
        report::Event::ReportFiled(_)
        | report::Event::ReportTaken { .. }
        | report::Event::ReportNoted { .. }
        | report::Event::ReportResolved { .. }
        | report::Event::ReportDismissed { .. } => (event.name(), event.version()),
    }
}

/// The same for what happens to a topic.
fn of_topic(event: &topic::Event) -> (&'static str, i32) {
    use domain::Event as _;
    match event {
        topic::Event::TopicOpened(_)
        | topic::Event::TopicReplied(_)
        | topic::Event::PostEdited { .. }
        | topic::Event::PostRemoved { .. }
        | topic::Event::PostRestored { .. }
        | topic::Event::TopicRemoved { .. }
        | topic::Event::TopicRestored {}
        | topic::Event::TopicPinned {}
        | topic::Event::TopicUnpinned {}
        | topic::Event::TopicLocked {}
        | topic::Event::TopicUnlocked {}
        | topic::Event::TopicMoved { .. } => (event.name(), event.version()),
    }
}

/// The golden files: `Name.version.json`, each with its stream and its payload.
fn golden() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (
                name.trim_end_matches(".json").to_owned(),
                std::fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn read(name: &str, file: &str) -> Fact {
    let (name, version) = name.split_once('.').unwrap();
    let value: Value = serde_json::from_str(file).unwrap();
    let stream = value.get("stream").and_then(Value::as_str).unwrap();
    let payload = value.get("payload").cloned().unwrap();
    Fact::read(stream, name, version.parse().unwrap(), payload).unwrap()
}

/// Tells whether a file is of a version that is only read, lifted to today's.
fn is_old(name: &str, fact: &Fact) -> bool {
    let version: i32 = name.rsplit('.').next().unwrap().parse().unwrap();
    version < fact.version()
}

#[test]
fn every_golden_file_is_read_and_written_the_same() {
    for (name, file) in golden() {
        let value: Value = serde_json::from_str(&file).unwrap();
        if is_old(&name, &read(&name, &file)) {
            continue;
        }
        assert_eq!(
            Some(&read(&name, &file).payload().unwrap()),
            value.get("payload"),
            "{name}"
        );
    }
}

#[test]
fn every_event_has_a_golden_file_of_its_own_name() {
    let files: BTreeSet<String> = golden().into_iter().map(|(name, _)| name).collect();
    let old: BTreeSet<String> = golden()
        .into_iter()
        .filter(|(name, file)| is_old(name, &read(name, file)))
        .map(|(name, _)| name)
        .collect();
    let lifted = [
        "CommentEdited.1",
        "CommentWritten.1",
        "MemberBanned.1",
        "MemberRegistered.1",
        "TorrentEdited.1",
        "TorrentUploaded.1",
        "TorrentWithdrawn.1",
        "TrafficRecorded.1",
    ];
    assert_eq!(old, lifted.map(str::to_owned).into());
    assert_eq!(written(), &files - &old);
}
