//! Which clients may announce, by how their peer ids begin (BEP 20).

/// The clients that may announce; none named means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clients(Vec<Allowed>);

/// A client, from a version on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowed {
    prefix: Vec<u8>,
    least: Vec<u32>,
}

impl Clients {
    /// Reads a list: on each line how a peer id begins, and the least version where that matters.
    /// Gives the number of the first line that can't be read.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let lines = text.lines().enumerate();
        let said = lines.filter(|(_, line)| !line.trim().is_empty());
        let read = |(number, line): (usize, &str)| allowed(line).ok_or(number + 1);
        said.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Tells whether a client may announce.
    pub fn allow(&self, id: &[u8; 20]) -> bool {
        self.0.is_empty() || self.0.iter().any(|allowed| allowed.fits(id))
    }
}

fn allowed(line: &str) -> Option<Allowed> {
    let mut words = line.split_whitespace();
    let (prefix, version) = (words.next()?, words.next());
    if words.next().is_some() || prefix.len() > 20 || !prefix.is_ascii() {
        return None;
    }
    let least = match version {
        Some(version) => version
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?,
        None => vec![],
    };
    Some(Allowed {
        prefix: prefix.into(),
        least,
    })
}

impl Allowed {
    fn fits(&self, id: &[u8; 20]) -> bool {
        let Some(rest) = id.strip_prefix(self.prefix.as_slice()) else {
            return false;
        };
        self.least.is_empty() || version(rest) >= self.least
    }
}

/// Reads the version behind a prefix: a digit each as in `-qB4520-`, or parted by hyphens as in
/// `A2-1-36-0-`; letters count on from 9.
fn version(rest: &[u8]) -> Vec<u32> {
    let parted = rest.iter().take(8).filter(|byte| **byte == b'-').count() > 1;
    if parted {
        let text = String::from_utf8_lossy(rest);
        return text
            .split('-')
            .map_while(|part| part.parse().ok())
            .collect();
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(36);
    rest.iter()
        .take_while(|byte| **byte != b'-')
        .map_while(digit)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> [u8; 20] {
        let mut id = [b'x'; 20];
        id[..text.len()].copy_from_slice(text.as_bytes());
        id
    }

    #[test]
    fn a_client_is_known_by_its_prefix_and_version() {
        let clients = Clients::parse("-qB 4.5.0\n\nA2- 1.36\n-TR\n").unwrap();
        for (peer, may) in [
            ("-qB4520-", true),
            ("-qB4500-", true),
            ("-qB4490-", false),
            ("-qB5000-", true),
            ("A2-1-36-0-", true),
            ("A2-1-35-9-", false),
            ("-TR3000-", true),
            ("-TR400Z-", true),
            ("-UT3550-", false),
        ] {
            assert_eq!(clients.allow(&id(peer)), may, "{peer}");
        }
        assert!(Clients::default().allow(&id("-UT3550-")));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        assert_eq!(Clients::parse("-qB\n-TR four"), Err(2));
        assert_eq!(Clients::parse("-qB 4 5"), Err(1));
        assert_eq!(Clients::parse("ÄÖ"), Err(1));
    }
}
