"""Small manifests for the tests of inject."""

from __future__ import annotations

from typing import Any

from drainer.commands.asked import Options
from drainer.commands.patch import Injection, inject
from drainer.commands.reports import Entry, Hint

IMAGE = "registry.example/drainer:1"
OPTIONS = Options(image=IMAGE)


def deployment(*, labels: Any = None, annotations: Any = None, **spec: Any) -> dict[str, Any]:
    """A Deployment of a pod with one container and its port 8080."""
    metadata = {"labels": {"app": "web", **(labels or {})}} | ({"annotations": annotations} if annotations else {})
    pod = {"containers": [container("app", ports=[{"containerPort": 8080}])], **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"metadata": metadata, "spec": pod}},
    }


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": f"registry.example/{name}", **fields}


def spec_of(injection: Injection) -> dict[str, Any]:
    found: dict[str, Any] = injection.manifest["spec"]["template"]["spec"]
    return found


def metadata_of(injection: Injection) -> dict[str, Any]:
    found: dict[str, Any] = injection.manifest["spec"]["template"]["metadata"]
    return found


def entry_of(manifest: dict[str, Any], **options: Any) -> Entry:
    """What is said of its one object."""
    (entry,) = inject(manifest, Options(image=IMAGE, **options)).report
    return entry


def hints(entry: Entry) -> list[Hint]:
    return [remark.hint for remark in entry.remarks]


def text_of(entry: Entry, hint: Hint) -> str:
    (text,) = [remark.text for remark in entry.remarks if remark.hint is hint]
    return text


def variables(one: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in one["env"]}
