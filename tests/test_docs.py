"""What the documentation says is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from drainer.phases import TRANSITIONS, Phase
from drainer.settings import BY_NAME, PREFIX

ROOT = Path(__file__).parent.parent
PAGES = [*(ROOT / folder / "README.md" for folder in ("", "chart", "kustomize")), *sorted((ROOT / "docs").glob("*.md"))]


def test_generated_parts_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")


def test_the_diagram_has_the_transitions_and_no_others() -> None:
    page = (ROOT / "docs" / "how-a-drain-goes.md").read_text()

    drawn = set(re.findall(r"^    (\w+) --> (\w+): \w", page, re.MULTILINE))

    assert drawn == {(before, after) for before in Phase for after in TRANSITIONS[before]}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+[A-Z])", page.read_text()))

    assert {name.lower() for name in named} <= set(BY_NAME)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_pod_in_the_readme_calls_the_endpoints_by_the_default_port() -> None:
    pod = (ROOT / "README.md").read_text().partition("```yaml")[2].partition("```")[0]

    assert set(re.findall(r"path: (/\w+), port: (\d+)", pod)) == {
        (path, BY_NAME["port"].default) for path in ("/livez", "/readyz", "/drain")
    }


def test_make_help_names_every_target_that_the_readme_uses() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)) == {"demo", "test"} & targets
