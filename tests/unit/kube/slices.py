"""EndpointSlices as the API gives them."""

from __future__ import annotations

from typing import Any

from drainer.kube.slices import SERVICE_NAME
from tests.unit.kube.pods import POD

OTHER = "another-uid"


def endpoint(uid: str | None = OTHER, *, ready: bool | None = True) -> dict[str, Any]:
    conditions = {} if ready is None else {"conditions": {"ready": ready, "serving": ready, "terminating": False}}
    reference = {} if uid is None else {"targetRef": {"kind": "Pod", "name": f"pod-{uid}", "uid": uid}}
    return {"addresses": ["10.0.0.1"], **conditions, **reference}


OWN = endpoint(POD.uid)


def one(*endpoints: dict[str, Any], service: str = "ws") -> dict[str, Any]:
    return {"metadata": {"name": f"{service}-abc", "labels": {SERVICE_NAME: service}}, "endpoints": [*endpoints]}
