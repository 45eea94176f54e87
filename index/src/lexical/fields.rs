//! Which texts of a tool are searched, and how much each counts.

use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};

use crate::tool::Tool;

/// How many fields there are.
pub(crate) const N_FIELDS: usize = 5;

/// The fields' names in the index, in the order of [`FIELD_WEIGHTS`].
const FIELD_NAMES: [&str; N_FIELDS] = ["name", "title", "namespace", "description", "parameters"];

/// The name's place among them.
pub(crate) const NAME: usize = 0;

/// What an occurrence in each field counts. Measured in coarse steps on the development sets (`benches/HISTORY.md`): names
/// tell siblings apart, parameters' prose repeats from tool to tool.
pub(crate) const FIELD_WEIGHTS: [f32; N_FIELDS] = [3.0, 2.0, 1.0, 1.0, 0.5];

/// How much a field's length counts against it (BM25's b): little where texts are names, as usual (0.75) where they are
/// prose.
pub(crate) const FIELD_B: [f32; N_FIELDS] = [0.3, 0.3, 0.3, 0.75, 0.75];

/// How soon repetition saturates (BM25's k1); the usual value.
pub(crate) const K1: f32 = 1.2;

/// Terms of each field, summed over an allowed set: what BM25's average lengths are made of.
pub(crate) type FieldLengths = [u64; N_FIELDS];

/// The tantivy schema: five fields of terms with frequencies, nothing stored.
pub(crate) fn schema() -> (Schema, [Field; N_FIELDS]) {
    let mut builder = Schema::builder();
    // The terms come from our analyzer as they are to be indexed; no tokenizer runs inside tantivy.
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::WithFreqs)
        .set_fieldnorms(true);
    let options = TextOptions::default().set_indexing_options(indexing);
    let fields = FIELD_NAMES.map(|name| builder.add_text_field(name, options.clone()));
    (builder.build(), fields)
}

/// The text of each field.
pub(crate) fn texts(tool: &Tool) -> [String; N_FIELDS] {
    let parameters = tool.input_schema.as_ref().map(|schema| {
        let mut text = String::new();
        for parameter in schema.parameters() {
            text.push_str(&parameter.name);
            text.push_str(" \n");
            text.push_str(&parameter.description);
            text.push('\n');
        }
        text
    });
    [
        tool.name.clone(),
        tool.title.clone().unwrap_or_default(),
        tool.reference.namespace().to_owned(),
        tool.description.clone(),
        parameters.unwrap_or_default(),
    ]
}
