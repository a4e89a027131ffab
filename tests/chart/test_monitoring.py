"""Alerts and the dashboard: promtool runs each alert and reads each query."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from drainer.metrics import render
from tests.chart import helm
from tests.chart.helm import CHART, yaml
from tests.unit.limits import limit
from tests.unit.statuses import VITALS, make_status

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs the program promtool (Debian: prometheus)"
)
ROOT = CHART.parent
RULES = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
TESTS = yaml.safe_load((Path(__file__).parent / "rules_test.yaml").read_text())
DASHBOARD = json.loads((CHART / "dashboards" / "drainer.json").read_text())
ALERTS = [rule["alert"] for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]


def rule(**values: Any) -> Any:
    """The PrometheusRule."""
    return helm.one(helm.objects({"prometheusRule": {"enabled": True, **values}}), "PrometheusRule")


def alerts(made: Mapping[str, Any]) -> dict[str, Any]:
    return {one["alert"]: one for group in made["spec"]["groups"] for one in group["rules"] if "alert" in one}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=50)


# Alerts.


def test_the_rules_are_those_of_the_file() -> None:
    assert rule()["spec"] == RULES


def test_labels_are_added_and_alerts_are_left_out() -> None:
    more = {"name": "mine", "rules": [{"alert": "Mine", "expr": "vector(1)"}]}
    made = rule(
        labels={"release": "prometheus"},
        ruleLabels={"team": "chat", "severity": "page"},
        disabled=["DrainerUneven", "DrainerBlind"],
        additionalGroups=[more],
    )
    assert made["metadata"]["labels"]["release"] == "prometheus"
    assert made["spec"]["groups"][1:] == [more]
    shown = alerts({"spec": {"groups": made["spec"]["groups"][:1]}})
    assert sorted(shown) == sorted({*ALERTS} - {"DrainerUneven", "DrainerBlind"})
    assert {tuple(sorted(one["labels"].items())) for one in shown.values()} == {
        (("severity", "page"), ("team", "chat"))
    }


def test_an_alert_that_does_not_exist_cannot_be_left_out() -> None:
    with pytest.raises(helm.helm.HelmError, match=r'disabled: "Uneven" is no alert; allowed: DrainerDeadline, '):
        rule(disabled=["Uneven"])


@needs_promtool
def test_each_alert_fires_with_a_reason_and_not_without(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule()["spec"]))
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], **TESTS}))
    done = promtool("test", "rules", tmp_path / "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    fires = {one["alertname"] for test in TESTS["tests"] for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fires == {*ALERTS}


def test_the_documentation_has_each_alert_with_its_severity() -> None:
    rows = re.findall(r"^\| `(Drainer\w+)` \| (\w+) \|", (ROOT / "docs" / "chart.md").read_text(), re.MULTILINE)
    assert dict(rows) == {name: one["labels"]["severity"] for name, one in alerts({"spec": RULES}).items()}


# The dashboard.


def test_the_dashboard_is_up_to_date() -> None:
    script = ROOT / "docs" / "dashboard.py"
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


CHOSEN = {"label": "dashboards", "labelValue": "yes", "namespace": "monitoring", "annotations": {"folder": "Chat"}}


@pytest.mark.parametrize(
    ("values", "label", "namespace"),
    [({}, ("grafana_dashboard", "1"), helm.NAMESPACE), (CHOSEN, ("dashboards", "yes"), "monitoring")],
)
def test_it_is_found_by_a_label_of_ones_choice(values: dict[str, Any], label: tuple[str, str], namespace: str) -> None:
    made = helm.one(helm.objects({"dashboard": {"enabled": True, **values}}), "ConfigMap")
    metadata = made["metadata"]
    assert json.loads(made["data"]["drainer.json"]) == DASHBOARD
    assert label in metadata["labels"].items()
    assert (metadata["namespace"], metadata.get("annotations")) == (namespace, values.get("annotations"))


def places() -> Iterator[tuple[str, range, range]]:
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        yield panel["title"], range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])


def test_no_panel_lies_over_another_or_beyond_the_grid() -> None:
    assert max(columns.stop for _, columns, _ in places()) == 24
    over = [
        (one, other)
        for (one, columns, rows), (other, *there) in combinations(places(), 2)
        if {*columns} & {*there[0]} and {*rows} & {*there[1]}
    ]
    assert over == []
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len({*numbers}) == len(numbers)


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def test_each_query_is_of_the_chosen_source_and_pods() -> None:
    sources = {json.dumps(one["datasource"]) for panel in DASHBOARD["panels"] for one in panel.get("targets", [])}
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}
    assert "__inputs" not in DASHBOARD
    assert all('namespace=~"$namespace",pod=~"$pod"' in query for query in queries())


@needs_promtool
def test_promtool_can_read_each_query(tmp_path: Path) -> None:
    values = {"$__rate_interval": "1m", "$namespace": "chat", "$pod": ".*"}
    rules = [
        {"record": f"query:{at}", "expr": re.sub(r"\$\w+", lambda match: values[match[0]], query)}
        for at, query in enumerate(queries())
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


# Names.

_SUFFIX = re.compile(r"_(bucket|count|sum)$")


def known() -> set[str]:
    """Every metric that an agent serves, as it is named in a scrape."""
    known = make_status(closers={"reset": None}, api_requests={"get": {"ok": 1}}, limit=limit(), vitals=VITALS)
    text, _ = render(known, "", 1e9)
    return {re.split(r"[{ ]", line)[0] for line in text.decode().splitlines() if not line.startswith("#")}


def of_the_adapter() -> set[str]:
    """Those of `drainer adapter`, as they are written where it makes them."""
    source = (ROOT / "drainer" / "adapter" / "exposition.py").read_text()
    names = set(re.findall(r'"(drainer_adapter_[a-z_]+)"', source))
    return names | {f"{name}_total" for name in names}


def named(text: str) -> set[str]:
    """Metrics that a text names; `drainer_x_*` stands for several."""
    return set(re.findall(r"(?<![\w/.:-])(drainer_[a-z_]+[a-z](?!\w))(?!\.|/|\()", text))


NAMING = [
    CHART / "files" / "rules.yaml",
    CHART / "dashboards" / "drainer.json",
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
]


@pytest.mark.parametrize("file", NAMING, ids=lambda file: str(file.name))
def test_every_metric_that_is_named_exists(file: Path) -> None:
    exists = {_SUFFIX.sub("", name) for name in known()} | of_the_adapter()
    unknown = {name for name in named(file.read_text()) if _SUFFIX.sub("", name) not in exists}
    assert unknown == set()
