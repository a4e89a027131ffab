"""Rows as people read them."""

from __future__ import annotations

import pytest

from drainer.commands.status.rows import Row
from drainer.commands.status.table import Look, bar, lines
from drainer.phases import Phase, Result

SERVES = Row("chat", "web-0", Phase.SERVING, connections=1412)
DRAINS = Row("chat", "web-1", Phase.DRAINING, connections=37, deadline_in=41.2, gone=163, of=200)
DONE = Row("chat", "web-2", Phase.DONE, connections=0, outcome=Result.DRAINED, story="drained after 12.4 s, 200 gone")
CUT = Row("chat", "web-3", Phase.DONE, connections=3, outcome=Result.DEADLINE, story="deadline after 8.0 s, 0 gone")
SILENT = Row("chat", "web-4", story="no answer within 5 s")
FULL = Row("chat", "web-5", Phase.SERVING, note="full", connections=500)
SETTLES = Row("chat", "web-6", Phase.SETTLING, connections=0, deadline_in=-0.4)
ALL = [SERVES, DRAINS, DONE, CUT, SILENT, FULL, SETTLES]


def test_the_table() -> None:
    assert "\n".join(lines(ALL, Look())) == (
        "POD    PHASE           CONNS  LEFT  OUTCOME\n"
        "web-0  serving          1412     -  -\n"
        "web-1  draining           37   41s  ################---- 163 of 200 gone\n"
        "web-2  done                0     -  drained after 12.4 s, 200 gone\n"
        "web-3  done                3     -  deadline after 8.0 s, 0 gone\n"
        "web-4  -                   -     -  no answer within 5 s\n"
        "web-5  serving (full)    500     -  -\n"
        "web-6  settling            0    0s  nobody to wait for"
    )


def test_with_namespaces_and_without_heads() -> None:
    assert lines([SERVES, Row("", "10.0.0.1:9808", Phase.SERVING, connections=0)], Look(namespaces=True)) == [
        "NAMESPACE  POD            PHASE    CONNS  LEFT  OUTCOME",
        "chat       web-0          serving   1412     -  -",
        "           10.0.0.1:9808  serving      0     -  -",
    ]
    assert lines([SERVES], Look(), heads=False) == ["web-0  serving   1412     -  -"]


@pytest.mark.parametrize(
    ("done", "of", "shown"),
    [(0, 200, 20 * "-"), (199, 200, 19 * "#" + "-"), (200, 200, 20 * "#"), (1, 3, 6 * "#" + 14 * "-")],
)
def test_a_bar_is_full_only_when_all_are_gone(done: int, of: int, shown: str) -> None:
    assert bar(done, of, Look()) == shown


def test_lines_are_cut_to_the_terminal() -> None:
    assert lines([DRAINS], Look(columns=30))[1] == "web-1  draining     37   41s ~"
    assert lines([DRAINS], Look(columns=34, unicode=True))[1] == "web-1  draining     37   41s  ━━━…"


@pytest.mark.parametrize(
    ("row", "colour"),
    [(SERVES, None), (DRAINS, "33"), (DONE, "32"), (CUT, "31"), (SILENT, "31"), (FULL, "33"), (SETTLES, "33")],
    ids=lambda one: getattr(one, "pod", str(one)),
)
def test_the_colour_says_how_it_is(row: Row, colour: str | None) -> None:
    head, line = lines([row], Look(colours=True))
    assert head.startswith("\x1b[1mPOD")
    assert head.endswith("OUTCOME\x1b[m")
    assert line.startswith(f"\x1b[{colour}m{row.pod}" if colour else row.pod)
