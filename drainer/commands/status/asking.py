"""Asks many agents for their /status at once."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from drainer.commands.answers import NoAnswerError, read
from drainer.commands.status.rows import Answer

WITHIN = 5.0
"""Seconds to connect, for the headers, and for the body: a client that looks is not one to wait for."""
MOST = 1 << 20
"""Bytes; a status with 256 ports has a tenth of it."""
TOGETHER = 16
"""Agents asked at a time."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One that can be asked."""

    namespace: str
    """Empty for one that is named by its address."""
    name: str
    fetch: Callable[[], Any]
    """Its /status; raises NoAnswerError."""


def ask(agents: Sequence[Agent]) -> list[Answer]:
    """In the same order. Raises nothing of its own."""
    with ThreadPoolExecutor(max_workers=TOGETHER) as pool:
        return list(pool.map(_ask, agents))


def _ask(agent: Agent) -> Answer:
    try:
        return Answer(agent.namespace, agent.name, agent.fetch(), None)
    except NoAnswerError as error:
        return Answer(agent.namespace, agent.name, None, str(error))


def fetch(host: str, port: int, path: str) -> Any:
    """The JSON at an agent's port. Raises NoAnswerError."""
    connection = http.client.HTTPConnection(host, port, timeout=WITHIN)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = read(response, MOST, WITHIN)
    except TimeoutError:
        raise NoAnswerError(f"no answer within {WITHIN:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NoAnswerError(f"no answer: {why}") from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise NoAnswerError(f"{response.status} {response.reason}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NoAnswerError("the answer is not JSON") from None
