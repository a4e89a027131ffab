"""`drainer` and `python -m drainer`: catches early signals, then hands over to the command line."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Entry point. As PID 1 a signal without a handler is lost, so the handler comes before the heavy imports."""
    early: list[int] = []
    if sys.argv[1:2] in (["run"], ["adapter"]):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda caught, _: early.append(caught))
    from drainer.cli import main as command_line  # noqa: PLC0415 - after the handler, see above

    return command_line(sys.argv[1:], early)


if __name__ == "__main__":
    sys.exit(main())
