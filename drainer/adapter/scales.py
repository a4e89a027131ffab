"""Which pods an object has that an HPA scales: what the HPA itself asks, the object's subresource `scale`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from drainer.adapter.api import Ask
from drainer.adapter.autoscalers import Target
from drainer.adapter.selectors import Selector, parse
from drainer.lenient import mapping, mappings


class Scales:
    """Asks the API server."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._paths: dict[tuple[str, str], str] = {}

    async def selector(self, target: Target) -> Selector:
        """Of its pods. Raises ApiError, or ValueError for an answer that cannot be used."""
        path = await self._path(target.group, target.kind)
        namespace, name = (quote(part, safe="") for part in (target.namespace, target.name))
        folder, _, resource = path.rpartition("/")
        scale = await self._ask("GET", f"{folder}/namespaces/{namespace}/{resource}/{name}/scale")
        text = mapping(mapping(scale).get("status")).get("selector")
        if not isinstance(text, str) or not text:
            raise ValueError("its scale is missing a selector")
        return parse(text)

    async def _path(self, group: str, kind: str) -> str:
        """Of all objects of a kind: an HPA names the kind, whatever version it says (horizontal.go, RESTMappings)."""
        if (group, kind) not in self._paths:
            path = "/api/v1"
            if group:
                found = mapping(await self._ask("GET", f"/apis/{quote(group, safe='')}")).get("preferredVersion")
                path = f"/apis/{mapping(found).get('groupVersion')}"
            self._paths[group, kind] = f"{path}/{_resource(await self._ask('GET', path), kind)}"
        return self._paths[group, kind]


def _resource(found: Any, kind: str) -> str:
    """The plural of a kind, in an APIResourceList: that of `deployments`, not of `deployments/status`."""
    for one in mappings(mapping(found).get("resources")):
        name = str(one.get("name", "/"))
        if one.get("kind") == kind and "/" not in name:
            return name
    raise ValueError(f"the API server knows no {kind}")
