//! What is said in the demo's forum.

use commands::Commands;
use commands::topic::Moderation;
use domain::id::{MemberId, SectionId};
use domain::section::seeded;
use domain::user::Name;

use anyhow::Context as _;

/// A made-up topic: its section, its title, and who says what, the first opening it.
struct Talk {
    section: &'static str,
    title: &'static str,
    said: &'static [(&'static str, &'static str)],
    pinned: bool,
}

const ALL: [Talk; 5] = [
    Talk {
        section: "help",
        title: "How to seed well",
        said: &[
            (
                "admin",
                "Keep your client open, and forward its port.\n\n1. Choose a port above 1024\n2. Forward it\n3. See the swarm say *seeding*",
            ),
            ("alice", "My router can do **UPnP**. Is that enough?"),
            (
                "bob",
                "> **alice** wrote:\n>\n> Is that enough?\n\nMostly, @alice. Look whether others reach you.",
            ),
        ],
        pinned: true,
    },
    Talk {
        section: "general",
        title: "What do you watch this week?",
        said: &[
            ("alice", "Sintel again. The dragon gets me every time."),
            (
                "bob",
                "Cosmos Laundromat: a sheep, and more is not to be told.",
            ),
        ],
        pinned: false,
    },
    Talk {
        section: "requests",
        title: "Spring, the open film of 2019",
        said: &[(
            "bob",
            "Has anybody got it in 2160p? I'd seed it for a year.",
        )],
        pinned: false,
    },
    Talk {
        section: "general",
        title: "A topic about demo-secret-marker",
        said: &[(
            "demo-secret-marker",
            "This post holds demo-secret-marker, so that you can look for it.",
        )],
        pinned: false,
    },
    Talk {
        section: "staff",
        title: "The rules for the summer",
        said: &[("admin", "Members don't see this section.")],
        pinned: false,
    },
];

/// Opens the topics and answers in them.
pub(super) async fn fill(commands: &Commands) -> anyhow::Result<()> {
    commands.seed_sections().await?;
    for talk in &ALL {
        let mut said = talk.said.iter();
        let (name, text) = said.next().context("a topic says nothing")?;
        let opener = member(commands, name).await?;
        let (title, text) = (talk.title.to_owned(), (*text).to_owned());
        let opened = commands.open_topic(opener, section(talk.section)?, title, text);
        let topic = opened.await?.of;
        for (name, text) in said {
            let by = member(commands, name).await?;
            commands.reply(by, topic, (*text).to_owned()).await?;
        }
        if talk.pinned {
            let pin = Moderation::Pin(true);
            commands.moderate(opener, topic, pin).await?;
        }
    }
    Ok(())
}

fn section(slug: &str) -> anyhow::Result<SectionId> {
    let found = seeded().into_iter().find(|seed| seed.slug == slug);
    Ok(found.context("a section of the demo is missing")?.id)
}

async fn member(commands: &Commands, name: &str) -> anyhow::Result<MemberId> {
    let member = commands.member_named(&Name::parse(name)?).await?;
    Ok(member.context("a member of the demo is missing")?.id)
}
