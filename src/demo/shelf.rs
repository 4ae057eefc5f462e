//! Tags of the demo, and what is said below its torrents.

use anyhow::Context as _;
use commands::request::{Key, request};
use commands::{Commands, Refusal};
use domain::id::{MemberId, TagId, TorrentId};
use domain::tag::{Colour, Label};
use domain::user::Name;

const TAGS: [(&str, Colour); 7] = [
    ("free culture", Colour::Green),
    ("4K", Colour::Violet),
    ("lossless", Colour::Teal),
    ("subtitles", Colour::Blue),
    ("classic", Colour::Yellow),
    ("staff pick", Colour::Red),
    ("demo-secret-marker", Colour::Grey),
];

const SAID: [(&str, &str); 6] = [
    ("alice", "Thank you! It seeds fast."),
    ("bob", "Does it come with **subtitles**?"),
    ("alice", "@bob yes, many of them."),
    ("admin", "Checked: all pieces are there."),
    (
        "bob",
        "I keep this one for long.\n\n- seeding since today\n- on a good line",
    ),
    (
        "demo-secret-marker",
        "A comment with demo-secret-marker in it.",
    ),
];

/// Makes the tags that aren't there, and gives all of them.
pub(super) async fn tags(commands: &Commands, admin: MemberId) -> anyhow::Result<Vec<TagId>> {
    let mut made = vec![];
    for ((name, colour), rank) in TAGS.into_iter().zip(1..) {
        let once = Key::new(admin, "demo tag", name);
        let name = name.to_owned();
        let creating = commands.create_tag(admin, Label { name, colour, rank });
        match request(Some(once), creating).await.0 {
            Ok(tag) => made.push(tag.of),
            // Somebody else made one of that name.
            Err(Refusal::Taken { .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(made)
}

/// Lets members talk below a torrent, the more the earlier it stands.
pub(super) async fn talk(
    commands: &Commands,
    torrent: TorrentId,
    place: usize,
) -> anyhow::Result<()> {
    for (name, text) in SAID.into_iter().skip(place) {
        let member = commands.member_named(&Name::parse(name)?).await?;
        let member = member.with_context(|| format!("there is no {name}"))?.id;
        commands.comment(member, torrent, text.to_owned()).await?;
    }
    Ok(())
}
