"""`python -m demo`: a pod with 200 WebSocket clients is stopped, and nobody is cut.

Everything is real and on this machine: the app, its clients, the agent beside it. The demo is the kubelet.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from importlib.util import find_spec


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description="A drain to look at, in about half a minute.")
    parser.add_argument("--clients", type=between(1, 400), default=200, metavar="N", help="how many (default: 200)")
    parser.add_argument(
        "--grace", type=between(8, 40), default=30, metavar="S", help="the pod's grace period (default: 30 s)"
    )
    parser.add_argument(
        "--stay", type=between(0, 400), metavar="N", help="so many do not leave by themselves (default: three of four)"
    )
    parser.add_argument(
        "--lead", type=between(1, 3600), default=3, metavar="S", help="serve so long before the stop (default: 3 s)"
    )
    parser.add_argument("--no-closers", action="store_true", help="nobody closes them: a drain that fails")
    return parser.parse_args()


class between:  # noqa: N801 - reads as a word
    """A whole number in a range, for argparse."""

    def __init__(self, lowest: int, highest: int) -> None:
        self._lowest, self._highest = lowest, highest

    def __call__(self, text: str) -> int:
        if not (text.isdecimal() and self._lowest <= int(text) <= self._highest):
            raise argparse.ArgumentTypeError(f"a number from {self._lowest} to {self._highest}, not {text!r}")
        return int(text)


def main() -> int:
    chosen = options()
    for package in ("rich", "websockets", "aiohttp"):
        if find_spec(package) is None:
            return complain(f"The demo needs the package {package}; `make demo` installs it.")
    from demo.kubelet import DemoError  # noqa: PLC0415 - after the packages, see above
    from demo.report import Plan  # noqa: PLC0415
    from demo.story import Story  # noqa: PLC0415

    async def play() -> bool:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        stay = chosen.clients * 3 // 4 if chosen.stay is None else chosen.stay
        return await Story(Plan(chosen.clients, chosen.grace, stay, not chosen.no_closers, chosen.lead)).play()

    try:
        return 0 if asyncio.run(play()) else 1
    except DemoError as error:
        return complain(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        complain("Stopped, and everything the demo had started with it.")
        return 130
    except BrokenPipeError:
        # Nobody reads any more: say nothing at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def complain(sentence: str) -> int:
    print(f"\n{sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
