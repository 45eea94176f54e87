//! [`Columns`]: which columns of a file are read, and that each has its type.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::schema::types::SchemaDescriptor;
use serde_json::{Map, Value};

use super::cell;

/// What a column holds.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    /// JSON as text.
    Json,
    Texts,
    ListsOfTexts,
    TextOrFlag,
    Flags,
    TextsAndFlags,
}

/// Every key of the format, what its column holds, and whether the column must be there.
const KEYS: [(&str, Shape, bool); 13] = [
    ("id", Shape::Text, true),
    ("namespace", Shape::Text, true),
    ("name", Shape::Text, true),
    ("description", Shape::Text, false),
    ("title", Shape::Text, false),
    ("version", Shape::Text, false),
    ("input_schema", Shape::Json, false),
    ("output_schema", Shape::Json, false),
    ("tags", Shape::Texts, false),
    ("required_scopes", Shape::ListsOfTexts, false),
    ("deprecation", Shape::TextOrFlag, false),
    ("annotations", Shape::Flags, false),
    ("execution", Shape::TextsAndFlags, false),
];

impl Shape {
    fn said(self) -> &'static str {
        match self {
            Self::Text => "texts",
            Self::Json => "JSON as text",
            Self::Texts => "lists of texts",
            Self::ListsOfTexts => "lists of lists of texts",
            Self::TextOrFlag => "texts or booleans",
            Self::Flags => "structs of booleans",
            Self::TextsAndFlags => "structs of texts and booleans",
        }
    }

    /// Whether a column of that type can hold it. One without a type holds nulls only.
    fn fits(self, kind: &DataType) -> bool {
        let is_text = |kind: &DataType| *kind == DataType::Utf8;
        let is_flag = |kind: &DataType| *kind == DataType::Boolean;
        let item = |kind: &DataType, fits: &dyn Fn(&DataType) -> bool| match kind {
            DataType::List(field) => fits(field.data_type()),
            _ => false,
        };
        let fields = |fits: &dyn Fn(&DataType) -> bool| match kind {
            DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).all(fits),
            _ => false,
        };
        *kind == DataType::Null
            || match self {
                Self::Text | Self::Json => is_text(kind),
                Self::Texts => item(kind, &is_text),
                Self::ListsOfTexts => item(kind, &|inner| item(inner, &is_text)),
                Self::TextOrFlag => is_text(kind) || is_flag(kind),
                Self::Flags => fields(&is_flag),
                Self::TextsAndFlags => fields(&|kind| is_text(kind) || is_flag(kind)),
            }
    }
}

/// The columns of the format that a file has.
pub(super) struct Columns {
    /// Name, shape and place among the file's columns, in the file's order.
    found: Vec<(&'static str, Shape, usize)>,
}

impl Columns {
    /// Looks for every key; says in words what is wrong with the file.
    pub(super) fn find(schema: &Schema) -> Result<Self, String> {
        let mut found = Vec::new();
        for (key, shape, required) in KEYS {
            let mut places = schema.fields().iter().enumerate().filter(|(_, field)| field.name() == key);
            match (places.next(), places.next()) {
                (Some((place, field)), None) if shape.fits(field.data_type()) => found.push((key, shape, place)),
                (Some((_, field)), None) => {
                    return Err(format!(
                        "has a column {key:?} of {}, and it holds {}",
                        field.data_type(),
                        shape.said()
                    ));
                }
                (Some(_), Some(_)) => return Err(format!("has two columns named {key:?}")),
                (None, _) if required => {
                    let names: Vec<&str> =
                        schema.fields().iter().map(|field: &_| Field::name(field).as_str()).take(20).collect();
                    return Err(format!("has no column {key:?}; it has {names:?}"));
                }
                (None, _) => {}
            }
        }
        found.sort_by_key(|(_, _, place)| *place);
        Ok(Self { found })
    }

    /// What is read of the file.
    pub(super) fn mask(&self, schema: &SchemaDescriptor) -> ProjectionMask {
        ProjectionMask::roots(schema, self.found.iter().map(|(_, _, place)| *place))
    }

    /// The leaf columns below them.
    pub(super) fn leaves(&self, schema: &SchemaDescriptor) -> Vec<usize> {
        let is_ours = |leaf: &usize| {
            let root = schema.get_column_root_idx(*leaf);
            self.found.iter().any(|(_, _, place)| *place == root)
        };
        (0..schema.num_columns()).filter(is_ours).collect()
    }

    /// A row as the object that it would be in JSON; what is to be said of it when it is none. `budget` is what may still be
    /// read of it, in bytes.
    pub(super) fn row(
        &self,
        batch: &RecordBatch,
        row: usize,
        budget: &mut usize,
    ) -> Result<Map<String, Value>, String> {
        let mut object = Map::new();
        for ((key, shape, _), column) in self.found.iter().zip(batch.columns()) {
            let value = match (shape, cell::value(column, row, budget)?) {
                (Shape::Json, Value::String(text)) => serde_json::from_str(&text)
                    .map_err(|error| format!("is not of the format: its {key:?} is no JSON: {error}"))?,
                (_, value) => value,
            };
            object.insert((*key).to_owned(), value);
        }
        Ok(object)
    }
}
