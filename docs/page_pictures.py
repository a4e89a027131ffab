"""Takes the pictures of docs/page.md: a pod at rest, and in the middle of a drain. Needs Chromium; two minutes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from demo.app import HOST
from demo.clients import Crowd
from demo.kubelet import HOOK, get, start_agent, start_app
from tests.process.chromium import Chromium, Tab

DOCS = Path(__file__).parent
WAVES, EACH = 12, 25
"""So many clients come every five seconds, and two of five leave within a minute."""


async def main() -> None:
    app, ports = await start_app()
    agent, port = await start_agent(
        ports["port"],
        lambda _: None,
        grace_period=45,
        patience="5s",
        close="websocket",
        websocket_ports=ports["port"],
    )
    crowd = Crowd(ports["port"])
    try:
        with Chromium() as chromium:
            tab = await asyncio.to_thread(
                chromium.tab, f"http://{HOST}:{port}/", width=980, prefers_reduced_motion="reduce"
            )
            for _ in range(WAVES):
                group = await crowd.arrive(EACH)
                crowd.leave_between(group[: EACH * 2 // 5], 5, 60)
                await asyncio.sleep(5)
            await take(tab, "rest")
            hook = asyncio.create_task(get(port, "/drain", HOOK))
            await asyncio.sleep(24)
            await take(tab, "drain")
            await hook
    finally:
        await crowd.disperse()
        await agent.kill()
        await app.kill()


async def take(tab: Tab, name: str) -> None:
    """In a thread: the clients go on meanwhile. With 128 colours it is a third of the size."""
    path = DOCS / f"page-{name}.png"
    await asyncio.to_thread(tab.picture, path)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    asyncio.run(main())
