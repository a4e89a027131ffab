"""The pods that the documentation shows have no errors; what is shown in parts is put into the README's pod."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from drainer.commands.doctor.case import Surroundings
from drainer.commands.doctor.examine import examine
from drainer.commands.doctor.findings import Severity
from drainer.commands.manifests import load
from drainer.keys import INJECT

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "doctor.md")]
SHOWN = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
    if "{{" not in text
]
LISTS = ("initContainers", "containers")


def readme() -> dict[str, Any]:
    """The pod of the section "In a pod"."""
    return {"metadata": {"name": "web"}, **load((ROOT / "README.md").read_text().split("```yaml\n")[1].split("```")[0])}


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A part put into the whole: containers by their names, variables one by one, everything else as it is shown."""
    whole = dict(old)
    for key, value in new.items():
        if key == "env":
            names = {one["name"] for one in value}
            whole[key] = [one for one in old.get(key, []) if one["name"] not in names] + value
        elif key in LISTS:
            parts = {one["name"]: one for one in value}
            whole[key] = [joined(one, parts.pop(one["name"], {})) for one in old.get(key, [])] + list(parts.values())
        elif isinstance(value, dict) and isinstance(old.get(key), dict) and key != "securityContext":
            whole[key] = joined(old[key], value)
        else:
            whole[key] = value
    return whole


def as_pod(text: str) -> dict[str, Any]:
    """What a piece of YAML comes to in the README's pod."""
    said = load(text)
    if isinstance(said, list):
        said = {"env": said}
    if INJECT in text:
        # The policy puts the agent in.
        return joined({**readme(), "spec": {"containers": [{"name": "app"}]}}, said["spec"]["template"])
    if not {"spec", "apiVersion"} & set(said):
        # Lines for the agent's container.
        said = {"spec": {"initContainers": [{"name": "drainer", **said}]}}
        if "NET_ADMIN" in text:
            said["spec"]["initContainers"][0]["env"] = [{"name": "DRAINER_CLOSE", "value": "reset"}]
    return joined(readme(), said)


@pytest.mark.parametrize("text", SHOWN)
def test_a_pod_that_is_shown_has_no_errors(text: str) -> None:
    pod = as_pod(text)
    if "docs/closing.md" in text:
        # The rights are on that page; here is only what is set.
        pod["spec"] |= {"shareProcessNamespace": True}
        pod["spec"]["initContainers"][0]["securityContext"] = {"privileged": True}

    findings = examine("Pod", "", "web", pod, Surroundings())

    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []


def test_there_are_pods_to_look_at() -> None:
    assert len(SHOWN) >= 8


def test_the_readme_s_pod_leaves_only_closing_to_be_chosen() -> None:
    findings = examine("Pod", "", "web", readme(), Surroundings())

    assert {finding.key for finding in findings} == {"no-closer"}
