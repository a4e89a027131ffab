"""Visits as two tables: when a client comes back, and what its application is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.clients.libraries import Library
from bench.clients.measure import TRIES
from bench.clients.server import Visit
from bench.report import Table

Results = Mapping[Library, Sequence[Visit]]
NEVER = "no"


def delays(results: Results, endings: Sequence[str], patience: float) -> Table:
    """The first delay for each ending; the later ones for all endings that bring the client back."""
    rows = []
    for library, visits in results.items():
        first = [when([visit for visit in visits if visit.ending == ending], 0) for ending in endings]
        back = [visit for visit in visits if visit.tries]
        later = [when(back, number) if back else "" for number in range(1, TRIES)]
        rows.append((library.name, library.version(), *first, *later))
    samples = len(next(iter(results.values()))) // len(endings)
    note = (
        f"{samples} connections for each ending; the least and the greatest delay. `{NEVER}`: not within "
        f"{patience:g} s. 2nd and 3rd: after a try was refused with status 503, whatever the ending was."
    )
    return Table(
        "Seconds until the client tries again by itself",
        ("client", "version", *endings, "2nd", "3rd"),
        rows,
        [note],
    )


def when(visits: Sequence[Visit], number: int) -> str:
    """The delays before that try, and how many visits had one if not all."""
    seen = sorted(visit.tries[number] for visit in visits if len(visit.tries) > number)
    if not seen:
        return NEVER
    least, greatest = f"{seen[0]:.1f}", f"{seen[-1]:.1f}"
    span = least if least == greatest else f"{least}-{greatest}"
    return span if len(seen) == len(visits) else f"{span} ({len(seen)} of {len(visits)})"


def shown(results: Results, endings: Sequence[str]) -> Table:
    """What the application sees, and the code in the client's own Close frame."""
    codes = [ending for ending in endings if ending.isdigit()]
    cuts = [ending for ending in endings if not ending.isdigit()]

    def told(visit: Visit) -> str:
        return (visit.told or "nothing").replace(visit.ending, "CODE")

    def answered(visit: Visit) -> str:
        return "the same code" if str(visit.answer) == visit.ending else f"{visit.answer}"

    rows = [
        (
            library.name,
            grouped(visits, codes, told),
            grouped(visits, cuts, told),
            grouped(visits, codes, answered),
        )
        for library, visits in results.items()
    ]
    return Table("What the application is shown", ("client", "Close frame with CODE", "cut", "answer"), rows)


def grouped(visits: Sequence[Visit], endings: Sequence[str], words: Callable[[Visit], str]) -> str:
    """The words; if they are not the same for all these endings, with the endings that they are for."""
    groups: dict[str, list[str]] = {}
    for ending in endings:
        for word in sorted({words(visit) for visit in visits if visit.ending == ending}):
            groups.setdefault(word, []).append(ending)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{', '.join(group)}: {word}" for word, group in groups.items())
