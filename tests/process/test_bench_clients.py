"""`python -m bench.clients`: a few of its clients, and the page that shows its tables."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.clients.__main__ import ENDINGS
from bench.clients.libraries import LIBRARIES, NodeLibrary
from bench.clients.server import Visit
from bench.clients.tables import grouped, when
from tests.process.examples import needs_node

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "how-websockets-end.md"
Rows = dict[str, list[str]]


def measured(*names: str) -> tuple[Rows, Rows]:
    """The rows of both tables by the client's name, without it."""
    flags = ["--samples", "1", "--stay", "0.2", "--patience", "1.5"]
    run = subprocess.run(
        [sys.executable, "-m", "bench.clients", *names, *flags],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    delays, _, shown = run.stdout.partition("**What the application is shown**")
    return rows(delays), rows(shown)


def rows(table: str) -> Rows:
    cells = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines() if line[:2] == "| "
    ]
    return {name: others for name, *others in cells}


def first_delays(row: Sequence[str]) -> list[str]:
    return list(row[1 : 1 + len(ENDINGS)])


@pytest.mark.timeout(180)
def test_clients_in_python() -> None:
    delays, shown = measured("websockets", "aiohttp")

    assert {delay[:2] for delay in first_delays(delays["websockets"])} == {"0."}
    assert set(first_delays(delays["aiohttp"])) == {"no"}
    assert shown["aiohttp"] == [
        "the loop ends; close_code CODE",
        "the loop ends; close_code 1006",
        "1000: the same code; 1001, 1012, 1013, 4000, 4500: 1000",
    ]


@needs_node
@pytest.mark.timeout(180)  # the first one may have to install packages
def test_clients_in_node() -> None:
    delays, shown = measured("ws", "phoenix")

    assert set(first_delays(delays["ws"])) == {"no"}
    assert {delay[:2] for delay in first_delays(delays["phoenix"])} == {"0."}
    assert shown["ws"] == shown["phoenix"] == ["CODE, clean", "1006, not clean", "the same code"]


def test_a_name_that_is_no_client_is_refused() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench.clients", "wss"], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr.rpartition(": no ")[2]) == (2, "such client: wss\n")


def test_a_span_says_how_many_came_back() -> None:
    visits = [Visit("1012", tries=[1.0, 2.04]), Visit("1012", tries=[1.96]), Visit("1012")]

    assert [when(visits, number) for number in range(3)] == ["1.0-2.0 (2 of 3)", "2.0 (1 of 3)", "no"]
    assert when(visits[:2], 0) == "1.0-2.0"


def test_words_that_differ_name_their_endings() -> None:
    visits = [Visit("1000", told="a"), Visit("1001", told="b"), Visit("1012", told="a")]

    assert grouped(visits, ["1000", "1001", "1012"], lambda visit: str(visit.told)) == "1000, 1012: a; 1001: b"
    assert grouped(visits, ["1000", "1012"], lambda visit: str(visit.told)) == "a"


def test_the_page_shows_all_clients_and_the_pinned_versions() -> None:
    shown = dict(re.findall(r"^\| (\S+) +\| (\d[\w.]+) +\|", PAGE.read_text(), re.MULTILINE))

    assert set(shown) == {library.name for library in LIBRARIES}
    for library in LIBRARIES:
        if isinstance(library, NodeLibrary):
            assert shown[library.name] == library.version()
