//! What a batch claims and lets go.

use domain::Position;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Prepared;

/// The claims of commands that follow one another and of which none lets a claim go, for one statement.
#[derive(Default)]
pub(super) struct Taken {
    scope: Vec<&'static str>,
    key: Vec<Vec<u8>>,
    stream: Vec<Uuid>,
    position: Vec<i64>,
}

impl Taken {
    /// Adds a command's claims.
    pub(super) fn add(&mut self, prepared: &Prepared, at: Position) {
        for claim in &prepared.claims {
            self.scope.push(claim.scope);
            self.key.push(claim.key.to_vec());
            self.stream.push(prepared.stream);
            self.position.push(at.0);
        }
    }

    /// Inserts them and forgets them.
    pub(super) async fn write(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let taken = std::mem::take(self);
        if taken.scope.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into unique_claim (scope, key_hmac, stream_id, position)
             select * from unnest($1::text[], $2::bytea[], $3::uuid[], $4::bigint[])",
        )
        .bind(taken.scope)
        .bind(taken.key)
        .bind(taken.stream)
        .bind(taken.position)
        .execute(to)
        .await
        .map(|_| ())
    }
}

/// Lets a command's claims go, and notes that they were held.
pub(super) async fn release(
    to: &mut PgConnection,
    prepared: &Prepared,
    at: Position,
) -> Result<(), sqlx::Error> {
    for claim in &prepared.releases {
        sqlx::query(
            "with released as (
                 delete from unique_claim where scope = $1 and key_hmac = $2 and stream_id = $3
                 returning scope, key_hmac, stream_id, position)
             insert into released_claim (scope, key_hmac, stream_id, position, released)
             select scope, key_hmac, stream_id, position, $4 from released",
        )
        .bind(claim.scope)
        .bind(claim.key.as_slice())
        .bind(prepared.stream)
        .bind(at.0)
        .execute(&mut *to)
        .await?;
    }
    Ok(())
}
