//! What a .torrent file holds.
