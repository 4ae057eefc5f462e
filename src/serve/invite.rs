//! Invites whose time is over come back to who made them.

use std::time::Duration;

use commands::{Commands, Refusal};
use domain::user::Rejection;
use projections::{Reads, invite};
use time::OffsetDateTime;
use tokio::sync::watch;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);

/// Looks again and again until `stop` turns true; every node may do it.
pub(super) async fn follow(commands: Commands, reads: Reads, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = look(&commands, &reads).await {
            tracing::warn!(%error, "invites can't be looked at");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn look(commands: &Commands, reads: &Reads) -> anyhow::Result<()> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for (issuer, invite) in invite::over(reads, now).await? {
        match commands.expire_invite(issuer, invite, now).await {
            // Somebody used or revoked it at the last moment.
            Ok(_) | Err(Refusal::Rejected(Rejection::InviteUsed | Rejection::InviteUnknown)) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(())
}
