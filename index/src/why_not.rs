//! [`why_not`]: why a tool is not in an answer, for an operator.
//!
//! It looks past the asker's grant, so its answer is for nobody else's eyes.

use std::fmt;

use serde::Serialize;

use crate::allowed::AllowedSet;
use crate::filter::Filter;
use crate::generation::{Pending, Rejection, Snapshot};
use crate::grant::Grant;
use crate::hit::LegScore;
use crate::legs::leg_places;
use crate::query::{DEPTH_MAX, SearchRequest};
use crate::search::{Models, Ranked, SearchError, check, ranked};
use crate::suspicion::Suspicion;
use crate::tool::Tool;
use crate::tool_ref::ToolRef;

/// How many other refs are suggested for one that is not there.
const NEAR_MAX: usize = 5;

/// Why a tool is not in an answer, or that it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyNot {
    /// The tool that was meant, where there is one.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What kept it out.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The generation that was asked.
    pub generation: u64,
    /// Stages that could not run, as in the answer itself.
    pub degraded: Vec<&'static str>,
}

/// What kept a tool out of an answer: the first obstacle on its way from the source to the page.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// The generation has no source of that name.
    NoSuchSource {
        /// Those it has.
        sources: Vec<String>,
    },
    /// Its source was never read.
    NeverRead {
        /// Why the last attempt failed.
        why: String,
    },
    /// Its source's record became no tool.
    Rejected {
        /// The source.
        source: String,
        /// The record, as the source names it.
        record: String,
        /// What was wrong with it.
        why: String,
    },
    /// Its text waits for an operator's approval.
    Pending {
        /// The hash of the text that waits.
        text_hash: String,
    },
    /// Its source gave no such record.
    NotIngested {
        /// Refs that are there and look like it.
        near: Vec<String>,
    },
    /// It is there, and the asker may not see it.
    NoGrant,
    /// The asker sees a newer version, and searches find only the newest.
    OlderVersion {
        /// The one that is found.
        newest: String,
    },
    /// It is deprecated, and the request does not ask for such tools.
    Deprecated {
        /// What its source says about it.
        note: String,
    },
    /// The request's own filter takes it away.
    Filtered {
        /// The parts of the filter that it does not meet.
        by: Vec<&'static str>,
    },
    /// It was ranked, too far down for any page.
    BeyondDepth {
        /// How far pages reach.
        depth: usize,
        /// Tools that were ranked.
        n_searchable: u64,
        /// Its place by BM25 among all of them; `None` where it shares no word with the query, or that leg did not run.
        lexical: Option<LegScore>,
        /// Its place by vectors among all of them; `None` where that leg did not run.
        dense: Option<LegScore>,
    },
    /// It was found, and says the same as a better hit, which names it or counts it among its alternatives.
    Alternative {
        /// That hit.
        of: String,
        /// The hit's rank; 1 is best.
        rank: usize,
    },
    /// It was found, on a later page.
    BeyondPage {
        /// Its rank; 1 is best.
        rank: usize,
        /// Its score.
        score: f32,
        /// The score of the last hit on the page.
        score_needed: f32,
        /// Its place by BM25, where that leg found it.
        lexical: Option<LegScore>,
        /// Its place by vectors, where that leg found it.
        dense: Option<LegScore>,
        /// What its text gives cause to suspect, which cost it places.
        suspicion: Option<Suspicion>,
    },
    /// It is on the page.
    InAnswer {
        /// Its rank; 1 is best.
        rank: usize,
        /// Its score.
        score: f32,
        /// What its text gives cause to suspect, which cost it places.
        suspicion: Option<Suspicion>,
    },
}

/// Says why a tool is not in the answer to a request.
///
/// `asked` is a ref, or what the source calls the record; of several tools that it may mean, one that the asker may see is
/// meant. `allowed` is what the asker may see. Costs a search, and where the tool is beyond [`DEPTH_MAX`] a full ranking of
/// both legs.
///
/// # Errors
/// [`SearchError`] as for [`crate::search()`].
pub fn why_not(
    snapshot: &Snapshot,
    models: &Models,
    allowed: &AllowedSet,
    request: &SearchRequest,
    asked: &str,
) -> Result<WhyNot, SearchError> {
    check(snapshot, allowed, request)?;
    let answer = |reference: Option<String>, verdict: Verdict, degraded: Vec<&'static str>| WhyNot {
        reference,
        verdict,
        generation: snapshot.number(),
        degraded,
    };
    let reference = asked.parse::<ToolRef>().ok();
    let document = match &reference {
        // The newest of all may be hidden while an older one is in the answer.
        Some(reference) => snapshot.readable_document(reference, allowed).or_else(|| snapshot.document(reference)),
        None => snapshot.document_of_record(asked, allowed),
    };
    let Some(document) = document else {
        let verdict = absent(snapshot, asked, reference.as_ref())?;
        return Ok(answer(reference.map(|reference| reference.to_string()), verdict, Vec::new()));
    };
    let tool = snapshot.tool(document)?;
    let named = Some(tool.reference.to_string());
    if !allowed.readable().contains(document) {
        return Ok(answer(named, Verdict::NoGrant, Vec::new()));
    }
    let narrowed = snapshot.narrow(allowed, &request.filter);
    if !narrowed.is_searchable(document) {
        let newest = snapshot.newest_version(&tool.reference, allowed);
        let verdict = match newest {
            Some(newest) if newest != tool.reference => Verdict::OlderVersion { newest: newest.to_string() },
            _ => left_out(&tool, &request.filter),
        };
        return Ok(answer(named, verdict, Vec::new()));
    }

    let Ranked { candidates, degraded, .. } = ranked(snapshot, models, allowed, request, DEPTH_MAX, &())?;
    let degraded = degraded.iter().map(|degraded| degraded.stage).collect();
    let place = candidates.iter().position(|candidate| candidate.document == document);
    let shared = candidates.iter().position(|candidate| candidate.alternatives.contains(&document));
    let shared = shared.filter(|&place| place < DEPTH_MAX);
    if let Some((place, candidate)) = shared.and_then(|place| Some((place, candidates.get(place)?))) {
        let verdict = Verdict::Alternative { of: snapshot.reference(candidate.document)?.to_string(), rank: place + 1 };
        return Ok(answer(named, verdict, degraded));
    }
    let page = request.offset..request.offset + request.limit;
    let leg = |place: Option<(usize, f32)>| place.map(|(rank, score)| LegScore { rank, score });
    let verdict = match place.and_then(|place| Some((place, candidates.get(place)?))) {
        Some((place, candidate)) if page.contains(&place) => {
            Verdict::InAnswer { rank: place + 1, score: candidate.score, suspicion: candidate.suspicion }
        }
        Some((place, candidate)) if place < DEPTH_MAX => Verdict::BeyondPage {
            rank: place + 1,
            score: candidate.score,
            score_needed: candidates.get(page.end - 1).map_or(candidate.score, |last| last.score),
            lexical: leg(candidate.lexical),
            dense: leg(candidate.dense),
            suspicion: candidate.suspicion,
        },
        _ => {
            let (lexical, dense) = leg_places(snapshot, models, &narrowed, request, document)?;
            Verdict::BeyondDepth { depth: DEPTH_MAX, n_searchable: narrowed.n_searchable(), lexical, dense }
        }
    };
    Ok(answer(named, verdict, degraded))
}

/// Why there is no such tool in the generation.
fn absent(snapshot: &Snapshot, asked: &str, reference: Option<&ToolRef>) -> Result<Verdict, SearchError> {
    let sources = &snapshot.manifest().sources;
    let Some(reference) = reference else {
        let rejected = sources.iter().find_map(|(name, report)| Some((name, rejection(&report.rejections, &[asked])?)));
        return match rejected {
            Some((source, rejection)) => Ok(rejected_verdict(source, rejection)),
            None => Ok(Verdict::NotIngested { near: near(snapshot, asked)? }),
        };
    };
    let Some(report) = sources.get(reference.source()) else {
        // A generation that was made without sources (by a test, or a tool) has tools all the same.
        return Ok(Verdict::NoSuchSource { sources: sources.keys().cloned().collect() });
    };
    if report.read_unix_s == 0
        && let Some(why) = &report.stale
    {
        return Ok(Verdict::NeverRead { why: why.clone() });
    }
    let printed = reference.to_string();
    let waits = |pending: &&Pending| {
        let version = pending.reference.strip_prefix(&printed);
        version.is_some_and(|version| version.is_empty() || version.starts_with('@'))
    };
    if let Some(pending) = report.pending.iter().filter(|pending| pending.is_new).find(waits) {
        return Ok(Verdict::Pending { text_hash: pending.text_hash.clone() });
    }
    let (namespace, name) = (reference.namespace(), reference.name());
    let full = format!("{namespace}.{name}");
    let mut records = vec![reference.to_string(), format!("{namespace}:{name}"), full.clone()];
    if let Some(version) = reference.version() {
        records.push(format!("{namespace}:{name}@{version}"));
    }
    records.push(name.to_owned());
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    // Google's records are called by their document and the method's whole id: `drive:v3:drive.files.list`.
    let by_id = || report.rejections.iter().find(|one| one.record.rsplit_once(':').is_some_and(|(_, id)| id == full));
    if let Some(rejection) = rejection(&report.rejections, &records).or_else(by_id) {
        return Ok(rejected_verdict(reference.source(), rejection));
    }
    let versions = snapshot.versions(reference);
    let near = if versions.is_empty() { near(snapshot, &format!("{namespace} {name}"))? } else { versions };
    Ok(Verdict::NotIngested { near })
}

fn rejected_verdict(source: &str, rejection: &Rejection) -> Verdict {
    Verdict::Rejected { source: source.to_owned(), record: rejection.record.clone(), why: rejection.reason.clone() }
}

/// The rejection of the first of these names that has one. A record may stand behind its position (`line 7: id`), or have a
/// version that the name does not say.
fn rejection<'r>(rejections: &'r [Rejection], names: &[&str]) -> Option<&'r Rejection> {
    let is = |rejection: &Rejection, name: &str| {
        let record = rejection.record.as_str();
        let record = record.split_once(": ").map_or(record, |(_, record)| record);
        record == name || record.split_once('@').is_some_and(|(record, _)| record == name)
    };
    names.iter().find_map(|name| rejections.iter().find(|rejection| is(rejection, name)))
}

/// Refs that look like a text.
fn near(snapshot: &Snapshot, text: &str) -> Result<Vec<String>, SearchError> {
    let everything = snapshot.allow(&Grant::everything());
    let found = snapshot.lexical.search(text, &everything, NEAR_MAX)?.best;
    found.into_iter().map(|scored| Ok(snapshot.reference(scored.document)?.to_string())).collect()
}

/// Why a filter leaves out a tool that is the newest of its kind.
fn left_out(tool: &Tool, filter: &Filter) -> Verdict {
    let Filter { namespaces, sources, tags, annotations, include_deprecated } = filter;
    if let (Some(note), false) = (&tool.deprecation, include_deprecated) {
        return Verdict::Deprecated { note: note.clone() };
    }
    let has = |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == value);
    let claims = annotations.named().into_iter().zip(tool.annotations.named());
    let met = [
        ("namespaces", has(namespaces, tool.reference.namespace())),
        ("sources", has(sources, tool.reference.source())),
        ("tags", tags.is_empty() || tool.tags.iter().any(|tag| tags.contains(tag))),
    ]
    .into_iter()
    .chain(claims.map(|((part, wanted), (_, claim))| (part, wanted.is_none() || wanted == claim)));
    Verdict::Filtered { by: met.filter(|(_, met)| !met).map(|(part, _)| part).collect() }
}

/// A sentence for the operator.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leg = |name: &str, place: &Option<LegScore>| match place {
            Some(LegScore { rank, score }) => format!("{name} ranks it {rank} ({score:.3})"),
            None => format!("{name} does not find it"),
        };
        let lost = |suspicion: &Option<Suspicion>| {
            suspicion.map_or_else(String::new, |why| format!("; it was put behind ten more, for its text {why}"))
        };
        match self {
            Self::NoSuchSource { sources } => write!(f, "there is no such source; there are {}", sources.join(", ")),
            Self::NeverRead { why } => write!(f, "its source was never read: {why}"),
            Self::Rejected { source, record, why } => {
                write!(f, "{source} gave it as {record}, and it was rejected: {why}")
            }
            Self::Pending { .. } => {
                f.write_str("its text waits in quarantine; `shortlist quarantine` shows and approves it")
            }
            Self::NotIngested { near } if near.is_empty() => f.write_str("its source gave no such record"),
            Self::NotIngested { near } => {
                write!(f, "its source gave no such record; there are {}", near.join(", "))
            }
            Self::NoGrant => f.write_str("it is in the catalog, and the asker may not see it"),
            Self::OlderVersion { newest } => {
                write!(f, "searches find the newest version that the asker may see, and that is {newest}")
            }
            Self::Deprecated { note } => {
                write!(f, "it is deprecated ({note}), and the request does not include such tools")
            }
            Self::Filtered { by } => write!(f, "the request's own filter takes it away: {}", by.join(", ")),
            Self::Alternative { of, rank } => {
                write!(
                    f,
                    "it says the same as {of} at rank {rank}, and shares that place; a search that does not collapse shows both"
                )
            }
            Self::BeyondDepth { depth, n_searchable, lexical, dense } => write!(
                f,
                "pages reach as far as hit {depth}, and it is not among them; of {n_searchable} tools, {} and {}",
                leg("BM25", lexical),
                leg("the vectors", dense)
            ),
            Self::BeyondPage { rank, score, score_needed, lexical, dense, suspicion } => write!(
                f,
                "it is ranked {rank} with {score:.3}, and the last hit of the page has {score_needed:.3}; {} and {}{}",
                leg("BM25", lexical),
                leg("the vectors", dense),
                lost(suspicion)
            ),
            Self::InAnswer { rank, score, suspicion } => {
                write!(f, "it is in the answer, at rank {rank} with {score:.3}{}", lost(suspicion))
            }
        }
    }
}
