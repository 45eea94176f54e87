//! Catalogs in, generations out: fetch, normalise, embed, publish.
//!
//! A [`source::Source`] reads a foreign catalog record by record and maps each to a [`draft::Draft`];
//! [`normalize::normalize`] turns a draft into a [`Tool`](shortlist_index::Tool) or a
//! [`Rejection`](shortlist_index::Rejection) with its reason; [`sync`] compares a pass with the last generation, embeds
//! what changed through the [`embedding_cache`], and publishes. [`assets`] brings the third-party files (models, the ONNX
//! runtime, the demo's catalog), each pinned by its hash; [`config`] is `shortlist.toml`; [`network`] is what
//! sources may reach, and the client they reach it with.
//!
//! This crate knows `shortlist-index` and nothing of the server: the two meet at generation files.

pub mod config;
pub mod error;
mod files;
pub mod handling;
pub mod network;

pub mod draft;
pub mod normalize;
pub mod source;

pub mod embedding_cache;
pub mod schedule;
pub mod sync;
pub mod watch;

pub mod remote;

pub mod assets;

#[cfg(feature = "testing")]
pub mod testing;
