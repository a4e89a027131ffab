"""How a server of a test ends: with all of its connections."""

from __future__ import annotations

import asyncio

ROUNDS = 3
"""Times that there must be none: one that has just come has no transport yet."""


async def hang_up() -> None:
    """End every connection of this loop, those in a handshake too, which nobody but the loop knows.

    TLS is not shut down, for a client may have gone. What were left over would be a ResourceWarning in another test.
    """
    loop, none_for = asyncio.get_running_loop(), 0
    for _ in range(500):
        transports = [one for one in [*vars(loop)["_transports"].values()] if vars(one).get("_sock") is not None]
        none_for = 0 if transports else none_for + 1
        if none_for == ROUNDS:
            return
        for transport in transports:
            transport.abort()
        await asyncio.sleep(0.01)
