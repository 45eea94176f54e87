//! [`Quality`]: how good a round's answers were, as bench.py defines it, so that figures stand beside the rivals'.

use std::collections::HashSet;

use serde::Serialize;

use super::task::Task;
use super::workload::{Query, Workload};

/// Means over the queries of one round; what a task does not have is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// Results that their user may not see: to be 0.
    pub leaks: usize,
    /// The share of the results that there could be, `min(k, documents of the user)`, that came.
    pub fill: f64,
    /// Vectors: the share of the true nearest that came, whatever the query aims at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<f64>,
    /// Of it, queries that aim at a document that their user may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_on: Option<f64>,
    /// Queries that aim outside of it: where filtered walks of a graph fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_off: Option<f64>,
    /// Text and hybrid, over the queries that aim at what their user may see: the share that found the document they were made
    /// of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit: Option<f64>,
    /// Likewise: one over the rank of that document, 0 where it did not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrr: Option<f64>,
}

/// Answers, as they come in.
#[derive(Default)]
pub(super) struct Checked {
    /// Whether the nearest are known.
    is_given: bool,
    leaks: usize,
    fill: Vec<f64>,
    recall_on: Vec<f64>,
    recall_off: Vec<f64>,
    hit: Vec<f64>,
    mrr: Vec<f64>,
}

impl Checked {
    /// No answer yet, by the vectors that were given or by others.
    pub(super) fn new(is_given: bool) -> Self {
        Self { is_given, ..Self::default() }
    }

    /// Takes the answer to a query: documents by number, best first.
    pub(super) fn add(&mut self, workload: &Workload, task: Task, query: &Query, found: &[usize]) {
        let user = &workload.users[query.user];
        let different: HashSet<usize> = found.iter().copied().collect();
        let wanted = task.k().min(user.n_docs);
        self.fill.push(different.len().min(wanted) as f64 / wanted as f64);
        let may_see = |document: usize| workload.namespace_of.get(document).is_some_and(|ns| user.ns.contains(ns));
        self.leaks += found.iter().filter(|&&document| !may_see(document)).count();
        if task == Task::Vec && self.is_given {
            let n_found = query.nearest.iter().filter(|document| different.contains(document)).count();
            let recall = n_found as f64 / query.nearest.len() as f64;
            if query.aligned { self.recall_on.push(recall) } else { self.recall_off.push(recall) }
        } else if query.aligned {
            let place = found.iter().position(|document| query.targets.contains(document));
            self.hit.push(f64::from(u8::from(place.is_some())));
            self.mrr.push(place.map_or(0.0, |place| 1.0 / (1 + place) as f64));
        }
    }

    /// The means.
    pub(super) fn quality(&self) -> Quality {
        let recall = [self.recall_on.as_slice(), &self.recall_off].concat();
        Quality {
            leaks: self.leaks,
            fill: mean(&self.fill).unwrap_or_default(),
            recall: mean(&recall),
            recall_on: mean(&self.recall_on),
            recall_off: mean(&self.recall_off),
            hit: mean(&self.hit),
            mrr: mean(&self.mrr),
        }
    }
}

/// The mean with four digits, `None` of nothing.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| (values.iter().sum::<f64>() / values.len() as f64 * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::latency::workload::{Source, User};

    /// User 0 sees documents 0 to 2, user 1 the thirty others.
    fn workload() -> Workload {
        let user = |ns: &[u32], n_docs| User {
            name: String::new(),
            ns: HashSet::from_iter(ns.iter().copied()),
            namespaces: Vec::new(),
            n_docs,
        };
        let query = |user, aligned, target, nearest: Vec<usize>| Query {
            share: 1.0,
            user,
            text: String::new(),
            vector: None,
            targets: vec![target],
            aligned,
            nearest,
        };
        Workload {
            source: Source::Tools { tools: Vec::new(), sha256: String::new() },
            namespace_of: [0, 2, 2].into_iter().chain([1; 30]).collect(),
            users: vec![user(&[0, 2], 3), user(&[1], 30)],
            queries: vec![query(0, true, 2, vec![0, 2, 1]), query(1, false, 0, (3..23).collect())],
        }
    }

    #[test]
    fn the_figures_are_those_of_bench_py_for_the_same_answers() {
        let workload = workload();
        let answers: [(usize, &[usize]); 4] =
            [(0, &[2, 0, 0]), (0, &[1, 5, 2]), (1, &[3, 4, 5, 6, 7, 8, 30, 31]), (0, &[])];
        let quality = |task, is_given| {
            let mut checked = Checked::new(is_given);
            answers.iter().for_each(|&(query, found)| checked.add(&workload, task, &workload.queries[query], found));
            checked.quality()
        };
        let nothing = Quality { leaks: 1, ..Quality::default() };
        // What bench.py's check() and run() make of them.
        let vec = Quality {
            fill: 0.5167,
            recall: Some(0.4083),
            recall_on: Some(0.4444),
            recall_off: Some(0.3),
            ..nothing.clone()
        };
        assert_eq!(quality(Task::Vec, true), vec);
        let found = Quality { hit: Some(0.6667), mrr: Some(0.4444), ..nothing };
        assert_eq!(quality(Task::Fts, true), Quality { fill: 0.5167, ..found.clone() });
        assert_eq!(quality(Task::Hybrid, true), Quality { fill: 0.6167, ..found.clone() });
        // The nearest are those of the given vectors and of no other.
        assert_eq!(quality(Task::Vec, false), Quality { fill: 0.5167, ..found });
    }
}
