//! Renders hits at a level of detail, within a budget of tokens.
//!
//! A token is estimated as four bytes of JSON, rounded up: it is what the common tokenizers need for English and JSON, and
//! it is the same for everybody. What stands around the hits is written first. What it leaves is spent in the order of the
//! hits: each takes the asked level or the next lower that fits, and with the first that fits at no level the page ends.

use serde::Serialize;
use shortlist_index::{Hit, LegScore, Suspicion, Tool};

use super::to_json;
use super::wire::{AnnotationsBody, Detail, ExplanationBody, HitBody, ParameterBody, PlaceBody, SignalsBody};
use crate::error::ApiError;

/// Bytes of a token, as estimated.
const BYTES_PER_TOKEN: usize = 4;
/// Of the budget, what the parts of the query may take: one in so many bytes. They are the asker's own words.
const PARTS_SHARE: usize = 4;

/// A page of hits that fits.
pub(crate) struct Rendered {
    /// The first of the hits given, all of them unless the budget ended.
    pub(crate) hits: Vec<HitBody>,
    /// Whether one is at a lower level than asked, or left out.
    pub(crate) truncated: bool,
}

/// The parts of a query, each cut to its share of `max_tokens`.
pub(crate) fn shorten_parts(parts: &mut [String], max_tokens: usize) {
    let bytes_max = max_tokens * BYTES_PER_TOKEN / PARTS_SHARE / parts.len().max(1);
    for part in parts {
        // Both quotation marks and the comma.
        let mut n_bytes = 3;
        let is_beyond = |(_, c): &(usize, char)| {
            n_bytes += json_bytes(*c);
            n_bytes > bytes_max
        };
        if let Some((end, _)) = part.char_indices().find(is_beyond) {
            part.truncate(end);
        }
    }
}

/// How many bytes a character takes in a JSON text.
fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' => 6,
        c => c.len_utf8(),
    }
}

/// Renders the hits at `detail`, or lower where `max_tokens` asks for it. `around` is the answer without hits.
pub(crate) fn render(
    hits: Vec<Hit>,
    detail: Detail,
    max_tokens: Option<usize>,
    around: &impl Serialize,
) -> Result<Rendered, ApiError> {
    let Some(max_tokens) = max_tokens else {
        return Ok(Rendered { hits: hits.iter().map(|hit| body(hit, detail)).collect(), truncated: false });
    };
    let mut left = (max_tokens * BYTES_PER_TOKEN).saturating_sub(to_json(around)?.len());
    let mut rendered = Rendered { hits: Vec::with_capacity(hits.len()), truncated: false };
    for hit in &hits {
        match fitting(hit, detail, left)? {
            Some((body, bytes)) => {
                rendered.truncated |= body.detail != detail;
                rendered.hits.push(body);
                left -= bytes;
            }
            None => {
                rendered.truncated = true;
                break;
            }
        }
    }
    Ok(rendered)
}

/// The hit at the highest level up to `detail` that takes at most `left` bytes, and how many it takes.
fn fitting(hit: &Hit, detail: Detail, left: usize) -> Result<Option<(HitBody, usize)>, ApiError> {
    for level in [Detail::Full, Detail::Signature, Detail::Summary, Detail::Name] {
        if level > detail {
            continue;
        }
        let body = body(hit, level);
        // And the comma after it.
        let bytes = to_json(&body)?.len() + 1;
        if bytes <= left {
            return Ok(Some((body, bytes)));
        }
    }
    Ok(None)
}

fn body(hit: &Hit, detail: Detail) -> HitBody {
    let Hit { tool, part, score, alternatives, explanation } = hit;
    let full = detail == Detail::Full;
    let place = |leg: Option<LegScore>| leg.map(|LegScore { rank, score }| PlaceBody { rank, score });
    let schema = |schema: &Option<shortlist_index::Schema>| schema.as_ref().filter(|_| full).map(|s| s.to_value());
    HitBody {
        reference: tool.reference.to_string(),
        name: tool.name.clone(),
        namespace: tool.reference.namespace().to_owned(),
        title: tool.title.clone(),
        part: *part,
        score: *score,
        detail,
        alternatives: (!alternatives.refs.is_empty())
            .then(|| alternatives.refs.iter().map(ToString::to_string).collect()),
        more_alternatives: (alternatives.n_more > 0).then_some(alternatives.n_more),
        summary: (detail >= Detail::Summary).then(|| tool.summary()),
        deprecation: tool.deprecation.clone().filter(|_| detail >= Detail::Summary),
        parameters: (detail >= Detail::Signature).then(|| parameters(tool)),
        description: full.then(|| tool.description.clone()),
        annotations: full.then(|| AnnotationsBody::of(tool)),
        input_schema: schema(&tool.input_schema),
        output_schema: schema(&tool.output_schema),
        explanation: explanation.as_ref().map(|explanation| ExplanationBody {
            lexical: place(explanation.lexical),
            dense: place(explanation.dense),
            class: explanation.class.name(),
            signals: explanation.signals.map(SignalsBody::from),
            fused: explanation.fused,
            rerank: explanation.rerank,
            part_rank: explanation.part_rank,
            suspicion: explanation.suspicion.map(Suspicion::name),
        }),
    }
}

/// The tool's own parameters, without those of nested objects.
fn parameters(tool: &Tool) -> Vec<ParameterBody> {
    let own = tool.input_schema.as_ref().map(|schema| schema.own_parameters()).unwrap_or_default();
    own.into_iter()
        .map(|parameter| ParameterBody { name: parameter.name, kind: parameter.kind, required: parameter.required })
        .collect()
}
