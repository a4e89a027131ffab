"""The list of what ships: complete, and what its readers expect."""

from __future__ import annotations

import json
import re

from drainer import __version__
from tests.image.podman import ROOT, output


def test_the_list_of_packages_is_what_is_locked() -> None:
    output("make", "sbom")

    told = json.loads((ROOT / f"dist/drainer-{__version__}.cdx.json").read_text())
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    itself = told["metadata"]["component"]
    assert (itself["name"], itself["version"]) == ("drainer", __version__)
    listed = {component["purl"] for component in told["components"]}
    locked = re.findall(r"^([a-z0-9-]+)==(\S+) (;?)", (ROOT / "requirements/agent.txt").read_text(), re.MULTILINE)
    assert len(locked) > 10
    always = {f"pkg:pypi/{name}@{version}" for name, version, condition in locked if not condition}
    ever = {f"pkg:pypi/{name}@{version}" for name, version, _ in locked}
    assert always <= listed <= ever
    assert all(component["licenses"] for component in told["components"])
