"""Certificate and APIServices: what is written, and what becomes of it when others write too."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from drainer.adapter.certificates import TRUSTED_FIRST, Pair, as_data, bundle, turned
from drainer.adapter.keeper import TRIES, Keeper, KeeperError, SelfMade
from drainer.adapter.questions import CUSTOM
from drainer.adapter.services import Claim, Owner, Service, encoded
from drainer.kube.words import ApiError, ApiResult

US = Service("tools", "drainer-adapter")
SECRETS = "/api/v1/namespaces/tools/secrets"
APISERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io"
NOW = dt.datetime(2026, 11, 26, 3, tzinfo=dt.UTC)


class Api:
    """Objects by their path; `fails` says what comes of a method."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {APISERVICE: {"spec": {"service": {"namespace": "tools", "name": US.name}}}}
        self.fails: dict[str, ApiResult] = {}
        self.asked: list[str] = []

    async def ask(self, method: str, path: str, body: Any = None, content_type: str = "") -> Any:
        self.asked.append(method)
        if method in self.fails:
            raise ApiError(self.fails[method], "no")
        if method == "GET":
            if path not in self.objects:
                raise ApiError(ApiResult.NOT_FOUND)
            return self.objects[path]
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
        self.objects[path] = body
        return body


class Heard:
    """What a keeper tells."""

    def __init__(self, api: Api, made: SelfMade) -> None:
        self.pairs: list[Pair] = []
        self.claims: list[Claim] = []
        self.troubles: list[str] = []
        self.refuses = False
        self.keeper = Keeper(
            made,
            api.ask,
            [CUSTOM],
            US,
            on_pair=self.show,
            on_claim=self.claims.append,
            on_trouble=self.troubles.append,
        )

    async def show(self, pair: Pair) -> None:
        if self.refuses:
            raise OSError("it cannot be shown")
        self.pairs.append(pair)


def self_made(api: Api) -> SelfMade:
    return SelfMade(api.ask, US, "mine")


async def test_the_first_one_makes_the_authority_and_keeps_its_certificate() -> None:
    api = Api()
    made = self_made(api)
    pair, trusted = await made.look(NOW)

    assert (await made.look(NOW))[0] is pair
    assert (await self_made(api).look(NOW))[1] == trusted
    assert api.asked == ["GET", "POST", "GET", "GET"]


async def test_a_certificate_is_made_anew_in_time_and_when_the_authority_has_turned() -> None:
    api = Api()
    made = self_made(api)
    first, _ = await made.look(NOW)
    second, _ = await made.look(first.renew_at)
    assert second.chain != first.chain
    newer = turned([], first.renew_at, "mine")
    api.objects[f"{SECRETS}/mine"]["data"] = encoded(as_data(newer))
    third, trusted = await made.look(first.renew_at + TRUSTED_FIRST)
    assert third.chain != second.chain
    assert trusted == bundle(newer)


@pytest.mark.parametrize("is_there", [True, False])
async def test_where_others_are_faster_again_and_again_it_gives_up_for_now(*, is_there: bool) -> None:
    api = Api()
    if is_there:
        api.objects[f"{SECRETS}/mine"] = {"metadata": {"name": "mine"}}
    api.fails = {"PUT" if is_there else "POST": ApiResult.CONFLICT}
    with pytest.raises(KeeperError, match=f"changed by others {TRIES} times"):
        await self_made(api).look(NOW)
    api.fails = {"PUT" if is_there else "POST": ApiResult.FORBIDDEN}
    with pytest.raises(ApiError):
        await self_made(api).look(NOW)


async def test_a_conflict_about_an_apiservice_is_settled_by_the_next_look() -> None:
    api = Api()
    heard = Heard(api, self_made(api))
    api.fails = {"PATCH": ApiResult.CONFLICT}
    assert await heard.keeper.look(NOW)
    api.fails = {"PATCH": ApiResult.FORBIDDEN}
    assert not await heard.keeper.look(NOW)
    assert heard.troubles == ["certificate and APIServices: forbidden (no)"]
    api.fails = {}
    assert await heard.keeper.look(NOW)
    assert [claim.owner for claim in heard.claims] == [Owner.OURS]
    assert len(heard.pairs) == 1


async def test_a_certificate_that_cannot_be_shown_is_tried_again() -> None:
    api = Api()
    heard = Heard(api, self_made(api))
    heard.refuses = True
    assert not await heard.keeper.look(NOW)
    assert (heard.troubles, heard.keeper.shown) == (["it cannot be shown"], None)
    heard.refuses = False
    assert await heard.keeper.look(NOW)
    assert heard.keeper.shown == heard.pairs[0]


async def test_what_changes_about_an_apiservice_is_told() -> None:
    api = Api()
    heard = Heard(api, self_made(api))
    await heard.keeper.look(NOW)
    theirs = {"spec": {"service": {"namespace": "monitoring", "name": "prometheus-adapter"}}}
    api.objects[APISERVICE] = theirs
    await heard.keeper.look(NOW)
    await heard.keeper.look(NOW)
    del api.objects[APISERVICE]
    await heard.keeper.look(NOW)

    assert [claim.owner for claim in heard.claims] == [Owner.OURS, Owner.OTHERS, Owner.ABSENT]
