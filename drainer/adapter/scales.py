"""Which pods an object has that an HPA scales: what the HPA itself asks, the object's subresource `scale`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from drainer.adapter.api import Ask
from drainer.adapter.autoscalers import Target
from drainer.adapter.selectors import Selector, parse
from drainer.lenient import mapping, mappings


async def selector(ask: Ask, target: Target) -> Selector:
    """Of its pods. Raises ApiError, or ValueError for an answer that cannot be used."""
    folder = await _folder(ask, target.group)
    resource = _resource(await ask("GET", folder), target.kind)
    namespace, name = (quote(part, safe="") for part in (target.namespace, target.name))
    scale = await ask("GET", f"{folder}/namespaces/{namespace}/{resource}/{name}/scale")
    text = mapping(mapping(scale).get("status")).get("selector")
    if not isinstance(text, str) or not text:
        raise ValueError("its scale is missing a selector")
    return parse(text)


async def _folder(ask: Ask, group: str) -> str:
    """The version that the API server prefers: an HPA names a kind, whatever version it says (horizontal.go)."""
    if not group:
        return "/api/v1"
    found = mapping(await ask("GET", f"/apis/{quote(group, safe='')}"))
    return f"/apis/{mapping(found.get('preferredVersion')).get('groupVersion')}"


def _resource(found: Any, kind: str) -> str:
    """The plural of a kind, in an APIResourceList: that of `deployments`, not of `deployments/status`."""
    for one in mappings(mapping(found).get("resources")):
        name = str(one.get("name", "/"))
        if one.get("kind") == kind and "/" not in name:
            return name
    raise ValueError(f"the API server knows no {kind}")
