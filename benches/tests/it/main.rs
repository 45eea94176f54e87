//! The bench on real files, with the real index. Vectors come from feature hashing, so no model is needed.

mod attacks;
mod confidence;
mod dataset;
mod evaluation;
mod fuzz;
mod relevance;
mod support;
