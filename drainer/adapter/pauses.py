"""Waiting for nothing but time."""

from __future__ import annotations

import asyncio
import contextlib


async def pause(seconds: float) -> None:
    """Cancelled, it ends at once."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
