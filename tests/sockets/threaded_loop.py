"""A loop with a second thread, which works or sleeps as standard input says ("work", "rest"). It prints its port."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading

working, stopped = threading.Event(), threading.Event()
stopped.set()


def beside() -> None:
    while True:
        working.wait()
        stopped.clear()
        # A call that releases the interpreter now and then, and never sleeps.
        while working.is_set():
            sum(range(1000))
        stopped.set()


def listen_to_orders() -> None:
    for line in sys.stdin:
        if line == "work\n":
            working.set()
        else:
            working.clear()
            stopped.wait()
        say("done")


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    say(listener.getsockname()[1])
    async with await asyncio.start_server(lambda *_: None, sock=listener) as server:
        await server.serve_forever()


for target in (beside, listen_to_orders):
    threading.Thread(target=target, daemon=True).start()
asyncio.run(main())
