//! `tools.arrow`: the tools of a layer, a row each, in ref order.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, LargeListArray, LargeListBuilder, LargeStringArray,
    LargeStringBuilder, RecordBatch,
};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use arrow::error::ArrowError;

use super::ipc;
use super::judged::Judged;
use crate::schema::Schema;
use crate::scopes::ScopeRequirement;
use crate::suspicion::Suspicion;
use crate::tool::{Annotations, ContentHash, Execution, Provenance, Tool};
use crate::tool_ref::ToolRef;

/// Bytes of a content hash (SHA-256).
const HASH_BYTES: i32 = 32;

/// Tools as columns, memory-mapped. A row is read when it is asked for.
pub(crate) struct ToolTable {
    n_rows: usize,
    references: LargeStringArray,
    names: LargeStringArray,
    titles: LargeStringArray,
    descriptions: LargeStringArray,
    input_schemas: LargeStringArray,
    output_schemas: LargeStringArray,
    annotations: [BooleanArray; 4],
    tags: LargeListArray,
    modes: LargeStringArray,
    auth_types: LargeStringArray,
    requires_obo: BooleanArray,
    required_scopes: LargeStringArray,
    deprecations: LargeStringArray,
    source_types: LargeStringArray,
    foreign_ids: LargeStringArray,
    content_hashes: FixedSizeBinaryArray,
    judged: Judged,
}

impl ToolTable {
    /// Writes the tools, already in ref order.
    pub fn write(path: &Path, tools: &[Tool]) -> Result<(), ArrowError> {
        let text = |of: &dyn Fn(&Tool) -> Option<String>| -> ArrayRef {
            Arc::new(LargeStringArray::from_iter(tools.iter().map(of)))
        };
        let flag = |of: &dyn Fn(&Tool) -> Option<bool>| -> ArrayRef {
            Arc::new(BooleanArray::from_iter(tools.iter().map(of)))
        };
        let mut tags = LargeListBuilder::new(LargeStringBuilder::new());
        for tool in tools {
            tags.append_value(tool.tags.iter().map(Some));
        }
        let hashes: Vec<u8> = tools.iter().flat_map(|tool| tool.content_hash().0).collect();
        let columns: Vec<ArrayRef> = vec![
            text(&|tool| Some(tool.reference.to_string())),
            text(&|tool| Some(tool.name.clone())),
            text(&|tool| tool.title.clone()),
            text(&|tool| Some(tool.description.clone())),
            text(&|tool| tool.input_schema.as_ref().map(|schema| schema.as_str().to_owned())),
            text(&|tool| tool.output_schema.as_ref().map(|schema| schema.as_str().to_owned())),
            flag(&|tool| tool.annotations.read_only),
            flag(&|tool| tool.annotations.destructive),
            flag(&|tool| tool.annotations.idempotent),
            flag(&|tool| tool.annotations.open_world),
            Arc::new(tags.finish()),
            text(&|tool| tool.execution.mode.clone()),
            text(&|tool| tool.execution.auth_type.clone()),
            flag(&|tool| Some(tool.execution.requires_obo)),
            text(&|tool| Some(tool.required_scopes.to_canonical())),
            text(&|tool| tool.deprecation.clone()),
            text(&|tool| Some(tool.provenance.source_type.clone())),
            text(&|tool| Some(tool.provenance.foreign_id.clone())),
            Arc::new(FixedSizeBinaryArray::try_new(HASH_BYTES, hashes.into(), None)?),
        ];
        ipc::write(path, &RecordBatch::try_new(Arc::new(schema()), columns)?)
    }

    /// Maps what [`ToolTable::write`] wrote. Milliseconds: Arrow checks that the texts are UTF-8.
    pub fn open(path: &Path) -> Result<Self, ArrowError> {
        let batch = ipc::open(path, &schema())?;
        let text = |place: usize| ipc::column::<LargeStringArray>(batch.column(place)).cloned();
        let flag = |place: usize| ipc::column::<BooleanArray>(batch.column(place)).cloned();
        Ok(Self {
            n_rows: batch.num_rows(),
            references: text(0)?,
            names: text(1)?,
            titles: text(2)?,
            descriptions: text(3)?,
            input_schemas: text(4)?,
            output_schemas: text(5)?,
            annotations: [flag(6)?, flag(7)?, flag(8)?, flag(9)?],
            tags: ipc::column::<LargeListArray>(batch.column(10))?.clone(),
            modes: text(11)?,
            auth_types: text(12)?,
            requires_obo: flag(13)?,
            required_scopes: text(14)?,
            deprecations: text(15)?,
            source_types: text(16)?,
            foreign_ids: text(17)?,
            content_hashes: ipc::column::<FixedSizeBinaryArray>(batch.column(18))?.clone(),
            judged: Judged::new(batch.num_rows()),
        })
    }

    /// How many tools there are.
    pub fn len(&self) -> usize {
        self.n_rows
    }

    /// A tool's printed ref.
    pub fn reference_text(&self, row: usize) -> &str {
        self.references.value(row)
    }

    /// A tool's ref.
    pub fn reference(&self, row: usize) -> Result<ToolRef, ArrowError> {
        self.references
            .value(row)
            .parse()
            .map_err(|error| ArrowError::ParseError(format!("row {row}: {error}: {}", self.references.value(row))))
    }

    /// A tool's required scopes.
    pub fn required_scopes(&self, row: usize) -> Result<ScopeRequirement, ArrowError> {
        ScopeRequirement::from_canonical(self.required_scopes.value(row))
            .ok_or_else(|| ArrowError::ParseError(format!("row {row}: required scopes are no list of lists")))
    }

    /// What a tool's source calls it.
    pub fn name(&self, row: usize) -> &str {
        self.names.value(row)
    }

    /// What a tool's source calls its record.
    pub fn foreign_id(&self, row: usize) -> &str {
        self.foreign_ids.value(row)
    }

    /// What a tool says that it does: its title, where it has one, and its description.
    pub fn says(&self, row: usize) -> [&str; 2] {
        let title = if self.titles.is_valid(row) { self.titles.value(row) } else { "" };
        [title, self.descriptions.value(row)]
    }

    /// What a tool takes.
    pub fn input_schema(&self, row: usize) -> Option<Schema> {
        let column = &self.input_schemas;
        column.is_valid(row).then(|| Schema::from_canonical(column.value(row).to_owned()))
    }

    /// What a tool's text gives cause to suspect. Costs a pass over the text when it is first asked for.
    pub fn suspicion(&self, row: usize) -> Option<Suspicion> {
        let [title, description] = self.says(row);
        let judge = || Suspicion::of_texts([self.name(row), title, description], self.input_schema(row).as_ref());
        self.judged.of(row, judge)
    }

    /// The text of a tool's required scopes: equal texts, equal requirements.
    pub fn required_scopes_text(&self, row: usize) -> &str {
        self.required_scopes.value(row)
    }

    /// The hash by which an unchanged tool is recognised, as it was when the table was written.
    pub fn content_hash(&self, row: usize) -> ContentHash {
        // The column's type was compared when the file was opened, so every value has the length.
        ContentHash(self.content_hashes.value(row).try_into().unwrap_or_default())
    }

    /// Whether a tool is deprecated.
    pub fn is_deprecated(&self, row: usize) -> bool {
        self.deprecations.is_valid(row)
    }

    /// What a tool claims of its effects.
    pub fn annotations(&self, row: usize) -> Annotations {
        let [read_only, destructive, idempotent, open_world] =
            self.annotations.each_ref().map(|column| column.is_valid(row).then(|| column.value(row)));
        Annotations { read_only, destructive, idempotent, open_world }
    }

    /// A tool's tags.
    pub fn tags(&self, row: usize) -> Result<Vec<String>, ArrowError> {
        let tags = self.tags.value(row);
        let tags = ipc::column::<LargeStringArray>(&tags)?;
        Ok(tags.iter().flatten().map(str::to_owned).collect())
    }

    /// The whole tool. Costs a copy of its texts.
    pub fn tool(&self, row: usize) -> Result<Tool, ArrowError> {
        let text = |column: &LargeStringArray| column.is_valid(row).then(|| column.value(row).to_owned());
        Ok(Tool {
            reference: self.reference(row)?,
            name: self.names.value(row).to_owned(),
            title: text(&self.titles),
            description: self.descriptions.value(row).to_owned(),
            input_schema: text(&self.input_schemas).map(Schema::from_canonical),
            output_schema: text(&self.output_schemas).map(Schema::from_canonical),
            annotations: self.annotations(row),
            tags: self.tags(row)?,
            execution: Execution {
                mode: text(&self.modes),
                auth_type: text(&self.auth_types),
                requires_obo: self.requires_obo.value(row),
            },
            required_scopes: self.required_scopes(row)?,
            deprecation: text(&self.deprecations),
            provenance: Provenance {
                source_type: self.source_types.value(row).to_owned(),
                foreign_id: self.foreign_ids.value(row).to_owned(),
            },
        })
    }
}

fn schema() -> ArrowSchema {
    let text = |name: &str| Field::new(name, DataType::LargeUtf8, true);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    let tags = DataType::LargeList(Arc::new(Field::new_list_field(DataType::LargeUtf8, true)));
    ArrowSchema::new(vec![
        text("ref"),
        text("name"),
        text("title"),
        text("description"),
        text("input_schema"),
        text("output_schema"),
        flag("read_only"),
        flag("destructive"),
        flag("idempotent"),
        flag("open_world"),
        Field::new("tags", tags, true),
        text("mode"),
        text("auth_type"),
        flag("requires_obo"),
        text("required_scopes"),
        text("deprecation"),
        text("source_type"),
        text("foreign_id"),
        Field::new("content_hash", DataType::FixedSizeBinary(HASH_BYTES), false),
    ])
}
