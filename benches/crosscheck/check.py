"""Compares the figures of `shortlist bench relevance` with what ir-measures computes from its TREC files.

    python check.py --json out.json --run out.run --qrels out.qrels --queries queries.jsonl

Ends with status 1 and a list of the differences when a figure, overall or of a split, differs by more than 1e-6.
"""

import argparse
import json
import sys

import ir_measures
from ir_measures import RR, P, R, Success, nDCG

TOLERANCE = 1e-6

# Our name -> everything that must agree with it. completeness@10 has no name in trec_eval: it is derived below.
MEASURES = {
    "ndcg_at_10": [nDCG @ 10],
    "recall_at_1": [R @ 1],
    "recall_at_5": [R @ 5],
    "recall_at_10": [R @ 10],
    "recall_at_20": [R @ 20],
    "mrr": [RR],
    "hit_at_1": [P @ 1, Success @ 1],
}


def field(identifier):
    """An id as it stands in a TREC file; the twin of `trec::field`, whose page says why."""

    def encoded(c):
        if c == "%" or c.isspace() or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0:
            return "".join(f"%{byte:02X}" for byte in c.encode())
        return c

    return "".join(encoded(c) for c in identifier)


def values_by_query(qrels, run):
    """measure -> query -> value. A query that found nothing has no line in the run and counts 0, as with trec_eval -c."""
    measures = [measure for group in MEASURES.values() for measure in group]
    values = {measure: {qrel.query_id: 0.0 for qrel in qrels} for measure in measures}
    for metric in ir_measures.iter_calc(measures, qrels, run):
        values[metric.measure][metric.query_id] = metric.value
    return values


def compare(where, part, values, queries, problems):
    if part["n_queries"] != len(queries):
        problems.append(f"{where}: {part['n_queries']} queries reported, {len(queries)} judged")
    checks = [(name, measure, values[measure]) for name, group in MEASURES.items() for measure in group]
    complete = {query: float(value == 1.0) for query, value in values[R @ 10].items()}
    checks.append(("completeness_at_10", "R@10 == 1", complete))
    for name, measure, by_query in checks:
        theirs = sum(by_query[query] for query in queries) / len(queries)
        if abs(part[name] - theirs) > TOLERANCE:
            problems.append(f"{where}: {name} is {part[name]:.9f} here and {theirs:.9f} as {measure} of ir-measures")
    return len(checks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, help="the report, of one setting")
    parser.add_argument("--run", required=True, help="the TREC run of the same setting")
    parser.add_argument("--qrels", required=True, help="the TREC qrels")
    parser.add_argument("--queries", required=True, help="the set's queries, which say the splits")
    args = parser.parse_args()

    with open(args.json, encoding="utf-8") as file:
        runs = [run for report in json.load(file)["sets"] for run in report["runs"]]
    if len(runs) != 1:
        sys.exit(f"{args.json} holds {len(runs)} runs; a TREC run is of one set and setting, so measure one at a time")
    report = runs[0]
    with open(args.queries, encoding="utf-8") as file:
        queries = [json.loads(line) for line in file if line.strip()]
    qrels = list(ir_measures.read_trec_qrels(args.qrels))
    run = list(ir_measures.read_trec_run(args.run))

    problems = []
    judged = {(field(query["id"]), field(tool)): grade for query in queries for tool, grade in query["relevant"].items()}
    if judged != {(qrel.query_id, qrel.doc_id): qrel.relevance for qrel in qrels}:
        problems.append(f"{args.qrels} does not hold the judgements of {args.queries}")

    parts = {"all": [field(query["id"]) for query in queries]}
    for query in queries:
        if query.get("split") is not None:
            parts.setdefault(f"split {query['split']}", []).append(field(query["id"]))
    reported = {"all": report["overall"], **{f"split {name}": part for name, part in report["splits"].items()}}
    if parts.keys() != reported.keys():
        problems.append(f"the report has the parts {sorted(reported)}, the queries have {sorted(parts)}")

    values = values_by_query(qrels, run)
    n_compared = 0
    for where in parts.keys() & reported.keys():
        n_compared += compare(where, reported[where], values, parts[where], problems)
    setting = f"{report['mode']}, rerank {'on' if report['rerank'] else 'off'}"
    if problems:
        sys.exit("\n".join([f"{setting}: {len(problems)} differences"] + sorted(problems)))
    print(f"{setting}: {n_compared} figures agree with ir-measures {ir_measures.__version__}")


if __name__ == "__main__":
    main()
