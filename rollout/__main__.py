"""`python -m rollout`: a rolling restart on one machine, in several ways, and what it does to the clients.

Three replicas behind a real load balancer are replaced one by one: a new one is started and is ready first, then an old
one is stopped as the kubelet does it. The clients send, receive, and come back at once when they are closed. The exit
code is 1 when a strategy that has goals misses one.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def main() -> int:
    for package in ("rich", "websockets", "aiohttp"):
        if find_spec(package) is None:
            return complain(f"The rollout needs the package {package}; `make rollout` installs it.")
    from rollout.processes import RolloutError  # noqa: PLC0415 - after the packages, see above
    from rollout.story import Story  # noqa: PLC0415

    parsed = options()
    if parsed.picture is not None and find_spec("matplotlib") is None:
        return complain("The picture needs the package matplotlib; `make rollout` installs it.")
    story = Story(parsed.servers, parsed.balancers, parsed.strategies, parsed.clients, parsed.grace, parsed.lag)

    async def play() -> None:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await story.play()

    try:
        asyncio.run(play())
    except RolloutError as error:
        return complain(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        complain("Stopped, and everything the rollout had started with it.")
        return 130
    if parsed.json is not None:
        story.write(parsed.json)
    if parsed.picture is not None:
        story.draw(parsed.picture)
    return 0 if story.tell(markdown=parsed.markdown) else 1


def options() -> argparse.Namespace:
    from demo.__main__ import between  # noqa: PLC0415 - one reader of numbers for both
    from rollout.balancers import BALANCERS  # noqa: PLC0415
    from rollout.servers import SERVERS  # noqa: PLC0415
    from rollout.strategies import STRATEGIES  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m rollout", description=__doc__)

    def choice(flag: str, known: Mapping[str, T], default: str) -> None:
        words = f"some of {', '.join(known)}, or all (default: {default})"
        parser.add_argument(flag, type=some_of(known), default=default, metavar="NAME,NAME", help=words)

    choice("--strategies", STRATEGIES, "all")
    choice("--balancers", BALANCERS, "haproxy")
    choice("--servers", SERVERS, "websockets")
    parser.add_argument("--clients", type=between(3, 6000), default=3000, metavar="N", help="how many (default: 3000)")
    parser.add_argument(
        "--grace", type=between(4, 120), default=30, metavar="S", help="the pods' grace period (default: 30 s)"
    )
    parser.add_argument(
        "--lag",
        type=between(0, 10),
        default=1,
        metavar="S",
        help="from the beginning of a stop until the balancer learns of it (default: 1 s)",
    )
    parser.add_argument("--markdown", action="store_true", help="the table for the README")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all that was measured")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="draw reconnects over time, as PNG")
    return parser.parse_args()


def some_of(known: Mapping[str, T]) -> Callable[[str], list[T]]:
    """A reader of names, for argparse; they come in the order of `known`."""

    def read(text: str) -> list[T]:
        names = set(known if text == "all" else text.split(","))
        if names - set(known):
            raise argparse.ArgumentTypeError(f"all, or some of {', '.join(known)}; not {text!r}")
        return [value for name, value in known.items() if name in names]

    return read


def complain(sentence: str) -> int:
    print(f"\n{sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
