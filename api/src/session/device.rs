//! Which browser on which system, in two words; the rest of what a browser says isn't kept.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use domain::address;
use domain::id::MemberId;

use crate::app::App;
use crate::limit::Client;
use crate::problem::Problem;

/// Names the browser and the system of a request.
pub(super) fn of(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT);
    name(
        agent
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
    )
}

/// Notes from where a member signs in, who is told where it is new: the neighbourhood of an address, since
/// most of them change.
pub(super) async fn note(
    app: &App,
    member: MemberId,
    client: Client,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    // A site that is shown as it once stood takes no notes.
    if app.site.as_of.is_some() {
        return Ok(());
    }
    let neighbourhood = match address::plain(client.0) {
        std::net::IpAddr::V4(address) => address.octets().get(..3).map(<[u8]>::to_vec),
        std::net::IpAddr::V6(address) => address.octets().get(..6).map(<[u8]>::to_vec),
    };
    let neighbourhood = neighbourhood.unwrap_or_default();
    let noted = app
        .commands
        .sign_in_from(member, of(headers), &neighbourhood);
    Ok(noted.await?)
}

fn name(agent: &str) -> String {
    let find = |known: &[(&str, &'static str)], other| {
        known
            .iter()
            .find(|(sign, _)| agent.contains(sign))
            .map_or(other, |(_, name)| *name)
    };
    let browser = find(
        &[
            ("Firefox/", "Firefox"),
            ("Edg/", "Edge"),
            ("OPR/", "Opera"),
            ("Chrome/", "Chrome"),
            ("Safari/", "Safari"),
        ],
        "A program",
    );
    let system = find(
        &[
            ("Android", "Android"),
            ("iPhone", "iOS"),
            ("iPad", "iOS"),
            ("Windows", "Windows"),
            ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ],
        "another system",
    );
    format!("{browser} on {system}")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_browser_is_named_without_its_details() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";
        assert_eq!(name(agent), "Chrome on Linux");
        assert_eq!(name("curl/8"), "A program on another system");
    }
}
