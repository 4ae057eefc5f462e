//! The web edge.

pub mod app;
