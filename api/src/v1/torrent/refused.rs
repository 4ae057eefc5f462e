//! Why a torrent isn't taken, as the API tells it.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use commands::Refusal;
use domain::torrent::Rejection;

use crate::problem::{Problem, sentence};
use crate::web::upload;

pub(super) fn refusal(refused: upload::Refused) -> Response {
    use upload::Refused;
    match refused {
        Refused::File(error) => Problem::field("torrent", &sentence(&error)).into_response(),
        Refused::NoCategory => no_category().into_response(),
        Refused::Rejected(rejection) => rejected(rejection).into_response(),
        Refused::Taken(holder) => {
            let detail = "This torrent is here already.";
            let mut response = Problem::conflict("taken", detail, detail).into_response();
            let path = holder.map(|holder| format!("/api/v1/torrents/{holder}"));
            if let Some(Ok(path)) = path.map(|path| HeaderValue::from_str(&path)) {
                response.headers_mut().insert(header::LOCATION, path);
            }
            response
        }
        Refused::Problem(problem) => problem.into_response(),
    }
}

pub(super) fn no_category() -> Problem {
    Problem::field("category", "There is no such category.")
}

/// Names the field that a torrent's rejection is about, where it is about one.
pub(super) fn rejected(rejection: Rejection) -> Problem {
    let field = match rejection {
        Rejection::DescriptionTooLong => "description",
        Rejection::TooManyTags | Rejection::TagGone => "tags",
        Rejection::CategoryRetired => "category",
        Rejection::ReasonMissing => "reason",
        Rejection::AlreadyUploaded
        | Rejection::Unknown
        | Rejection::AlreadyWithdrawn
        | Rejection::NotWithdrawn
        | Rejection::WithdrawnByStaff
        | Rejection::EndsBehind
        | Rejection::NotWaiting
        | Rejection::Rejected
        | Rejection::NotAsked => return Refusal::Rejected(rejection).into(),
    };
    Problem::field(field, &sentence(&rejection))
}
