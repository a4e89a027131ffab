"""`python -m bench.clients [NAME ...]`: what client libraries do when their connection ends, as Markdown.

All of them take five minutes; docs/how-websockets-end.md has the tables. Loopback only, but for `npm ci` on first use.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Sequence

from bench.clients.libraries import LIBRARIES, Library, NodeLibrary
from bench.clients.measure import measure
from bench.clients.server import FIN, RST, Visit
from bench.clients.tables import delays, shown
from bench.report import machine, render

ENDINGS = ("1000", "1001", "1012", "1013", "4000", "4500", FIN, RST)
STAY = 5.5
"""More than the 5 s after which reconnecting-websocket takes a connection for a good one."""
AT_ONCE = 4
"""So many libraries at the same time: nearly all of it is waiting."""


async def measure_all(
    libraries: Sequence[Library], samples: int, stay: float, patience: float
) -> dict[Library, list[Visit]]:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(library: Library) -> list[Visit]:
        async with free:
            visits = await measure(library, ENDINGS, samples, stay=stay, patience=patience)
            print(f"{library.name} done", file=sys.stderr, flush=True)
            return visits

    return dict(zip(libraries, await asyncio.gather(*map(one, libraries)), strict=True))


def main() -> None:
    names = [library.name for library in LIBRARIES]
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--samples", type=int, default=10, help="connections for each ending")
    parser.add_argument("--stay", type=float, default=STAY, help="seconds that a connection is open, at least")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds until a client counts as gone for good")
    parsed = parser.parse_args()
    unknown = sorted(set(parsed.names) - set(names))
    if unknown:
        parser.error(f"no such client: {', '.join(unknown)}")
    wanted = [library for library in LIBRARIES if library.name in (parsed.names or names)]
    missing = {library.name: reason for library in wanted if (reason := library.missing()) is not None}
    for name, reason in missing.items():
        print(f"{name} is not measured: it {reason}", file=sys.stderr)
    present = [library for library in wanted if library.name not in missing]
    if not present:
        sys.exit(1)
    runtime = machine()
    if any(isinstance(library, NodeLibrary) for library in present):
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        runtime += f", Node {node.removeprefix('v')}"
    results = asyncio.run(measure_all(present, parsed.samples, parsed.stay, parsed.patience))
    print(f"Measured {runtime}.")
    for table in (delays(results, ENDINGS, parsed.patience), shown(results, ENDINGS)):
        print(f"\n{render(table, markdown=True)}")


if __name__ == "__main__":
    main()
