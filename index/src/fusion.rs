//! Ranked lists: one made of two, or of many.

use std::collections::BTreeMap;

use crate::confidence::log_odds;
use crate::query_class::QueryClass;
use crate::scored::Scored;
use crate::signals::Signals;
use crate::suspicion::Suspicion;

/// A document on its way through the stages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub document: u32,
    /// The score of the last stage that ran.
    pub score: f32,
    /// Rank (1 is best) and score in the lexical leg.
    pub lexical: Option<(usize, f32)>,
    /// Rank and score in the dense leg.
    pub dense: Option<(usize, f32)>,
    /// What fusion went by, where both legs ran.
    pub signals: Option<Signals>,
    /// The score after fusion.
    pub fused: f32,
    /// The reranker's score, where it read this candidate.
    pub rerank: Option<f32>,
    /// Where it stands among what a part of the query finds, in the list where it stands best.
    pub served: Option<Served>,
    /// What its text gives cause to suspect, where the request wants that to count.
    pub suspicion: Option<Suspicion>,
    /// Worse ranked documents that say the same and share its place.
    pub alternatives: Vec<u32>,
}

impl Candidate {
    fn new(Scored { document, score }: Scored) -> Self {
        Self {
            document,
            score,
            lexical: None,
            dense: None,
            signals: None,
            fused: score,
            rerank: None,
            served: None,
            suspicion: None,
            alternatives: Vec::new(),
        }
    }
}

/// A place in the list of a part of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// Which part.
    pub part: usize,
    /// 1 is best.
    pub rank: usize,
    /// Whether the whole query did not find it, so that all that is known of it is known with this part.
    pub by_part_alone: bool,
}

/// The documents of one leg's list, or of both, each with its place in either: first the lexical ones, then those that the
/// dense leg alone found. A score alone is what a single leg says.
pub(crate) fn join(lexical: Option<&[Scored]>, dense: Option<&[Scored]>) -> Vec<Candidate> {
    let (lexical, dense) = (lexical.unwrap_or_default(), dense.unwrap_or_default());
    let mut candidates = Vec::with_capacity(lexical.len() + dense.len());
    candidates.extend(
        (1..)
            .zip(lexical)
            .map(|(rank, scored)| Candidate { lexical: Some((rank, scored.score)), ..Candidate::new(*scored) }),
    );
    let mut places: Vec<(u32, usize)> = lexical.iter().map(|scored| scored.document).zip(0..).collect();
    places.sort_unstable();
    for (rank, scored) in (1..).zip(dense) {
        let place = Some((rank, scored.score));
        match places.binary_search_by_key(&scored.document, |&(document, _)| document) {
            Ok(found) => candidates[places[found].1].dense = place,
            Err(_) => candidates.push(Candidate { dense: place, ..Candidate::new(*scored) }),
        }
    }
    candidates
}

/// Fuses the legs: a candidate's score is the weighted sum of its signals, by the weights of the query's class.
pub(crate) fn fuse(candidates: &mut [Candidate], class: QueryClass, signals: impl Fn(&Candidate) -> Signals) {
    for candidate in &mut *candidates {
        let signals = signals(candidate);
        candidate.fused = signals.score(class);
        candidate.score = candidate.fused;
        candidate.signals = Some(signals);
    }
    sort(candidates);
}

/// How a leg's scores are spread.
pub(crate) struct Distribution {
    mean: f64,
    deviation: f64,
}

impl Distribution {
    /// Of a list of `depth` places, those without a document scoring 0.
    pub fn of(list: &[Scored], depth: usize) -> Self {
        let n = depth.max(list.len()).max(1) as f64;
        let mean = list.iter().map(|scored| f64::from(scored.score)).sum::<f64>() / n;
        let squares: f64 = list.iter().map(|scored| (f64::from(scored.score) - mean).powi(2)).sum();
        let empty = n - list.len() as f64;
        let deviation = ((squares + empty * mean * mean) / n).sqrt();
        Self { mean, deviation }
    }

    /// How many deviations above the mean a score is; 0 where all documents score the same.
    pub fn standard(&self, score: f32) -> f32 {
        if self.deviation > 0.0 { ((f64::from(score) - self.mean) / self.deviation) as f32 } else { 0.0 }
    }
}

/// The constant of reciprocal rank fusion (Cormack et al., 2009) between the fused order and the reranker's: small, for in
/// a list of twenty the first few ranks decide.
const RRF_K: f32 = 10.0;

/// Takes in the reranker's scores of the first candidates: their order is the reciprocal rank fusion of the order they had
/// and the reranker's. By itself a web-trained reranker loses more than it gains. The others stay behind them.
pub(crate) fn rerank(candidates: &mut [Candidate], scores: &[f32]) {
    let read = scores.len().min(candidates.len());
    let mut order: Vec<usize> = (0..read).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let mut ranks = vec![0; read];
    for (rank, &place) in order.iter().enumerate() {
        ranks[place] = rank + 1;
    }
    for (place, candidate) in candidates.iter_mut().enumerate() {
        candidate.rerank = scores.get(place).copied();
        let reciprocal = |rank: usize| 1.0 / (RRF_K + rank as f32);
        // One list more for those that were read; every one of them stays above every one that was not.
        candidate.score = reciprocal(place + 1) + ranks.get(place).map_or(0.0, |&rank| 1.0 + reciprocal(rank));
    }
    sort(&mut candidates[..]);
}

/// How much more the order of the whole query counts than that of a part: as much as three times the odds.
const WHOLE: f32 = 3.0;

/// One list of those that a query and its parts found, best first, which covers the parts: a candidate's score is the odds
/// that it is what was asked for, divided by its rank, in the list where that is highest. So the first of each part stand
/// early, before the second of any. The odds are logarithmic, and all alike where a single leg ran for one of the lists: the
/// odds of another would be compared with none.
///
/// A candidate keeps what is known of it with the whole query, where that found it, and has else what is known of it with the
/// part that it serves.
pub(crate) fn cover(whole: Vec<Candidate>, parts: Vec<Vec<Candidate>>) -> Vec<Candidate> {
    let both_legs_ran = parts.iter().chain([&whole]).flatten().all(|candidate| candidate.signals.is_some());
    let standing = |rank: usize, candidate: &Candidate, weight: f32| {
        let signals = candidate.signals.filter(|_| both_legs_ran);
        signals.map_or(0.0, |signals| log_odds(&signals)) + (weight / rank as f32).ln()
    };
    let mut covered: BTreeMap<u32, Candidate> = BTreeMap::new();
    for (rank, mut candidate) in (1..).zip(whole) {
        candidate.score = standing(rank, &candidate, WHOLE);
        covered.insert(candidate.document, candidate);
    }
    // A candidate serves the part in whose list it stands best, though the whole query may have found it as well.
    let mut served_best: BTreeMap<u32, f32> = BTreeMap::new();
    for (part, list) in parts.into_iter().enumerate() {
        for (rank, candidate) in (1..).zip(list) {
            let score = standing(rank, &candidate, 1.0);
            let best = served_best.entry(candidate.document).or_insert(f32::NEG_INFINITY);
            if score <= *best {
                continue;
            }
            *best = score;
            match covered.get_mut(&candidate.document) {
                Some(found) if found.served.is_none_or(|served| !served.by_part_alone) => {
                    found.score = found.score.max(score);
                    found.served = Some(Served { part, rank, by_part_alone: false });
                }
                _ => {
                    let served = Some(Served { part, rank, by_part_alone: true });
                    covered.insert(candidate.document, Candidate { score, served, ..candidate });
                }
            }
        }
    }
    let mut covered: Vec<Candidate> = covered.into_values().collect();
    sort(&mut covered);
    covered
}

/// Behind how many candidates more a suspected one is put: so many that it is not on the page that agents read.
const PLACES_LOST: usize = 10;

/// Puts every suspected candidate of a list, best first, behind ten more of those that are not suspected, or at the end where
/// fewer follow it, with at most the score of the one before it. What is not suspected keeps its score and its order, and
/// however many suspected ones there are, they cannot carry each other.
pub(crate) fn demote(candidates: Vec<Candidate>) -> Vec<Candidate> {
    if candidates.iter().all(|candidate| candidate.suspicion.is_none()) {
        return candidates;
    }
    let mut n_before = 0;
    let mut placed: Vec<(usize, Candidate)> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        if candidate.suspicion.is_none() {
            n_before += 1;
            placed.push((n_before, candidate));
        } else {
            placed.push((n_before + PLACES_LOST, candidate));
        }
    }
    placed.sort_by_key(|(n_before, candidate)| (*n_before, candidate.suspicion.is_some()));
    let mut before = f32::INFINITY;
    let mut demoted: Vec<Candidate> = placed.into_iter().map(|(_, candidate)| candidate).collect();
    for candidate in &mut demoted {
        if candidate.suspicion.is_some() {
            candidate.score = candidate.score.min(before);
        }
        before = candidate.score;
    }
    demoted
}

fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.document.cmp(&b.document)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(scores: &[(u32, f32)]) -> Vec<Scored> {
        scores.iter().map(|&(document, score)| Scored { document, score }).collect()
    }

    fn documents(candidates: &[Candidate]) -> Vec<u32> {
        candidates.iter().map(|candidate| candidate.document).collect()
    }

    /// Both lists, fused by their standard scores alone.
    fn fused(lexical: &[Scored], dense: &[Scored], depth: usize) -> Vec<u32> {
        let mut candidates = join(Some(lexical), Some(dense));
        let (lexical, dense) = (Distribution::of(lexical, depth), Distribution::of(dense, depth));
        fuse(&mut candidates, QueryClass::Intent, |candidate| Signals {
            lexical: lexical.standard(candidate.lexical.map_or(0.0, |(_, score)| score)),
            dense: dense.standard(candidate.dense.map_or(0.0, |(_, score)| score)),
            ..Signals::default()
        });
        documents(&candidates)
    }

    #[test]
    fn the_leg_that_is_sure_outweighs_the_leg_that_is_not() {
        let lexical: Vec<(u32, f32)> = (0..20).map(|d| (d, if d == 7 { 30.0 } else { 1.0 })).collect();
        let dense: Vec<(u32, f32)> = (0..20).map(|d| (d, 0.8 - 0.01 * d as f32)).collect();
        let mut lexical = list(&lexical);
        lexical.sort_by(Scored::by_rank);
        assert_eq!(fused(&lexical, &list(&dense), 20)[..3], [7, 0, 1]);
    }

    #[test]
    fn equal_scores_stand_in_ref_order_and_one_leg_passes_through() {
        let dense = list(&[(3, 0.5), (9, 0.5)]);
        assert_eq!(fused(&[], &dense, 2), [3, 9]);
        assert_eq!(join(None, Some(&dense))[0].score, 0.5);
    }

    #[test]
    fn an_empty_leg_changes_no_order() {
        assert_eq!(fused(&[], &list(&[(3, 0.9), (9, 0.5), (1, 0.1)]), 3), [3, 9, 1]);
    }

    #[test]
    fn reranking_reorders_what_was_read_and_leaves_the_rest_behind() {
        let mut candidates = join(None, Some(&list(&[(1, 0.9), (2, 0.8), (3, 0.7), (4, 0.6)])));
        rerank(&mut candidates, &[0.0, 9.0, 1.0]);
        assert_eq!(documents(&candidates), [2, 1, 3, 4]);
        assert_eq!(candidates[3].rerank, None);
    }

    /// What two legs find, with a cosine each.
    fn found(cosines: &[(u32, f32)]) -> Vec<Candidate> {
        let mut found = join(Some(&list(cosines)), Some(&list(cosines)));
        fuse(&mut found, QueryClass::Intent, |candidate| {
            let cosine = candidate.dense.map_or(0.0, |(_, cosine)| cosine);
            Signals { dense: cosine, cosine, ..Signals::default() }
        });
        found
    }

    #[test]
    fn odds_count_for_nothing_where_one_list_has_none() {
        let (whole, part) = (found(&[(1, 0.2), (2, 0.1)]), found(&[(3, 0.3), (4, 0.2)]));
        let by_words = join(Some(&list(&[(5, 9.0), (6, 8.0)])), None);
        // The odds of 0.2 are far below even ones, and no hit of words alone is ahead of the whole query's first by them.
        assert_eq!(documents(&cover(whole, vec![part, by_words])), [1, 2, 3, 5, 4, 6]);
    }

    #[test]
    fn what_is_known_of_a_covered_candidate_is_of_one_search() {
        let (whole, served_late) = (found(&[(1, 0.6)]), found(&[(2, 0.5), (3, 0.4), (1, 0.2)]));
        let served_first = found(&[(3, 0.7), (1, 0.5)]);
        let covered = cover(whole.clone(), vec![served_late, served_first.clone()]);
        let of = |document: u32| covered.iter().find(|one| one.document == document).expect("it was found");
        let known = |one: &Candidate| (one.lexical, one.dense, one.signals, one.fused);
        assert_eq!(of(1).served, Some(Served { part: 1, rank: 2, by_part_alone: false }));
        assert_eq!(known(of(1)), known(&whole[0]), "the whole query found it");
        assert_eq!(of(3).served, Some(Served { part: 1, rank: 1, by_part_alone: true }));
        assert_eq!(known(of(3)), known(&served_first[0]), "the second part has it first");
    }

    /// Random lists of suspected and other candidates.
    #[test]
    fn suspected_candidates_fall_and_the_others_keep_their_order_and_their_scores() {
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..2_000 {
            let n = rng.u32(0..40);
            let scored: Vec<(u32, f32)> = (0..n).map(|document| (document, 1.0 - 0.01 * document as f32)).collect();
            let mut before = join(None, Some(&list(&scored)));
            let often = rng.u32(1..20);
            for candidate in &mut before {
                candidate.suspicion = (rng.u32(0..often) == 0).then_some(Suspicion::GivesOrders);
            }
            let after = demote(before.clone());
            let place = |list: &[Candidate], document| list.iter().position(|one| one.document == document);
            let others = |list: &[Candidate]| -> Vec<Candidate> {
                list.iter().filter(|one| one.suspicion.is_none()).cloned().collect()
            };
            assert_eq!(others(&before), others(&after));
            assert!(after.array_windows().all(|[one, two]| one.score >= two.score));
            for suspected in before.iter().filter(|one| one.suspicion.is_some()) {
                let (was, is) = (place(&before, suspected.document), place(&after, suspected.document));
                let (was, is) = (was.expect("it is there"), is.expect("it is there"));
                let ahead = |list: &[Candidate], place: usize| others(&list[..place]).len();
                let expected = (ahead(&before, was) + PLACES_LOST).min(others(&before).len());
                assert_eq!(ahead(&after, is), expected, "it stands behind ten more, or behind all");
                assert!(after[is].score <= before[was].score);
            }
        }
    }
}
