"""Whole manifests: what goes in and what comes out, as text. The cases and how to write them anew: golden.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drainer.commands.manifests import parse
from drainer.commands.patch import inject, uninject
from drainer.commands.pods import NoPod, find, objects
from drainer.commands.reports import as_text
from tests.unit.inject.golden import FOLDER, INPUTS, injected, paths, read_options, uninjected

VERSIONS = [f"1.{minor}" for minor in range(29, 38)]
NEEDED = "needs kubernetes-validate, which the group chart in pyproject.toml brings"
every_case = pytest.mark.parametrize("given", INPUTS, ids=lambda path: path.name)


def test_there_are_cases_and_no_golden_file_is_left_over() -> None:
    assert len(INPUTS) >= 9
    expected = {path.name for given in INPUTS for path in (given, *paths(given))}
    assert {path.name for path in FOLDER.iterdir()} == expected


@every_case
def test_what_comes_out_is_the_golden_file_and_what_is_said_its_report(given: Path) -> None:
    text = given.read_text(encoding="utf-8")
    out, report = injected(text, given.name, read_options(text))
    golden, said = paths(given)
    assert out == golden.read_text(encoding="utf-8")
    assert as_text(given.name, report) == said.read_text(encoding="utf-8")


@every_case
def test_a_golden_file_is_not_changed_by_a_second_time(given: Path) -> None:
    golden = paths(given)[0].read_text(encoding="utf-8")
    again, report = injected(golden, "-", read_options(golden))
    assert again == golden
    assert {entry.outcome.value for entry in report} <= {"unchanged", "skipped"}


@every_case
def test_a_golden_file_gives_its_input_back(given: Path) -> None:
    assert uninjected(paths(given)[0].read_text(encoding="utf-8"), "-") == given.read_text(encoding="utf-8")


@every_case
def test_every_line_of_the_input_is_there_in_its_order(given: Path) -> None:
    following = iter(paths(given)[0].read_text(encoding="utf-8").splitlines())
    changed_in_place = []
    for line in given.read_text(encoding="utf-8").splitlines():
        rest = list(following)
        if line in rest:
            following = iter(rest[rest.index(line) + 1 :])
        else:
            changed_in_place.append(line)
            following = iter(rest)
    # Only what stands on one line can be changed on it: a mapping in braces, a number, the end of a JSON value.
    assert all(any(mark in line for mark in "{}]") for line in changed_in_place), changed_in_place


@every_case
def test_the_same_comes_out_of_one_object_and_of_one_in_a_list(given: Path) -> None:
    text = given.read_text(encoding="utf-8")
    options = read_options(text)
    for document in parse(text, "-"):
        if document.data is not None:
            alone = inject(document.data, options).manifest
            listed = inject({"apiVersion": "v1", "kind": "List", "items": [document.data]}, options).manifest
            assert listed["items"] == [alone]
            assert uninject(listed).manifest["items"] == [uninject(alone).manifest]


def pods_in(text: str) -> list[dict[str, Any]]:
    """Every pod template as a Pod, for the kinds that Kubernetes does not know itself too."""
    found = [find(*entry) for document in parse(text, "-") for entry in objects(document.data)]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", **one.pod.get("metadata", {})}, "spec": one.spec}
        for one in found
        if not isinstance(one, NoPod)
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_pod_is_valid_by_the_schema_of_each_version(version: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason=NEEDED)
    pods = [pod for given in INPUTS for pod in pods_in(paths(given)[0].read_text(encoding="utf-8"))]
    assert len(pods) > len(INPUTS)
    # A kind that has no schema raises too, so nothing passes unseen.
    assert validator.validate({"apiVersion": "v1", "kind": "PodList", "items": pods}, version, strict=True) == version


def test_the_schema_does_not_let_everything_pass() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason=NEEDED)
    pod = pods_in(paths(FOLDER / "plain.input.yaml")[0].read_text(encoding="utf-8"))[0]
    pod["spec"]["containers"][0]["lifecycle"]["preStop"]["httpGet"]["prot"] = 1
    with pytest.raises(validator.ValidationError, match="prot"):
        validator.validate(pod, VERSIONS[0], strict=True)
    with pytest.raises(validator.SchemaNotFoundError):
        validator.validate({"apiVersion": "example.org/v1", "kind": "Nothing"}, VERSIONS[0], strict=True)
