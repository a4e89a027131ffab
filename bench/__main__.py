"""`python -m bench [PART ...] [--quick] [--markdown]`: all parts, or just these.

The parts: census, drain, readyz, rest, memory, closing, damage,
kubernetes, adapter, image.
Ratios count, times do not travel. The exit code is 0 also when a target is missed: the tables say so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from bench import adapter, census, closing, damage, drain, image, kubernetes, memory, readyz, rest
from bench.report import MISSED, NOISY, Table, machine, render

PARTS: dict[str, Callable[..., list[Table]]] = {
    "census": census.run,
    "drain": drain.run,
    "readyz": readyz.run,
    "rest": rest.run,
    "memory": memory.run,
    "closing": closing.run,
    "damage": damage.run,
    "kubernetes": kubernetes.run,
    "adapter": adapter.run,
    "image": image.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and connections: a minute or two")
    parser.add_argument("--markdown", action="store_true", help="tables for the README")
    parsed = parser.parse_args()
    unknown = sorted(set(parsed.parts) - set(PARTS))
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    print(machine())
    verdicts: list[str] = []
    for name in parsed.parts or PARTS:
        began = time.monotonic()
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        tables = PARTS[name](quick=parsed.quick)
        print(f" {time.monotonic() - began:.0f} s", file=sys.stderr)
        for table in tables:
            print(f"\n{render(table, markdown=parsed.markdown)}", flush=True)
            verdicts += [row[-1] for row in table.rows]
    missed, noisy = verdicts.count(MISSED), verdicts.count(NOISY)
    print(f"\nTargets: {verdicts.count('yes')} met, {missed} {MISSED}, {noisy} {NOISY}.")


if __name__ == "__main__":
    main()
