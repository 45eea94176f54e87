//! A report as one page that needs nothing else: no scripts, no fonts, no pictures from anywhere. Plots are inline SVG.
//!
//! Names, queries and tools come from catalogs that anybody wrote, so every text goes through `escape` on its way in.

mod chart;
mod frame;
mod growth;
mod hardest;
mod load;
mod plot;

use std::fmt::{self, Write};

use crate::differences::Row;
use crate::evaluation::Evaluation;
use crate::metrics::Figures;
use crate::report::{Part, Report};

pub use self::growth::growth_page;
pub use self::load::load_page;

/// The page. `against` are the differences to a saved run, where one was compared.
pub fn page(evaluation: &Evaluation, against: &[Row]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut out, evaluation, against);
    out
}

const STYLE: &str = "
:root { --ink: #1d2330; --soft: #667085; --line: #d5d9e0; --page: #fff; --good: #067647; --bad: #b42318;
  --bm25-plain: #8a8f98; --lexical: #d98e04; --dense: #3b9bd9; --hybrid: #1b5fa8; --reranked: #0a8f6a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #3a4252; --page: #12161f;
  --good: #4cc38a; --bad: #f97066; --bm25-plain: #9aa1ad; --lexical: #f2b33d; --dense: #6cbcf2; --hybrid: #5b9be6;
  --reranked: #34c79a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 1120px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1rem; } p, .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 13px; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.better { color: var(--good); } .worse { color: var(--bad); }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figcaption { color: var(--soft); font-size: 13px; }
svg { font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); dominant-baseline: central; } svg .soft { fill: var(--soft); }
svg .axis { stroke: var(--line); } code { font-size: 12px; overflow-wrap: anywhere; }
";

/// What every page begins with.
fn begin(out: &mut String, title: &str) -> fmt::Result {
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>"
    )
}

fn write_page(out: &mut String, evaluation: &Evaluation, against: &[Row]) -> fmt::Result {
    begin(out, "Relevance")?;
    write!(
        out,
        "<h1>How good the search is</h1>\n\
         <p>Every query has the same weight. Bars and curves are means over all queries of a set, higher is better; a difference is \
         beyond noise when its 95 % interval by the paired bootstrap leaves zero out.</p>\n"
    )?;
    write_table(out, &evaluation.sets)?;
    write_differences(out, "What the parts of the search are worth", &evaluation.differences)?;
    write_differences(out, "Against the saved run", against)?;
    evaluation.sets.iter().try_for_each(|report| write_set(out, report))?;
    out.write_str("</body></html>\n")
}

fn write_table(out: &mut String, reports: &[Report]) -> fmt::Result {
    let figures = Figures::default().columns().map(|(heading, _)| heading);
    let headings = ["queries"].into_iter().chain(figures).chain(["p50 ms", "p95 ms"]);
    let headings: String = headings.map(|heading| format!("<th class=\"n\">{heading}</th>")).collect();
    writeln!(out, "<div class=\"wide\"><table><tr><th>set</th><th>setting</th><th>part</th>{headings}</tr>")?;
    for report in reports {
        for run in &report.runs {
            let mut line = |name: &str, part: &Part| {
                let Part { n_queries, figures, latency_p50_ms, latency_p95_ms } = part;
                let (set, setting, name) = (escape(&report.dataset.label()), escape(&run.setting()), escape(name));
                write!(out, "<tr><td>{set}</td><td>{setting}</td><td>{name}</td><td class=\"n\">{n_queries}</td>")?;
                for (_, figure) in figures.columns() {
                    write!(out, "<td class=\"n\">{figure:.3}</td>")?;
                }
                writeln!(out, "<td class=\"n\">{latency_p50_ms:.2}</td><td class=\"n\">{latency_p95_ms:.2}</td></tr>")
            };
            line("all", &run.overall)?;
            run.splits.iter().try_for_each(|(split, part)| line(split, part))?;
            run.classes.iter().try_for_each(|(class, part)| line(&format!("class {class}"), part))?;
            run.several.iter().try_for_each(|part| line("several tools", part))?;
        }
    }
    out.write_str("</table></div>\n")
}

fn write_differences(out: &mut String, title: &str, rows: &[Row]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>{title}</h2><div class=\"wide\"><table><tr><th>set</th><th>part</th><th>difference of nDCG@10</th>\
         <th class=\"n\">queries</th><th class=\"n\">mean</th><th class=\"n\">95 % interval</th><th>beyond noise</th></tr>"
    )?;
    for row in rows {
        let d = &row.difference;
        let (class, verdict) = match (d.is_beyond_noise(), d.mean > 0.0) {
            (false, _) => ("soft", "no"),
            (true, true) => ("better", "yes, better"),
            (true, false) => ("worse", "yes, worse"),
        };
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{} − {}</td><td class=\"n\">{}</td><td class=\"n\">{:+.4}</td>\
             <td class=\"n\">{:+.4} to {:+.4}</td><td class=\"{class}\">{verdict}</td></tr>",
            escape(&row.set),
            escape(&row.part),
            escape(&row.of),
            escape(&row.against),
            d.n_queries,
            d.mean,
            d.low,
            d.high
        )?;
    }
    out.write_str("</table></div>\n")
}

fn write_set(out: &mut String, report: &Report) -> fmt::Result {
    let dataset = &report.dataset;
    writeln!(
        out,
        "<h2>{}</h2><p>{} tools, {} queries, {} relevant; model {}; {} threads; tools <code>{}</code>, queries <code>{}</code></p>",
        escape(&dataset.label()),
        dataset.n_tools,
        dataset.n_queries,
        dataset.n_relevant,
        escape(report.embedder.as_deref().unwrap_or("none")),
        report.n_threads,
        escape(&dataset.tools_sha256),
        escape(&dataset.queries_sha256)
    )?;
    let plots = [
        ("nDCG@10 of each setting", chart::bars(&report.runs)),
        ("recall@k: the share of relevant tools among the first k", chart::curves(&report.runs)),
        ("nDCG@10 against the median latency", chart::latency(&report.runs)),
    ];
    out.write_str("<div class=\"plots\">\n")?;
    for (caption, svg) in plots {
        writeln!(out, "<figure>{svg}<figcaption>{caption}</figcaption></figure>")?;
    }
    out.write_str("</div>\n")?;
    hardest::write(out, report)
}

/// A text as it may stand between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No character of HTML, and no browser shows them.
            c if c.is_control() && !c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn text_of_a_catalog_stays_text() {
        let check = |text: &str, expected: &str| assert_eq!(escape(text), expected);
        check("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
        check("\"><img src=x onerror=\"y\">", "&quot;&gt;&lt;img src=x onerror=&quot;y&quot;&gt;");
        check("R&amp;D", "R&amp;amp;D");
        check("a\u{0}b\u{1b}[1m", "ab[1m");
        check("погода 天気", "погода 天気");
    }
}
