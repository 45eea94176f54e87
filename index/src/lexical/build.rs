//! Writes the posting lists.

use std::path::Path;

use rayon::prelude::*;
use tantivy::TantivyDocument;
use tantivy::index::Index;
use tantivy::tokenizer::{PreTokenizedString, Token};

use super::{analyzer, fields};
use crate::tool::Tool;

/// What the writer is told it may use. A single-segment writer never spills: it takes what the postings need, some 200 MB for
/// 100,000 tools.
const WRITER_BYTES: usize = 512 * 1024 * 1024;
/// How many tools are analysed in parallel before they are written.
const CHUNK: usize = 4_096;

/// Indexes the tools into `dir`, an empty folder, as a single segment whose document ids are the tools' positions.
///
/// One segment and one writing thread make the same tools give the same answers; analysis, which is most of the work, is
/// parallel. (tantivy names its files at random, so the folder's names differ from build to build.)
pub(crate) fn build(dir: &Path, tools: &[Tool]) -> tantivy::Result<()> {
    let (schema, fields) = fields::schema();
    let mut writer = Index::builder()
        .schema(schema)
        .single_segment_index_writer(tantivy::directory::MmapDirectory::open(dir)?, WRITER_BYTES)?;
    for chunk in tools.chunks(CHUNK) {
        let documents: Vec<TantivyDocument> = chunk
            .par_iter()
            .map(|tool| {
                let mut document = TantivyDocument::default();
                for (field, text) in fields.iter().zip(fields::texts(tool)) {
                    let tokens = analyzer::terms(&text)
                        .into_iter()
                        .enumerate()
                        .map(|(position, text)| Token { position, text, ..Token::default() })
                        .collect();
                    document.add_pre_tokenized_text(*field, PreTokenizedString { text: String::new(), tokens });
                }
                document
            })
            .collect();
        for document in documents {
            writer.add_document(document)?;
        }
    }
    writer.finalize()?;
    Ok(())
}
