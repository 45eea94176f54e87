//! [`measure`]: whether the time of an answer tells a hidden tool from a missing one.
//!
//! Two servers hold catalogs of the same size. In one the hidden tools have certain words, tags, refs and a namespace; in the
//! other they have others in their place. Each question comes in two wordings, about the ones and about the others, so that
//! on either server one wording is about something hidden and the other about something missing. Both go to the routers in
//! this process in random order, again and again, and are compared on the same server; that the words differ, and the
//! servers, cancels out in the mean of the two comparisons. No network adds noise to hide in, so a real attacker sees less.
//! The first question is about what neither server has, and shows what the method makes of no difference.
//!
//! For each question: the AUC, which is the chance that an answer about the hidden thing took longer (0.5 where time tells
//! nothing; Mann and Whitney, 1947, with its normal approximation for the interval), the difference of the means without the
//! slowest twentieth, and the answers of each kind that an attacker with this view needs to tell the two apart with 5 % error
//! either way, `(1.645 + 1.645)² (σ₁² + σ₂²) / δ²`.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::error::BenchError;
use crate::metrics::percentile;
use crate::server::{Asked, Asker, Hidden, N_WARM, ONE, OPEN, OTHER, catalog, last_hidden, reference};

/// What time tells, question by question.
#[derive(Clone, Debug, Serialize)]
pub struct TimingReport {
    /// Tools in the catalog.
    pub n_tools: usize,
    /// Of these, those that the asker may see.
    pub n_visible: usize,
    /// Hidden tools with the common hidden word.
    pub n_common: usize,
    /// Answers of each kind to each question, from each server.
    pub n_answers: usize,
    /// One line a question.
    pub questions: Vec<Question>,
}

/// One question, asked where its thing is hidden and where it is missing.
#[derive(Clone, Debug, Serialize)]
pub struct Question {
    /// What was asked.
    pub name: &'static str,
    /// Median time of an answer where it is missing, in microseconds.
    pub p50_us: f64,
    /// The chance that an answer took longer where it is hidden.
    pub auc: f64,
    /// Half the width of its 95 % interval.
    pub auc_error: f64,
    /// How much longer it took, in microseconds: difference of the means without the slowest twentieth.
    pub delta_us: f64,
    /// The answers of each kind that an attacker needs.
    pub answers_needed: f64,
}

/// Asks each question `n_answers` times of each server, over catalogs of `n_tools` made up by a fixed seed in the empty
/// folder `home`. Vectors are made by hashing words, for a model's time would hide the rest.
///
/// # Errors
/// [`BenchError`] when the catalog cannot be published, or a request fails.
pub fn measure(home: &Path, n_tools: usize, n_answers: usize) -> Result<TimingReport, BenchError> {
    let catalog_of = |hidden: &Hidden| catalog(n_tools, hidden);
    let asked_for = catalog_of(&ONE)?;
    let n_visible = asked_for.iter().filter(|tool| tool.reference.namespace() == OPEN).count();
    let n_common = asked_for.iter().filter(|tool| tool.description.contains(ONE.common)).count();
    let servers = [
        Asker::new(&home.join("one"), asked_for, |_| {})?,
        Asker::new(&home.join("other"), catalog_of(&OTHER)?, |_| {})?,
    ];
    let mut rng = fastrand::Rng::with_seed(17);
    let mut questions = Vec::new();
    for ((name, about_one), (_, about_other)) in
        questions_of(n_tools, &ONE).into_iter().zip(questions_of(n_tools, &OTHER))
    {
        let mut compare = |server: &Asker, hidden: &Asked, missing: &Asked| -> Result<Comparison, BenchError> {
            let (mut of_hidden, mut of_missing) = (Vec::new(), Vec::new());
            for _ in 0..N_WARM + n_answers {
                // In turn, in random order: whatever drifts hits both alike.
                if rng.bool() {
                    of_hidden.push(server.ask(hidden)?);
                    of_missing.push(server.ask(missing)?);
                } else {
                    of_missing.push(server.ask(missing)?);
                    of_hidden.push(server.ask(hidden)?);
                }
            }
            Ok(judge(of_hidden.split_off(N_WARM), of_missing.split_off(N_WARM)))
        };
        let one = compare(&servers[0], &about_one, &about_other)?;
        let other = compare(&servers[1], &about_other, &about_one)?;
        questions.push(one.with(&other).question(name));
    }
    Ok(TimingReport { n_tools, n_visible, n_common, n_answers, questions })
}

/// What is asked, about these.
fn questions_of(n_tools: usize, about: &Hidden) -> Vec<(&'static str, Asked)> {
    let search = |query: &str| Asked::post("search_tools", &json!({ "query": query }));
    let tool = reference(about.namespace, last_hidden(n_tools));
    let closed = about.namespace;
    let visible = "word1 word2";
    vec![
        ("nothing: a word that neither has", search(about.missing)),
        ("a tool by its ref", Asked::get(format!("/v1/tools/{tool}"))),
        ("a tool's details", Asked::post("get_tool_details", &json!({ "refs": [tool] }))),
        ("a search for a word of one hidden tool", search(about.rare)),
        ("a search for a word of many hidden tools", search(about.common)),
        (
            "a search within a hidden namespace",
            Asked::post("search_tools", &json!({ "query": visible, "namespaces": [closed] })),
        ),
        (
            "a search with a tag of hidden tools",
            Asked::post("search_tools", &json!({ "query": visible, "filter": { "tags": [closed] } })),
        ),
        ("namespaces that begin so", Asked::post("list_namespaces", &json!({ "prefix": closed }))),
    ]
}

/// The times of answers about something hidden against those about something missing.
struct Comparison {
    n: f64,
    p50_us: f64,
    auc: f64,
    delta_us: f64,
    /// Of a difference of two answers.
    variance: f64,
}

fn judge(mut hidden: Vec<f64>, mut missing: Vec<f64>) -> Comparison {
    hidden.sort_by(f64::total_cmp);
    missing.sort_by(f64::total_cmp);
    let n = hidden.len() as f64;
    // For each time of a hidden thing, the missing ones that were faster, and half of those as fast.
    let faster: usize = hidden
        .iter()
        .map(|&time| missing.partition_point(|&other| other < time) + missing.partition_point(|&other| other <= time))
        .sum();
    let (mean_hidden, variance_hidden) = trimmed(&hidden);
    let (mean_missing, variance_missing) = trimmed(&missing);
    Comparison {
        n,
        p50_us: percentile(&missing, 0.5),
        auc: faster as f64 / 2.0 / (n * n),
        delta_us: mean_hidden - mean_missing,
        variance: variance_hidden + variance_missing,
    }
}

impl Comparison {
    /// The mean of two.
    fn with(&self, other: &Self) -> Self {
        let mean = |of: fn(&Self) -> f64| f64::midpoint(of(self), of(other));
        Self {
            n: self.n + other.n,
            p50_us: mean(|c| c.p50_us),
            auc: mean(|c| c.auc),
            delta_us: mean(|c| c.delta_us),
            variance: mean(|c| c.variance),
        }
    }

    fn question(&self, name: &'static str) -> Question {
        let &Self { n, p50_us, auc, delta_us, variance } = self;
        let z: f64 = 1.645 + 1.645;
        Question {
            name,
            p50_us,
            auc,
            auc_error: 1.96 * ((2.0 * n + 1.0) / (12.0 * n * n)).sqrt(),
            delta_us,
            answers_needed: z * z * variance / (delta_us * delta_us),
        }
    }
}

/// Mean and variance without the slowest twentieth.
fn trimmed(sorted: &[f64]) -> (f64, f64) {
    let kept = &sorted[..sorted.len() - sorted.len() / 20];
    let n = kept.len() as f64;
    let mean = kept.iter().sum::<f64>() / n;
    (mean, kept.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_and_none_is_not() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut times =
            |n: usize, shift: f64| -> Vec<f64> { (0..n).map(|_| 100.0 + 20.0 * rng.f64() + shift).collect() };
        let none = judge(times(5_000, 0.0), times(5_000, 0.0)).question("none");
        assert!((none.auc - 0.5).abs() < none.auc_error, "{none:?}");
        assert!(none.answers_needed > 5_000.0, "{none:?}");
        let some = judge(times(5_000, 5.0), times(5_000, 0.0)).question("some");
        assert!(some.auc - 0.5 > 10.0 * some.auc_error && (some.delta_us - 5.0).abs() < 0.5, "{some:?}");
        assert!(some.answers_needed < 50.0, "{some:?}");
    }

    #[test]
    fn what_is_asked_for_is_there_and_hidden_however_many_tools_there_are() {
        for n_tools in [100, 109, 110, 300, 301, 1_001] {
            let catalog = catalog(n_tools, &ONE).expect("a catalog");
            let wanted = reference(ONE.namespace, last_hidden(n_tools));
            let tool = catalog.iter().find(|tool| tool.reference.to_string() == wanted).expect("it is there");
            assert!(tool.description.contains(ONE.rare), "{n_tools}");
            assert_eq!(catalog.iter().filter(|tool| tool.description.contains(ONE.rare)).count(), 1);
        }
    }

    #[test]
    fn every_question_is_answered() {
        let home = tempfile::tempdir().expect("a folder");
        let report = measure(home.path(), 300, 3).expect("it measures");
        assert_eq!((report.n_visible, report.n_common), (30, 135));
        assert_eq!(report.questions.len(), questions_of(300, &ONE).len());
    }
}
