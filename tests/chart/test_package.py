"""The chart as Helm sees it: linted, packed, installed in a dry run, and as a dependency of somebody else's chart."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.chart import helm
from tests.chart.test_render import VALUES, values

ROOT = helm.CHART.parent


@pytest.mark.parametrize("name", VALUES)
def test_lint_is_silent(name: str) -> None:
    found = helm.helm.lint(str(helm.CHART), values(name), strict=True, kube_version=f"v{helm.NEWEST}.0")

    assert (found["messages"], found["errors"]) == ([], [])


def test_the_package_has_the_chart_and_no_more(tmp_path: Path) -> None:
    script = ROOT / "docs" / "package_chart.py"
    made = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=True).stdout.strip()
    with tarfile.open(made) as package:
        packed = {name.removeprefix("drainer/") for name in package.getnames()}

    kept = {str(path.relative_to(helm.CHART)) for path in helm.CHART.rglob("*") if path.is_file()}
    assert packed == kept - {"icon.svg", ".helmignore"} | (packed & {".helmignore"})


def test_a_dry_run_says_what_comes_next() -> None:
    config = helm.helm.Config(storage_driver="memory")
    release = config.install(helm._load(helm.CHART), "drainer", {"demo": {"enabled": True}}, dry_run="client")

    assert "helm test drainer" in str(release)


UNSAID = "WARNING: pods have a limit and never-last, but not the right to see who else takes"


def may_not(settings: dict[str, Any], **switches: bool) -> dict[str, Any]:
    """Values of pods with these settings, whose Role allows what it does unasked and these."""
    rbac = {"create": True, "serviceAccounts": ["a"], **switches}
    return {"rbac": rbac, "sidecar": {"settings": {"kubernetes": "on", **settings}}}


@pytest.mark.parametrize(
    ("given", "sentences"),
    [
        ({}, ["Nothing was installed: every part of this chart is off by default."]),
        ({"injection": {"enabled": True}}, ["kubectl patch deployment", "WARNING: sidecar.settings.close is not set"]),
        (
            {"injection": {"enabled": True}, "sidecar": {"gracePeriod": 10}},
            ["WARNING: sidecar.gracePeriod 10 leaves no time"],
        ),
        (
            {"rbac": {"create": True, "serviceAccounts": ["a"]}},
            ["drainer-tools-own-pod", "WARNING: rights were given, but"],
        ),
        (may_not({"max-connections": 100, "serving-label": True}), [UNSAID]),
        (may_not({"max-rate": 50, "full": "readiness"}), [UNSAID]),
        (may_not({"deletion-cost": True}), ["WARNING: sidecar.settings.deletion-cost is true"]),
        ({"podMonitor": {"enabled": True}}, ["WARNING: this cluster does not know PodMonitor"]),
        (
            {"scaling": {"method": "keda-prometheus", "target": {"name": "chat"}}},
            ["WARNING: this cluster does not know ScaledObject"],
        ),
        (
            {
                "scaling": {"method": "adapter", "target": {"name": "chat"}},
                "sidecar": {"settings": {"max-connections": "500"}},
            },
            ["WARNING: scaling.connectionsPerPod 500 is not below sidecar.settings.max-connections"],
        ),
        ({"prometheusRule": {"enabled": True}}, ["WARNING: this cluster does not know PrometheusRule"]),
        ({"networkPolicy": {"enabled": True}}, ["WARNING: networkPolicy.otherPorts is open"]),
        (
            {"adapter": {"enabled": True}},
            [
                "kubectl get apiservice v1beta2.custom.metrics.k8s.io",
                "An APIService that points elsewhere is left as it is",
            ],
        ),
        (
            {"adapter": {"enabled": True, "externalMetrics": {"enabled": True}}},
            ["serves v1beta1.external.metrics.k8s.io and v1beta2.custom.metrics.k8s.io"],
        ),
        (
            {"demo": {"enabled": True}, "sidecar": {"settings": {"token": "x"}}},
            ["WARNING: the token stands in pod specs"],
        ),
    ],
    ids=lambda it: str(it) if isinstance(it, dict) else "",
)
def test_the_notes_say_what_was_installed_and_what_is_amiss(given: dict[str, Any], sentences: list[str]) -> None:
    notes = helm.texts(given)["templates/NOTES.txt"]

    assert [sentence for sentence in sentences if sentence not in notes] == []


@pytest.mark.parametrize(
    "given",
    [
        may_not({"max-connections": 100}),
        may_not({"max-connections": "off", "serving-label": True}),
        may_not({"max-connections": 100, "serving-label": True, "never-last": False}),
        may_not({"max-connections": 100, "serving-label": True, "full": "metric"}),
        may_not(
            {"max-connections": 100, "serving-label": True, "deletion-cost": True}, neverLast=True, deletionCost=True
        ),
    ],
    ids=str,
)
def test_the_notes_say_nothing_of_rights_that_nobody_misses(given: dict[str, Any]) -> None:
    notes = helm.texts(given)["templates/NOTES.txt"]

    assert UNSAID not in notes
    assert "deletion-cost" not in notes


def test_a_chart_that_has_it_as_dependency_gets_nothing_unasked(tmp_path: Path) -> None:
    helm.include("drainer.gracePeriod", '(dict "context" $)', {}, tmp_path)

    assert helm.objects({}, chart=tmp_path / "parent") == [{"it": 30}]


def test_defaults_come_from_the_values_of_the_dependency(tmp_path: Path) -> None:
    chosen = {"drainer": {"image": {"tag": "9"}, "sidecar": {"gracePeriod": 90, "settings": {"settle": "8s"}}}}
    (container,) = helm.include("drainer.sidecar", '(dict "context" $ "appPorts" 8080)', chosen, tmp_path)
    environment = {row["name"]: row.get("value") for row in container["env"]}

    assert container["image"] == "ghcr.io/drainer/drainer:9"
    assert environment["DRAINER_GRACE_PERIOD"] == "90s"
    assert environment["DRAINER_SETTLE"] == "8s"
    assert helm.include("drainer.gracePeriod", '(dict "context" $)', chosen, tmp_path) == 90


@pytest.mark.parametrize(
    ("template", "arguments", "sentence"),
    [
        ("drainer.sidecar", '(dict "context" $)', "no ports of the app; give appPorts"),
        ("drainer.sidecar", "(dict)", "the argument context is missing"),
        (
            "drainer.sidecar",
            '(dict "context" $ "ports" 8080)',
            "ports is not an argument of these templates; allowed: context",
        ),
        (
            "drainer.preStop",
            '(dict "context" $ "settings" (dict "settel" "5s"))',
            "settings.settel is not a setting; allowed: app-",
        ),
        (
            "drainer.gracePeriod",
            '(dict "context" $ "gracePeriod" 1.5)',
            "gracePeriod 1.5 cannot be used; allowed: whole seconds",
        ),
        ("drainer.gracePeriod", '(dict "context" $ "subchart" "drains")', "there is no dependency named drains here"),
    ],
)
def test_wrong_arguments_are_named(template: str, arguments: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(helm.helm.HelmError) as caught:
        helm.include(template, arguments, {}, tmp_path)

    assert sentence in str(caught.value)


def test_settings_are_read_as_yaml_has_them(tmp_path: Path) -> None:
    settings = {"kubernetes": True, "timeout": False, "events": False, "max-remaining": 1000000, "min-age": 0.5}
    arguments = '(dict "context" $ "appPorts" 8080)'
    (container,) = helm.include(
        "drainer.sidecar", arguments, {"drainer": {"sidecar": {"settings": settings}}}, tmp_path
    )
    environment = {row["name"]: row.get("value") for row in container["env"]}

    assert {
        name: environment[f"DRAINER_{name}"] for name in ("KUBERNETES", "TIMEOUT", "EVENTS", "MAX_REMAINING", "MIN_AGE")
    } == {
        "KUBERNETES": "on",
        "TIMEOUT": "off",
        "EVENTS": "false",
        "MAX_REMAINING": "1000000",
        "MIN_AGE": "0.5",
    }
