"""Reads a metrics page from standard input with Prometheus's own client, and the dashboard and the alert rules in the folder
that is named with their own readers. Prints what it found as JSON; ends with an error where one of them is not what it
should be.
"""

import json
import re
import sys
from pathlib import Path

import promql_parser
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

folder = Path(sys.argv[1])
samples = {}
families = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    families[family.name] = family.type
    assert family.type != "unknown" and family.documentation, family
    for sample in family.samples:
        assert sample.value == sample.value, sample
        samples.setdefault(sample.name, []).append(sample.labels)


def names(expression):
    """The metrics that an expression asks for, if it is one."""
    for variable, value in {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}.items():
        expression = expression.replace(variable, value)
    promql_parser.parse(expression)
    return re.findall(r"\b(?:shortlist|process)_[a-z_]+", expression)


rules = yaml.safe_load((folder / "alerts.yml").read_text())["groups"]
alerts = [rule for group in rules for rule in group["rules"]]
for rule in alerts:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
    assert rule["labels"]["severity"] in {"page", "ticket"} and rule["annotations"]["summary"], rule
assert len({rule["alert"] for rule in alerts}) == len(alerts)

dashboard = json.loads((folder / "dashboard.json").read_text())
# Whatever Grafana's own types do not know would be lost on the way through them.
kept = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def is_kept(given, kept, path):
    if isinstance(given, dict):
        for key, value in given.items():
            assert key in kept, f"{path}/{key} is nothing that Grafana knows"
            is_kept(value, kept[key], f"{path}/{key}")
    elif isinstance(given, list):
        assert len(given) == len(kept), path
        for place, (one, other) in enumerate(zip(given, kept)):
            is_kept(one, other, f"{path}/{place}")
    else:
        assert given == kept, path


is_kept(dashboard, kept, "")
panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
for panel in panels:
    assert panel["title"] and panel["description"] and panel["targets"], panel
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24, panel
queries = [target["expr"] for panel in panels for target in panel["targets"]]
json.dump(
    {
        "families": families,
        "samples": samples,
        "n_alerts": len(alerts),
        "n_panels": len(panels),
        "asked": sorted({name for query in queries + [rule["expr"] for rule in alerts] for name in names(query)}),
    },
    sys.stdout,
)
