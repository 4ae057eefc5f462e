//! Very many torrents with comments and topics, made up number by number: what a number makes never
//! depends on how many are wanted, so a fill that was broken off goes on, and one may grow later.
//!
//! Of fifty torrents one has 101 comments and the others one each, and ten torrents bring a topic, of
//! which one in ten has 110 posts and the others ten each: five comments and posts to a torrent.

use anyhow::Context as _;
use commands::Commands;
use commands::bulk::Laid;
use commands::request::{Key, request};
use commands::user::Join;
use domain::comment::Said;
use domain::id::{CategoryId, CommandId, MemberId, PostId, SectionId, TagId, TorrentId};
use domain::topic::{Command, Opening, Topic, Writer};
use domain::torrent::Upload;
use domain::user::{Credentials, Name, Role};
use domain::{Actor, metainfo};
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::{WORDS, sample};

/// Torrents that are laid, with all that is said about them, before the next ones are.
const BLOCK: u32 = 1_000;
/// Torrents for which one more member joins.
const PER_MEMBER: u32 = 100;
/// Torrents that bring a topic.
const PER_TOPIC: u32 = 10;
/// Commands that are under way at once.
const AT_ONCE: usize = 768;
/// Members who talk in a topic.
const TALKERS: u64 = 5;

/// What is there before, and what everything is made of.
pub(super) struct Scale<'a> {
    pub(super) commands: &'a Commands,
    /// The site's source, which stands in every torrent.
    pub(super) source: &'a str,
    /// The demo's administrator, by whom ids of different demos differ.
    pub(super) admin: MemberId,
    pub(super) tags: Vec<TagId>,
    pub(super) shelves: Vec<CategoryId>,
    pub(super) boards: Vec<SectionId>,
    /// What is kept of the password of the members that join.
    pub(super) credentials: Credentials,
    /// How many torrents are wanted.
    pub(super) torrents: u32,
}

impl Scale<'_> {
    /// Lays what isn't there yet; `seen` is told how many torrents are.
    pub(super) async fn fill(&self, mut seen: impl FnMut(u32)) -> anyhow::Result<()> {
        let mut block = self.first_missing().await?;
        while block * BLOCK < self.torrents {
            seen(block * BLOCK);
            self.members(block).await?;
            self.lay(block).await?;
            block += 1;
        }
        Ok(())
    }

    /// Finds the first block that isn't whole: the last comment of each is laid when all else is.
    async fn first_missing(&self) -> anyhow::Result<u32> {
        let (mut whole, mut missing) = (0, self.torrents.div_ceil(BLOCK));
        while whole < missing {
            let middle = whole.midpoint(missing);
            let last = self.end(middle) - 1;
            let mark = self.command(self.id("comment", last, 0), last);
            if self.commands.is_laid(mark).await? {
                whole = middle + 1;
            } else {
                missing = middle;
            }
        }
        Ok(whole)
    }

    /// Gives the number behind a block's last torrent.
    fn end(&self, block: u32) -> u32 {
        self.torrents.min((block + 1) * BLOCK)
    }

    async fn members(&self, block: u32) -> anyhow::Result<()> {
        let joining = (0..BLOCK / PER_MEMBER).map(|place| async move {
            let number = block * (BLOCK / PER_MEMBER) + place;
            let join = Join {
                name: Name::parse(&format!("demo-{number}"))?,
                credentials: self.credentials.clone(),
            };
            let joined = self.commands.create_member(join, Role::Member);
            Box::pin(request(Some(self.member_key(number)), joined))
                .await
                .0?;
            anyhow::Ok(())
        });
        futures::future::try_join_all(joining).await.map(|_| ())
    }

    async fn lay(&self, block: u32) -> anyhow::Result<()> {
        let (first, end) = (block * BLOCK, self.end(block));
        let torrents = (first..end).map(|number| self.torrent(number).boxed());
        at_once(torrents).await?;
        let topics = (first.div_ceil(PER_TOPIC)..end.div_ceil(PER_TOPIC))
            .map(|number| self.topic(number).boxed());
        let comments = (first..end).flat_map(|torrent| {
            let kept = u32::from(torrent + 1 == end);
            (kept..comments_of(torrent)).map(move |place| self.comment(torrent, place).boxed())
        });
        at_once(topics.chain(comments)).await?;
        self.comment(end - 1, 0).await
    }

    async fn torrent(&self, number: u32) -> anyhow::Result<()> {
        let mut dice = Dice::of("torrent", number, 0);
        let (one, other) = (dice.word(), dice.word());
        let name = format!("{one}.{other}.{}.{number:07}", 1950 + dice.below(75));
        // Small ones are as frequent as large ones: from a megabyte to two gigabytes.
        let length = (1_000_000 << dice.below(11)) + dice.below(900_000);
        let piece = (length / 16).next_power_of_two().clamp(16 << 10, 64 << 20);
        let file = sample::written(&name, length, piece, self.source);
        let checked = metainfo::read(&file, self.source)?;
        let marks = dice.below(4);
        let tags = self.tags.iter().skip(dice.place(self.tags.len()));
        let upload = Upload {
            uploader: self.member(&mut dice, number),
            name: checked.name,
            category: dice.one_of(&self.shelves)?,
            description: format!("**{one} {other}**\n\n{}", dice.sentence(30)),
            info_hash: checked.info_hash,
            info_hash_v2: checked.info_hash_v2,
            size: checked.size,
            piece_length: checked.piece_length,
            files: checked.files,
            metainfo: checked.metainfo,
            tags: tags.take(usize::try_from(marks)?).copied().collect(),
            pending: false,
        };
        let id = self.id("torrent", number, 0);
        let place = (TorrentId(id), self.command(id, number));
        self.commands.lay_torrent(place, upload).await?;
        Ok(())
    }

    async fn comment(&self, torrent: u32, place: u32) -> anyhow::Result<()> {
        let mut dice = Dice::of("comment", torrent, place);
        let said = Said {
            torrent: TorrentId(self.id("torrent", torrent, 0)),
            author: self.member(&mut dice, torrent),
            text: dice.sentence(12),
        };
        let id = self.id("comment", torrent, place);
        let place = (id, self.command(id, torrent));
        self.commands.lay_comment(place, said).await?;
        Ok(())
    }

    /// Lays a topic post by post, as each is numbered behind the one before.
    async fn topic(&self, number: u32) -> anyhow::Result<()> {
        let mut dice = Dice::of("topic", number, 0);
        let torrent = number * PER_TOPIC;
        let talkers: Vec<MemberId> = (0..TALKERS)
            .map(|_| self.member(&mut dice, torrent))
            .collect();
        let id = self.id("topic", number, 0);
        let mut topic = Laid::<Topic>::new(id);
        for place in 0..posts_of(number) {
            let member = dice.one_of(&talkers)?;
            let text = dice.sentence(25);
            let (post, command) = if place == 0 {
                let opening = Opening {
                    section: dice.one_of(&self.boards)?,
                    author: member,
                    title: dice.sentence(5),
                    post: PostId(id),
                    mentioned: vec![],
                    text,
                };
                (id, Command::Open(opening))
            } else {
                let post = self.id("topic", number, place);
                let is_staff = false;
                let reply = Command::Reply {
                    by: Writer { member, is_staff },
                    post: PostId(post),
                    text,
                    quotes: [].into(),
                    mentioned: vec![],
                };
                (post, reply)
            };
            let mark = self.command(post, torrent);
            let by = Actor::Member(member);
            self.commands
                .lay_post(&mut topic, mark, command, by)
                .await?;
        }
        Ok(())
    }

    fn id(&self, kind: &str, number: u32, place: u32) -> Uuid {
        let name = format!("demo/{kind}/{number}/{place}");
        Uuid::new_v5(&self.admin.0, name.as_bytes())
    }

    /// Gives the id of the command that makes something: in an index it stands near those of its time.
    #[expect(
        clippy::unused_self,
        reason = "it reads beside the id that it is made of"
    )]
    fn command(&self, of: Uuid, number: u32) -> CommandId {
        let mut bytes = of.into_bytes();
        if let Some(front) = bytes.first_chunk_mut() {
            *front = number.to_be_bytes();
        }
        CommandId(Uuid::from_bytes(bytes))
    }

    fn member_key(&self, number: u32) -> Key {
        Key::new(self.admin, "demo", &number.to_string())
    }

    /// Gives one of the members who are there when a torrent is.
    fn member(&self, dice: &mut Dice, torrent: u32) -> MemberId {
        let there = (torrent / BLOCK + 1) * (BLOCK / PER_MEMBER);
        let number = u32::try_from(dice.below(there.into())).unwrap_or(0);
        MemberId(self.member_key(number).made())
    }
}

fn comments_of(torrent: u32) -> u32 {
    if torrent % 50 == 49 { 101 } else { 1 }
}

fn posts_of(topic: u32) -> u32 {
    if topic % 10 == 9 { 110 } else { 10 }
}

/// Does all of it, so much at once.
async fn at_once<'a>(
    work: impl Iterator<Item = BoxFuture<'a, anyhow::Result<()>>>,
) -> anyhow::Result<()> {
    let under_way = stream::iter(work).buffer_unordered(AT_ONCE);
    under_way.try_collect::<()>().await
}

/// Numbers that look random and are always the same (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn of(kind: &str, number: u32, place: u32) -> Self {
        let kind = kind.bytes().fold(0, |so_far: u64, letter| {
            so_far.wrapping_mul(257) ^ u64::from(letter)
        });
        let mut dice = Self(kind << 40 ^ u64::from(number) << 8 ^ u64::from(place));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn place(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(1);
        usize::try_from(self.below(length)).unwrap_or(0)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> anyhow::Result<T> {
        let found = all.get(self.place(all.len())).copied();
        found.context("there is nothing to choose from")
    }

    /// A word, the first ones more often.
    fn word(&mut self) -> &'static str {
        let place = self.place(WORDS.len()).min(self.place(WORDS.len()));
        WORDS.get(place).copied().unwrap_or("linux")
    }

    fn sentence(&mut self, words: usize) -> String {
        let words: Vec<&str> = (0..words).map(|_| self.word()).collect();
        words.join(" ") + "."
    }
}
