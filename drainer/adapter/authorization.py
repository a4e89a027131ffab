"""Whether somebody may ask something: the API server decides (SubjectAccessReview), which is remembered briefly."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from drainer.adapter.failures import AnswerError
from drainer.adapter.identity import User
from drainer.adapter.questions import Question
from drainer.kube.words import ApiError

REMEMBERED_FOR = 10.0
"""Seconds, as aggregated API servers have it."""
MOST = 4096
"""Decisions that are remembered."""
PATH = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
MASTERS = "system:masters"
"""May everything, by Kubernetes' own rule; the aggregator asks as one of them whether this server is well."""


class Authorizer:
    """`ask` is Api.ask."""

    def __init__(self, ask: Callable[[str, str, Any], Awaitable[Any]]) -> None:
        self._ask = ask
        self._known: OrderedDict[tuple[User, Question], tuple[float, bool]] = OrderedDict()
        self.decisions = {"allowed": 0, "denied": 0, "failed": 0}
        """What the API server was asked, by what came of it."""

    async def check(self, user: User, question: Question) -> None:
        """Raises AnswerError if it may not be, or nobody can say so: never open."""
        if MASTERS in user.groups:
            return
        loop = asyncio.get_running_loop()
        key = user, question
        at, allowed = self._known.get(key, (float("-inf"), False))
        if loop.time() - at > REMEMBERED_FOR:
            allowed = await self._decision(user, question)
            self._known[key] = loop.time(), allowed
            self._known.move_to_end(key)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        if not allowed:
            what = f"{question.verb} {question.path}"
            raise AnswerError(HTTPStatus.FORBIDDEN, f'forbidden: User "{user.name}" cannot {what}')

    async def _decision(self, user: User, question: Question) -> bool:
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {**user.as_subject(), **question.attributes()},
        }
        try:
            status = (await self._ask("POST", PATH, body)).get("status")
        except ApiError as error:
            self.decisions["failed"] += 1
            raise AnswerError(
                HTTPStatus.INTERNAL_SERVER_ERROR, f"whether this is allowed cannot be asked: {error.result}"
            ) from error
        # Only a plain yes is one.
        allowed = isinstance(status, Mapping) and status.get("allowed") is True
        self.decisions["allowed" if allowed else "denied"] += 1
        return allowed
