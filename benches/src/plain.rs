//! [`PlainIndex`]: BM25 over name and description, as it comes out of the box.
//!
//! tantivy's own scorer (k1 1.2, b 0.75) on one field that holds the name and the description, split at everything that is
//! no letter or digit and lower-cased. No stemming, no fields, no parameters, no identifiers taken apart at their humps: what
//! most tool-search servers do, and the figure that ours have to be compared with.

use shortlist_index::Tool;
use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TEXT};
use tantivy::tokenizer::{TextAnalyzer, TokenStream};
use tantivy::{Index, Searcher, TantivyDocument, Term};

/// What the writer is told it may use; a single-segment writer never spills.
const WRITER_BYTES: usize = 64 * 1024 * 1024;

/// The tools in one field, in memory.
pub(crate) struct PlainIndex {
    searcher: Searcher,
    field: Field,
    analyzer: TextAnalyzer,
}

impl PlainIndex {
    /// One segment, whose document ids are the tools' positions.
    pub(crate) fn build(tools: &[Tool]) -> tantivy::Result<Self> {
        let mut schema = Schema::builder();
        let field = schema.add_text_field("text", TEXT);
        let mut writer = Index::builder()
            .schema(schema.build())
            .single_segment_index_writer(RamDirectory::create(), WRITER_BYTES)?;
        for tool in tools {
            let mut document = TantivyDocument::default();
            document.add_text(field, format!("{} {}", tool.name, tool.description));
            writer.add_document(document)?;
        }
        let index = writer.finalize()?;
        let analyzer = index.tokenizer_for_field(field)?;
        Ok(Self { searcher: index.reader()?.searcher(), field, analyzer })
    }

    /// Positions of the first `limit` tools that share a word with the text, best first; of equals the earlier tool.
    pub(crate) fn search(&self, text: &str, limit: usize) -> tantivy::Result<Vec<usize>> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let mut analyzer = self.analyzer.clone();
        let mut words = analyzer.token_stream(text);
        while words.advance() {
            let term = Term::from_field_text(self.field, &words.token().text);
            clauses.push((Occur::Should, Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))));
        }
        let hits = self.searcher.search(&BooleanQuery::new(clauses), &TopDocs::with_limit(limit).order_by_score())?;
        Ok(hits.into_iter().map(|(_, address)| address.doc_id as usize).collect())
    }
}
