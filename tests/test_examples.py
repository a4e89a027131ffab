"""docs/notify-your-app.md shows the marked lines of the examples, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "notify-your-app.md").read_text()
EXAMPLES = sorted(path for path in (DOCS / "examples").iterdir() if path.suffix in (".py", ".mjs"))
MARKED = re.compile(r"^ *(?:#|//) ---- (?:on notice|at start)\n(.*?)^ *(?:#|//) ---- end$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^<!-- (\S+) -->\n```(?:python|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_example_is_shown_once() -> None:
    assert sorted(name for name, _ in SHOWN.findall(PAGE)) == [example.name for example in EXAMPLES]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_page_shows_the_lines_that_are_tested(example: Path) -> None:
    pieces = [dedent(piece).strip("\n") + "\n" for piece in MARKED.findall(example.read_text())]

    assert pieces
    # The formatter has a say in how many blank lines there are.
    shown = re.sub(r"\n{3,}", "\n\n", dict(SHOWN.findall(PAGE))[example.name])
    assert shown == re.sub(r"\n{3,}", "\n\n", "\n".join(pieces))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_dozen_lines_are_two_dozen_at_most(example: Path) -> None:
    lines = [line for piece in MARKED.findall(example.read_text()) for line in piece.splitlines() if line.strip()]

    assert len(lines) <= 24
