//! Keeps texts that nobody approved from being served.
//!
//! Approved is what the served generation says. What a source gives otherwise waits, as far as its operator's policy wants:
//! a changed text, while the tool serves at the text that it had; a new tool, unseen. Only what agents read is text (names,
//! descriptions, schemas, the deprecation note). Permissions, tags and dispatch follow the source at once, for a scope that
//! was tightened must not wait for anybody.

use std::collections::{BTreeMap, BTreeSet};

use shortlist_index::{DECISIONS_MAX, Decisions, Pending, PendingText, SourceReport, Tool, ToolRef};

use super::reading::Reading;
use super::report::Outcome;
use crate::handling::{Handling, OnText};
use crate::normalize::rejection;

/// The most bytes of waiting texts that a generation keeps of one source.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whether a decision, or another policy, asks for the texts that wait: then the source is read although it may not have
/// changed. `served` are the refs of the tools that the source has in the served generation.
pub(super) fn is_decided(
    report: &SourceReport,
    served: impl FnOnce() -> Vec<ToolRef>,
    handling: &Handling,
    decisions: &Decisions,
) -> bool {
    let takes_kept = handling.on_change == OnText::Accept && report.n_kept > 0;
    if takes_kept || report.pending.is_empty() {
        return takes_kept;
    }
    let families = families(&served(), decisions);
    report.pending.iter().any(|pending| {
        let of = |map: &BTreeMap<String, String>| map.get(&pending.reference) == Some(&pending.text_hash);
        let policy = match pending.reference.parse::<ToolRef>() {
            Ok(reference) => policy(&reference, &families, handling),
            Err(_) => handling.on_new,
        };
        policy == OnText::Accept || of(&decisions.approved) || of(&decisions.refused)
    })
}

/// Whether nothing of the source is to wait, whatever was decided.
pub(super) fn accepts_all(handling: &Handling) -> bool {
    handling.on_change == OnText::Accept && handling.on_new == OnText::Accept
}

/// The tools that are served or were when they went, whatever their version.
fn families<'r>(served: impl IntoIterator<Item = &'r ToolRef>, decisions: &Decisions) -> BTreeSet<ToolRef> {
    let gone = decisions.gone.keys().filter_map(|reference| reference.parse::<ToolRef>().ok());
    served.into_iter().map(ToolRef::without_version).chain(gone.map(|reference| reference.without_version())).collect()
}

/// What becomes of a text that nobody decided about. Of a tool that was here before, or of another version of one, it is a
/// change however it comes.
fn policy(reference: &ToolRef, families: &BTreeSet<ToolRef>, handling: &Handling) -> OnText {
    if families.contains(&reference.without_version()) { handling.on_change } else { handling.on_new }
}

/// Holds back what waits. `served` are the tools that the source has in the served generation. What is learned for the next
/// pass goes into `decisions`.
pub(super) fn apply(
    reading: &mut Reading,
    served: impl FnOnce() -> Vec<Tool>,
    handling: &Handling,
    decisions: &mut Decisions,
) {
    if reading.outcome != Outcome::Read || accepts_all(handling) {
        return;
    }
    let mut served: BTreeMap<ToolRef, Tool> = served().into_iter().map(|tool| (tool.reference.clone(), tool)).collect();
    let families = families(served.keys(), decisions);
    let mut kept = Vec::with_capacity(reading.tools.len());
    let mut waiting = Waiting::default();
    let report = &mut reading.report;
    for tool in std::mem::take(&mut reading.tools) {
        let (reference, hash) = (tool.reference.to_string(), tool.text_hash().to_hex());
        let is = |map: &BTreeMap<String, String>| map.get(&reference) == Some(&hash);
        let (approved, refused) = (is(&decisions.approved), is(&decisions.refused));
        match served.remove(&tool.reference) {
            Some(before) => {
                let same = before.text_hash() == tool.text_hash();
                if same {
                    decisions.approved.remove(&reference);
                }
                if same || approved || handling.on_change == OnText::Accept {
                    kept.push(tool);
                    continue;
                }
                report.n_kept += 1;
                if !refused {
                    waiting.push(&tool, hash, false);
                }
                kept.push(with_text_of(before, tool));
            }
            None => {
                let accepted = policy(&tool.reference, &families, handling) == OnText::Accept;
                if approved || (!refused && (accepted || is(&decisions.gone))) {
                    kept.push(tool);
                } else if refused {
                    report.n_rejected += 1;
                    report.rejections.push(rejection(
                        &tool.provenance.foreign_id,
                        "an operator refused its text (shortlist quarantine reject)",
                    ));
                } else {
                    report.n_pending += 1;
                    waiting.push(&tool, hash, true);
                }
            }
        }
    }
    if handling.on_change == OnText::Quarantine {
        for (reference, tool) in served {
            if decisions.gone.len() < DECISIONS_MAX {
                decisions.gone.insert(reference.to_string(), tool.text_hash().to_hex());
            }
        }
        for tool in &kept {
            decisions.gone.remove(&tool.reference.to_string());
        }
    }
    report.n_searchable = kept.len() as u64;
    report.n_deprecated = kept.iter().filter(|tool| tool.deprecation.is_some()).count() as u64;
    report.pending = waiting.list;
    reading.tools = kept;
}

/// What agents read, as it was approved; the rest as the source says now.
fn with_text_of(before: Tool, now: Tool) -> Tool {
    Tool {
        name: before.name,
        title: before.title,
        description: before.description,
        input_schema: before.input_schema,
        output_schema: before.output_schema,
        deprecation: before.deprecation,
        ..now
    }
}

#[derive(Default)]
struct Waiting {
    list: Vec<Pending>,
    n_bytes: usize,
}

impl Waiting {
    fn push(&mut self, tool: &Tool, text_hash: String, is_new: bool) {
        if self.list.len() >= DECISIONS_MAX {
            return;
        }
        let text = PendingText::of(tool);
        self.n_bytes += text.n_bytes();
        let text = (self.n_bytes <= TEXT_BYTES_MAX).then_some(text);
        self.list.push(Pending { reference: tool.reference.to_string(), text_hash, is_new, text });
    }
}
