//! Two real clients.
