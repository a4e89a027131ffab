"""Whether it may be: asked of the API server, remembered briefly, and never open."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from drainer.adapter import authorization
from drainer.adapter.authorization import REMEMBERED_FOR, Authorizer
from drainer.adapter.failures import AnswerError
from drainer.adapter.identity import User
from drainer.adapter.questions import question
from drainer.kube.words import ApiError, ApiResult

ANN = User("ann", ("dev",))
ASKED = question("GET", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/chat/pods/%2A/connections")


class Reviews:
    """The API server's decisions."""

    def __init__(self, *said: Any) -> None:
        self.said = list(said)
        self.bodies: list[Any] = []

    async def ask(self, method: str, path: str, body: Any) -> Any:
        assert (method, path) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
        self.bodies.append(body)
        said = self.said.pop(0)
        if isinstance(said, ApiError):
            raise said
        return said


def yes(*, allowed: Any = True) -> dict[str, Any]:
    return {"status": {"allowed": allowed}}


@pytest.mark.looptime
async def test_a_yes_is_remembered_for_moments() -> None:
    reviews = Reviews(yes(), yes())
    authorizer = Authorizer(reviews.ask)
    for _ in range(3):
        await authorizer.check(ANN, ASKED)
    assert len(reviews.bodies) == 1
    assert reviews.bodies[0]["spec"] == {
        "user": "ann",
        "groups": ["dev"],
        "resourceAttributes": {
            "namespace": "chat",
            "verb": "get",
            "group": "custom.metrics.k8s.io",
            "version": "v1beta2",
            "resource": "pods",
            "subresource": "connections",
            "name": "*",
        },
    }
    await asyncio.sleep(REMEMBERED_FOR + 1)
    await authorizer.check(ANN, ASKED)
    assert authorizer.decisions == {"allowed": 2, "denied": 0, "failed": 0}


@pytest.mark.parametrize("said", [yes(allowed=False), yes(allowed="true"), {}, {"status": None}])
async def test_only_a_plain_yes_is_one(said: Any) -> None:
    authorizer = Authorizer(Reviews(said).ask)
    for _ in range(2):
        with pytest.raises(AnswerError) as caught:
            await authorizer.check(ANN, ASKED)
        assert caught.value.code == HTTPStatus.FORBIDDEN
        assert 'User "ann" cannot get /apis/custom.metrics.k8s.io/' in caught.value.message
    assert authorizer.decisions["denied"] == 1


async def test_where_nobody_can_say_so_it_may_not_be_and_it_is_asked_again() -> None:
    authorizer = Authorizer(Reviews(ApiError(ApiResult.UNREACHABLE), yes()).ask)
    with pytest.raises(AnswerError) as caught:
        await authorizer.check(ANN, ASKED)
    assert caught.value.code == HTTPStatus.INTERNAL_SERVER_ERROR
    await authorizer.check(ANN, ASKED)
    assert authorizer.decisions == {"allowed": 1, "denied": 0, "failed": 1}


async def test_masters_need_no_decision() -> None:
    reviews = Reviews()
    await Authorizer(reviews.ask).check(User("system:kube-aggregator", ("system:masters",)), ASKED)
    assert reviews.bodies == []


async def test_what_is_remembered_is_bounded() -> None:
    reviews = Reviews(*[yes()] * (authorization.MOST + 2))
    authorizer = Authorizer(reviews.ask)
    for number in range(authorization.MOST + 1):
        await authorizer.check(User(f"user-{number}"), ASKED)
    await authorizer.check(User("user-1"), ASKED)
    assert len(reviews.bodies) == authorization.MOST + 1
    await authorizer.check(User("user-0"), ASKED)
    assert len(reviews.bodies) == authorization.MOST + 2
