//! Schemas of what is written alike in several requests.

use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use crate::limits::{DETAILS_REFS_MAX, FILTER_VALUE_CHARS_MAX, FILTER_VALUES_MAX};

/// The format of refs, for whoever generates them: `<source>://<namespace>.<name>[@<semver>]` in its one spelling, which no
/// pattern can tell.
pub(crate) const REF_FORMAT: &str = "tool-ref";

/// A list of exact values of a filter.
pub(crate) fn values(description: &str) -> Array {
    let value = ObjectBuilder::new().schema_type(Type::String).max_length(Some(FILTER_VALUE_CHARS_MAX));
    ArrayBuilder::new().items(value).max_items(Some(FILTER_VALUES_MAX)).description(Some(description)).build()
}

/// A list of refs.
pub(crate) fn refs() -> Array {
    let reference = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(utoipa::openapi::SchemaFormat::Custom(REF_FORMAT.to_owned())))
        .max_length(Some(shortlist_index::REF_BYTES_MAX));
    let described = "The tools; a ref without a version means the newest.";
    let refs = ArrayBuilder::new().items(reference).min_items(Some(1)).max_items(Some(DETAILS_REFS_MAX));
    refs.description(Some(described)).build()
}
