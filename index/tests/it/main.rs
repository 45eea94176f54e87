//! The index as its users see it: publish, open, search.

mod access;
mod catalog;
mod duplicates;
mod layers;
mod parts;
mod requests;
mod selectors;
mod store;
mod suspicion;
mod why_not;
