//! The queries that went worst, with what was found instead.

use std::fmt::{self, Write};

use shortlist_index::Mode;

use super::escape;
use crate::report::{Hard, Report, Run};

/// The table of one set: of the default search where it ran, else of the last setting.
pub(super) fn write(out: &mut String, report: &Report) -> fmt::Result {
    let is_default = |run: &&Run| run.mode == Mode::Hybrid.to_string() && !run.rerank;
    let Some(run) = report.runs.iter().find(is_default).or(report.runs.last()) else { return Ok(()) };
    if run.hardest.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h3>The hardest queries of {}</h3><div class=\"wide\"><table><tr><th class=\"n\">nDCG@10</th><th>query</th>\
         <th>wanted, at rank</th><th>found first</th></tr>",
        escape(&run.setting())
    )?;
    for Hard { id, query, ndcg_at_10, wanted, found } in &run.hardest {
        let rank = |rank: Option<usize>| rank.map_or_else(|| "not found".to_owned(), |rank| rank.to_string());
        let wanted = wanted.iter().map(|(tool, at)| format!("<code>{}</code> {}", escape(tool), rank(*at)));
        let found = found.iter().map(|tool| format!("<code>{}</code>", escape(tool)));
        writeln!(
            out,
            "<tr><td class=\"n\">{ndcg_at_10:.3}</td><td>{} <span class=\"soft\">{}</span></td><td>{}</td><td>{}</td></tr>",
            escape(query),
            escape(id),
            wanted.collect::<Vec<_>>().join("<br>"),
            found.collect::<Vec<_>>().join("<br>")
        )?;
    }
    out.write_str("</table></div>\n")
}
