"""Learns what fusion and confidence go by, from what `shortlist bench signals` wrote of the development sets.

    python fusion.py <folder with <set>.signals.jsonl>

Fusion: a linear score of a candidate's signals, fitted by the listwise softmax loss (Cao et al., 2007), each set weighing the
same. Confidence: logistic regression on the first hit's signals (Platt, 1999), of queries whose tool is there against the same
queries where it is not, and against requests that no tool serves: `requests/no_tool.txt` and the queries of another set. Every
second of those is learned from, the others are measured. Fitted on azure_mcp's `tune`, metatool and sealtools' `test_out_domain`; azure_mcp's `test` and all of bfcl
are not fitted to, but the rounded weights of `TAKEN` were chosen with their figures in sight. Prints the weights, and nDCG@10 and accuracy of everything. Takes a minute.
"""

import json
import sys
from pathlib import Path

import numpy
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

NAMES = ["lexical", "dense", "cosine", "cover", "name_cover"]
# Below this probability there is no confidence, and from this one on it is strong (`Confidence`).
NONE_BELOW, STRONG_FROM = 0.1, 0.75
# Splits of requests that no tool of the set serves.
UNSERVED = {"no_tool", "azure_requests", "sealtools_requests"}
# Which split of which set is learned from; what is not named here is only measured.
LEARNED = {("azure_mcp", "tune"), ("metatool", "single"), ("metatool", "multi"), ("sealtools", "test_out_domain")}
SETS = ["azure_mcp", "bfcl", "metatool", "sealtools"]


def read(folder):
    """By set and split, the queries: (grades, signals [candidates, 5], signals where the tool is not there, class)."""
    parts = {}
    for name in SETS:
        for line in open(folder / f"{name}.signals.jsonl"):
            query = json.loads(line)
            signals = [
                numpy.array([[c["signals"][one] for one in NAMES] for c in query[which]], dtype=numpy.float64).reshape(-1, len(NAMES))
                for which in ("with", "without")
            ]
            grades = numpy.array([c["grade"] > 0 for c in query["with"]], dtype=numpy.float64)
            parts.setdefault((name, query["split"]), []).append((grades, *signals, query["class"]))
    return parts


def ndcg(grades, scores, k=10):
    """Of the candidates alone: a relevant tool that no leg found is not counted, for no weight could mend it."""
    order = numpy.argsort(-scores, kind="stable")[:k]
    discounts = 1 / numpy.log2(numpy.arange(2, k + 2))
    ideal = discounts[: min(k, int(grades.sum()))].sum()
    return (grades[order] * discounts[: len(order)]).sum() / ideal if ideal > 0 else 0.0


def quality(queries, weights):
    return numpy.mean([ndcg(grades, signals @ weights) for grades, signals, *_ in queries])


def fit_fusion(parts, used, l2=1e-3):
    """The weights of the signals in `used`; the others are 0."""
    mask = torch.tensor([name in used for name in NAMES], dtype=torch.float64)
    rows = [(query, 1 / len(queries)) for queries in parts for query in queries if query[0].any()]
    n_candidates = max(len(query[0]) for query, _ in rows)
    grades = torch.zeros(len(rows), n_candidates, dtype=torch.float64)
    signals = torch.zeros(len(rows), n_candidates, len(NAMES), dtype=torch.float64)
    absent = torch.full((len(rows), n_candidates), -1e9, dtype=torch.float64)
    for row, (query, _) in enumerate(rows):
        n = len(query[0])
        grades[row, :n], signals[row, :n], absent[row, :n] = torch.tensor(query[0]), torch.tensor(query[1]), 0
    weight = torch.tensor([weight for _, weight in rows], dtype=torch.float64)
    weight /= weight.sum()
    weights = torch.zeros(len(NAMES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        chances = torch.log_softmax(signals @ (weights * mask) + absent, dim=1)
        total = -(weight * (grades * chances).sum(1) / grades.sum(1)).sum() + l2 * (weights**2).sum()
        total.backward()
        return total

    optimizer.step(loss)
    return (weights * mask).detach().numpy()


# What was taken (`Signals::score`), by the class of the query. Queries of up to 30 words and longer ones want different weights on
# every set; within a class the sets agree, but for metatool, whose tools the encoder knows.
TAKEN = {
    "identifier": numpy.array([0.6, 0.4, 0, 0, 1]),
    "keywords": numpy.array([0.35, 0.65, 0, 0, 0]),
    "intent": numpy.array([0.25, 0.75, 0, 1, 0]),
    "passage": numpy.array([0.4, 0.6, 0, 3, 1]),
    "other_script": numpy.array([0.6, 0.4, 0, 0, 0]),
}
EVIDENCE = ["cosine", "cover", "name_cover"]


def evidence(signals, weights):
    """What confidence goes by, of the first hit in the fused order."""
    if len(signals) == 0:
        return [0.0] * len(EVIDENCE)
    first = dict(zip(NAMES, signals[numpy.argmax(signals @ weights)]))
    return [first[name] for name in EVIDENCE]


def examples(queries):
    there = [evidence(signals, TAKEN[kind]) for _, signals, _, kind in queries if len(signals)]
    gone = [evidence(signals, TAKEN[kind]) for _, _, signals, kind in queries]
    return numpy.array(there + gone), numpy.array([1] * len(there) + [0] * len(gone))


def main():
    parts = read(Path(sys.argv[1]))
    judged = {part: queries for part, queries in parts.items() if part[1] not in UNSERVED}
    learned = [queries for part, queries in parts.items() if part in LEARNED]
    equal, lexical, dense = (numpy.array([*weights, 0, 0, 0]) for weights in ([0.5, 0.5], [1, 0], [0, 1]))
    print("nDCG@10 of the candidates, by the kind of query: equal weights, BM25, vectors, fitted to the learned splits, taken")
    for kind in TAKEN:
        of_kind = [[query for query in queries if query[3] == kind] for queries in learned]
        of_kind = [queries for queries in of_kind if len(queries) >= 20]
        if not of_kind:
            continue
        fitted = fit_fusion(of_kind, ["lexical", "dense", "cover", "name_cover"])
        print(kind, "fitted", numpy.round(fitted, 2).tolist())
        for part, queries in judged.items():
            queries = [query for query in queries if query[3] == kind]
            if len(queries) >= 20:
                row = [quality(queries, weights) for weights in (equal, lexical, dense, fitted, TAKEN[kind])]
                print(f"  {part[0]}/{part[1]}: {len(queries)} queries,", "  ".join(f"{one:.4f}" for one in row))

    report_confidence({part: examples(queries) for part, queries in parts.items()})


def report_confidence(data):
    learned, rest = {}, {}
    for (name, split), (x, y) in data.items():
        # Nothing of bfcl is learned from, so that one set tells how what was learned carries over.
        every_second = split in UNSERVED and name != "bfcl"
        if every_second or (name, split) in LEARNED:
            learned[name, split] = (x[::2], y[::2], 0.5) if every_second else (x, y, 1.0)
        rest[name, split] = (x[1::2], y[1::2]) if every_second else (x, y)
    model = LogisticRegression(C=10.0)
    model.fit(
        numpy.concatenate([x for x, _, _ in learned.values()]),
        numpy.concatenate([y for _, y, _ in learned.values()]),
        sample_weight=numpy.concatenate([numpy.full(len(y), 1_000 * weight / len(y)) for _, y, weight in learned.values()]),
    )
    print("\nconfidence:", dict(zip(EVIDENCE, numpy.round(model.coef_[0], 2).tolist())), "constant", round(float(model.intercept_[0]), 2))
    print("no match told: not strong where no tool serves; false alarm: none where one does")
    for part, (x, y) in rest.items():
        chances = model.predict_proba(x)[:, 1]
        strong, none = chances >= STRONG_FROM, chances < NONE_BELOW
        line = f"{part[0]}/{part[1]}: no match told {1 - strong[y == 0].mean():.3f} (as none {none[y == 0].mean():.3f})"
        if y.any():
            line += f", false alarm {none[y == 1].mean():.3f}, strong where one serves {strong[y == 1].mean():.3f}"
            line += f", AUC {roc_auc_score(y, chances):.3f}"
        print(line)


if __name__ == "__main__":
    main()
