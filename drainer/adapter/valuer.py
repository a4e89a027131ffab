"""Writes deletion costs for the fleet, while an HPA waits to scale down: the emptiest pods go first then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drainer.adapter import scales
from drainer.adapter.api import MERGE_PATCH, Ask
from drainer.adapter.autoscalers import Autoscalers, Target
from drainer.adapter.fleet import Fleet
from drainer.adapter.pods import MANAGER, Pod, pod_of
from drainer.adapter.selectors import Selector
from drainer.adapter.worths import Worths
from drainer.keys import DELETION_COST
from drainer.kube.backoff import Backoff
from drainer.kube.words import ApiError, ApiResult

LOOKS_EVERY = 5.0
"""Seconds between two looks, give or take a tenth: an HPA decides every 15 s."""
WRITES_APART = 0.1
"""Seconds between two writes, whichever pods they are about: 1,000 pods take less than two of the five minutes that an
HPA waits by default."""
WRITES_A_LOOK = 50
"""Of one target, so that a large one does not keep others waiting."""
SELECTOR_FOR = 60.0
"""Seconds that a selector is remembered: of a Deployment it never changes, but another one of that name may come."""
FORBIDDEN_FOR = 60.0
"""Seconds until it is tried again, where a right is missing."""
_OF_ONE_POD = frozenset({ApiResult.NOT_FOUND, ApiResult.CONFLICT})
"""It is gone, or has changed: the next look decides anew. (422 is the word of a policy, and about all of them.)"""


@dataclass(slots=True)
class _Turn:
    """What is known of one target while its HPA waits."""

    backoff: Backoff
    not_before: float = 0.0
    selector: Selector | None = None
    selector_until: float = 0.0
    told: str = ""
    written: int = 0


class Valuer:
    """Use it inside a running event loop."""

    def __init__(
        self,
        ask: Ask,
        fleet: Fleet,
        random: Callable[[], float],
        on_note: Callable[[str], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        """`on_note` and `on_trouble` are told a sentence each."""
        self.autoscalers = Autoscalers()
        self._ask = ask
        self._fleet = fleet
        self._random = random
        self._on_note = on_note
        self._on_trouble = on_trouble
        self._worths = Worths(fleet, random)
        self._turns: dict[Target, _Turn] = {}
        self.writes = dict.fromkeys(map(str, ApiResult), 0)
        """What came of a write -> how often."""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await _pause(LOOKS_EVERY * (0.9 + 0.2 * self._random()))
            await self.look()

    async def look(self) -> None:
        """Once: at all that wait."""
        targets = self.autoscalers.waiting
        for target in self._turns.keys() - set(targets):
            if written := self._turns.pop(target).written:
                self._on_note(f"{_hpa(target)} does not wait any more; deletion costs written here: {written}")
        for target in targets:
            if target not in self._turns:
                self._turns[target] = _Turn(Backoff(self._random, FORBIDDEN_FOR))
            turn = self._turns[target]
            if self._now() >= turn.not_before:
                await self._see_to(target, turn)
        self._worths.keep({pod.uid for pod in self._fleet})

    async def _see_to(self, target: Target, turn: _Turn) -> None:
        try:
            if turn.selector is None or self._now() >= turn.selector_until:
                turn.selector = await scales.selector(self._ask, target)
                turn.selector_until = self._now() + SELECTOR_FOR
            due = self._worths.due(self._fleet.selected(target.namespace, turn.selector), self._now())
            for pod, cost in due[:WRITES_A_LOOK]:
                if await self._write(pod, cost):
                    turn.written += 1
                    if turn.written == 1:
                        self._on_note(f"{_hpa(target)} waits to scale down: the emptiest pods of the {target} go first")
                await _pause(WRITES_APART)
                if target not in self.autoscalers.waiting:
                    break
        except (ApiError, ValueError) as error:
            known = error if isinstance(error, ApiError) else ApiError(ApiResult.ODD, str(error))
            turn.not_before = self._now() + turn.backoff.after(known)
            said = f"{known.result} ({known.detail})"
            if said != turn.told:
                turn.told = said
                self._on_trouble(f"deletion costs for the {target}: {said}")
        else:
            turn.told = ""
            turn.backoff.reset()

    async def _write(self, pod: Pod, cost: int) -> bool:
        """Whether it stands there now. Raises ApiError for what is not about this pod alone.

        With the uid and the version: a pod that has changed, by a replica of this adapter or by a human, refuses it.
        """
        metadata: dict[str, Any] = {"uid": pod.uid, "resourceVersion": pod.version}
        metadata["annotations"] = {DELETION_COST: str(cost)}
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status?fieldManager={MANAGER}"
        try:
            written = pod_of(await self._ask("PATCH", path, {"metadata": metadata}, MERGE_PATCH))
        except ApiError as error:
            self.writes[error.result] += 1
            if error.result not in _OF_ONE_POD:
                raise
            if error.result is ApiResult.CONFLICT:
                # Replicas that write in step would go on to meet at each pod.
                await _pause(self._random())
            return False
        self.writes[ApiResult.OK] += 1
        if written is not None:
            self._fleet.put(written)
        return True

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _hpa(target: Target) -> str:
    return f"the HPA {target.namespace}/{target.autoscaler}"


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - nobody waits for it
