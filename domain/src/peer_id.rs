//! How a client names itself for one session (BEP 3, BEP 20).

/// Twenty bytes that a client chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);
