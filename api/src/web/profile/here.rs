//! When a member was here last, by what is kept of their sessions anyway and nothing else.

use domain::Permission;
use domain::id::MemberId;
use maud::{Markup, html};
use time::{Date, OffsetDateTime};

use crate::app::App;
use crate::problem::Problem;
use crate::session::{self, SignedIn};

/// When a member was here last.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Here {
    /// The day of a session's last request, in UTC.
    On(Date),
    /// They are signed in nowhere; of sessions that are over nothing is kept.
    Nowhere,
}

impl Here {
    /// Tells it to the member, and to who keeps order among members.
    pub(super) async fn of(
        app: &App,
        signed_in: &SignedIn,
        member: MemberId,
    ) -> Result<Option<Self>, Problem> {
        let may = member == signed_in.profile.id || signed_in.may(Permission::Members);
        // A site that is shown as it once stood has nobody's sessions of then.
        if !may || app.site.as_of.is_some() {
            return Ok(None);
        }
        let sessions = session::list(app, member).await?;
        let latest = sessions.first().map(|(_, session)| session.seen);
        let latest = latest.and_then(|seen| OffsetDateTime::from_unix_timestamp(seen).ok());
        Ok(Some(latest.map_or(Self::Nowhere, |at| Self::On(at.date()))))
    }

    pub(super) fn shown(self) -> Markup {
        match self {
            Self::On(day) => html! { time datetime=(day) { (day) } },
            Self::Nowhere => html! { "signed in nowhere" },
        }
    }
}
