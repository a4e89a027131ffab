"""Keeps the certificate that is shown valid, and the APIServices trusting it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from drainer.adapter.api import MERGE_PATCH, Ask
from drainer.adapter.certificates import Pair, as_data, bundle, expiry, from_data, issued, signer, turned
from drainer.adapter.questions import Api
from drainer.adapter.services import PATH, Claim, Owner, Service, absent, claim, decoded, encoded
from drainer.kube.words import ApiError, ApiResult

LOOKS_EVERY = 30.0
"""Seconds between two looks at Secret, files and APIServices."""
RETRY = 2.0
"""Seconds after one that has failed."""
TRIES = 5
"""To write a Secret that others write too."""


class KeeperError(Exception):
    """There is no certificate to be had; the text says why."""


class Source(Protocol):
    """Where the certificate comes from."""

    async def look(self, now: dt.datetime, /) -> tuple[Pair, str | None]:
        """What to show, and the PEM that has to be trusted for it, or None where others see to that.

        Raises KeeperError, ApiError.
        """
        ...


class Files:
    """Of somebody else: cert-manager, which writes a mounted Secret anew and fills in caBundle as well."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key

    async def look(self, _: dt.datetime, /) -> tuple[Pair, str | None]:
        """See Source. Both are small and local: reading them waits for nobody."""
        try:
            chain, key = self._certificate.read_text(encoding="ascii"), self._key.read_text(encoding="ascii")
            expires_at = expiry(chain)
        except (OSError, ValueError) as error:
            raise KeeperError(f"no certificate in {self._certificate} and {self._key} ({error})") from error
        return Pair(chain, key, expires_at, expires_at), None


class SelfMade:
    """Of an authority in a Secret that all replicas share: whoever is first makes it, the others take it."""

    def __init__(self, ask: Ask, service: Service, secret: str) -> None:
        """`ask` is Api.ask."""
        self._ask = ask
        self._service = service
        self._secret = secret
        self._pair: Pair | None = None
        self._signer: Any = None

    async def look(self, now: dt.datetime, /) -> tuple[Pair, str | None]:
        """See Source."""
        authorities = await self._authorities(now)
        chosen = signer(authorities, now).certificate
        if self._pair is None or chosen != self._signer or now >= self._pair.renew_at:
            self._pair = issued(signer(authorities, now), self._service.dns_names, now)
            self._signer = chosen
        return self._pair, bundle(authorities)

    async def _authorities(self, now: dt.datetime) -> Any:
        """As they are in the Secret, once they are there. Raises ApiError, KeeperError."""
        for _ in range(TRIES):
            secret = await self._read()
            try:
                before = from_data(decoded(secret))
            except ValueError as error:
                where = f"{self._service.namespace}/{self._secret}"
                raise KeeperError(f"the Secret {where} is not this server's: {error}; it is left as it is") from error
            authorities = turned(before, now, self._secret)
            if authorities == before or await self._write(secret, encoded(as_data(authorities))):
                return authorities
        raise KeeperError(f"the Secret {self._secret} was changed by others {TRIES} times in a row")

    async def _read(self) -> Any:
        try:
            return await self._ask("GET", f"{self._folder}/{self._secret}")
        except ApiError as error:
            if error.result is ApiResult.NOT_FOUND:
                return {}
            raise

    async def _write(self, secret: Any, data: Any) -> bool:
        """Whether nobody else was faster."""
        try:
            if secret:
                # With the version it was read at: of two that write one is told of a conflict.
                await self._ask("PUT", f"{self._folder}/{self._secret}", {**secret, "data": data})
            else:
                metadata = {"name": self._secret, "namespace": self._service.namespace}
                body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
                await self._ask("POST", self._folder, body)
        except ApiError as error:
            if error.result is ApiResult.CONFLICT:
                return False
            raise
        return True

    @property
    def _folder(self) -> str:
        return f"/api/v1/namespaces/{self._service.namespace}/secrets"


class Keeper:
    """Looks again and again, and says what it sees when that changes."""

    def __init__(
        self,
        source: Source,
        ask: Ask,
        apis: Sequence[Api],
        service: Service,
        *,
        on_pair: Callable[[Pair], Awaitable[None]],
        on_claim: Callable[[Claim], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        """`on_pair` may raise OSError (ssl.SSLError is one) for a pair that cannot be shown."""
        self._source = source
        self._ask = ask
        self._service = service
        self._on_pair = on_pair
        self._on_claim = on_claim
        self._on_trouble = on_trouble
        self.shown: Pair | None = None
        self._trouble = ""
        self.claims = dict.fromkeys(apis, Claim(Owner.UNKNOWN, "the API server could not be asked yet"))

    async def run(self, wall: Callable[[], dt.datetime]) -> None:
        """Until it is cancelled."""
        while True:
            is_well = await self.look(wall())
            await _pause(LOOKS_EVERY if is_well else RETRY)

    async def look(self, now: dt.datetime) -> bool:
        """Once; whether there was nothing to complain of."""
        try:
            pair, trusted = await self._source.look(now)
            if self.shown is None or (pair.chain, pair.key) != (self.shown.chain, self.shown.key):
                await self._on_pair(pair)
                self.shown = pair
            for api in self.claims:
                await self._see_to(api, trusted)
        except (KeeperError, ApiError, OSError) as error:
            said = str(error)
            if isinstance(error, ApiError):
                said = f"certificate and APIServices: {error.result} ({error.detail})"
            if said != self._trouble:
                self._trouble = said
                self._on_trouble(said)
            return False
        self._trouble = ""
        return True

    async def _see_to(self, api: Api, trusted: str | None) -> None:
        """One APIService. Raises ApiError."""
        path = f"{PATH}/{api.service_name}"
        try:
            seen = claim(api, await self._ask("GET", path), self._service, trusted)
        except ApiError as error:
            if error.result is not ApiResult.NOT_FOUND:
                raise
            seen = absent(api, self._service)
        if seen.patch is not None:
            try:
                await self._ask("PATCH", path, seen.patch, MERGE_PATCH)
            except ApiError as error:
                # Another replica was faster: the next look sees what it wrote.
                if error.result is not ApiResult.CONFLICT:
                    raise
        if seen.said != self.claims[api].said:
            self._on_claim(seen)
        self.claims[api] = seen


async def _pause(seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
