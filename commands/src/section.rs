//! The forum's sections: who makes them, who sees them.
//!
//! Before: `api::web::staff::sections`. After: [`domain::section`].

use domain::id::{MemberId, SectionId};
use domain::section::{Board, Command, Rejection, Section, seeded, slug};
use domain::{Actor, Permission, Position};

use crate::ports::Unavailable;
use crate::{Commands, Done, Refusal};

/// The first letters of an id, where a name has none that an address may hold.
const LETTERS_OF_AN_ID: usize = 8;

impl Commands {
    /// Makes a section; who may change categories does. Refused as `Taken` where its address is another one's.
    pub async fn create_section(
        &self,
        by: MemberId,
        board: Board,
        rank: i32,
    ) -> Result<Done<SectionId>, Refusal<Rejection>> {
        self.require(by, Permission::Categories).await?;
        let section = SectionId(self.new_id());
        let slug = match slug(&board.name) {
            none if none.is_empty() => section.to_string().chars().take(LETTERS_OF_AN_ID).collect(),
            slug => slug,
        };
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(self.claim("section", slug.as_bytes()));
        let command = Command::Create { slug, board, rank };
        let position = self.execute::<Section>(section.0, command, frame).await?;
        Ok(Done {
            of: section,
            position,
        })
    }

    /// Changes what members read of a section, who sees it and where it stands, or retires and reopens
    /// it; who may change categories does.
    pub async fn change_section(
        &self,
        by: MemberId,
        section: SectionId,
        command: Command,
    ) -> Result<Done<SectionId>, Refusal<Rejection>> {
        self.require(by, Permission::Categories).await?;
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<Section>(section.0, command, frame).await?;
        Ok(Done {
            of: section,
            position,
        })
    }

    /// Makes the sections that a site starts with, those that are missing.
    pub async fn seed_sections(&self) -> Result<Position, Refusal<Rejection>> {
        let mut last = Position(0);
        for seed in seeded() {
            if let Section::Made { .. } = self.load(seed.id.0).await? {
                continue;
            }
            let mut frame = self.frame(Actor::System);
            let claim = self.claim("section", seed.slug.as_bytes());
            frame.claims.push(claim);
            let command = Command::Create {
                slug: seed.slug,
                board: seed.board,
                rank: seed.rank,
            };
            match self.execute::<Section>(seed.id.0, command, frame).await {
                Ok(position) => last = position,
                // Another node seeds at the same moment, or the address was given away.
                Err(Refusal::Taken { .. } | Refusal::Rejected(Rejection::AlreadyCreated)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(last)
    }

    /// Tells whether a section that somebody may see is retired; nothing, where they see none.
    pub(crate) async fn seen_section(
        &self,
        section: SectionId,
        is_staff: bool,
    ) -> Result<Option<bool>, Unavailable> {
        Ok(match self.load(section.0).await? {
            Section::Made { board, retired, .. } if is_staff || !board.staff_only => Some(retired),
            Section::Made { .. } | Section::Unknown => None,
        })
    }
}
