"""The clients in the cluster, as seen from here: orders and answers go through the API server's proxy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from e2e.cluster import Cluster
from e2e.manifests import CONTROL
from e2e.waiting import until


class Traffic:
    """One pod of clients."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str) -> None:
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{CONTROL}/proxy"
        self.libraries: Mapping[str, str] = self._cluster.call("GET", f"{self._path}/libraries")
        """Library -> version."""
        self._groups = 0

    def group(self, url: str, count: int, *, library: str = "aiohttp", again: bool = False) -> Group:
        """So many clients of `url`; all of them are connected when this returns. `again`: they come back at once."""
        self._groups += 1
        group = Group(self, f"group-{self._groups}")
        order = {"group": group.name, "url": url, "count": count, "library": library, "again": again}
        self.order("POST", "open", order)
        until(f"{count} clients are connected to {url}", lambda: group.open == count, within=10)
        return group

    def request(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, seconds: float = 60
    ) -> dict[str, Any]:
        """One HTTP request out of the clients' pod: {status, text, failed, seconds}."""
        order = {"method": method, "url": url, "headers": dict(headers or {}), "seconds": seconds}
        answer: dict[str, Any] = self.order("POST", "call", order)
        return answer

    def order(self, method: str, path: str, body: Any = None) -> Any:
        return self._cluster.call(method, f"{self._path}/{path}", body)


class Group:
    """Clients that were opened together."""

    def __init__(self, traffic: Traffic, name: str) -> None:
        self._traffic = traffic
        self.name = name

    @property
    def connections(self) -> list[dict[str, Any]]:
        """Every connection there was: the fields of pods/clients.py's Connection."""
        connections: list[dict[str, Any]] = self._traffic.order("GET", f"groups/{self.name}")["connections"]
        return connections

    @property
    def open(self) -> int:
        """How many are connected now."""
        return sum(1 for one in self.connections if one["opened_at"] and not one["closed_at"])

    @property
    def codes(self) -> Counter[int]:
        """Close code -> how many connections ended with it; 1006 is: without a word."""
        return Counter(one["code"] for one in self.connections if one["closed_at"])

    @property
    def failed(self) -> list[str]:
        """Connections that did not come about."""
        return [one["failed"] for one in self.connections if one["failed"]]

    @property
    def pods(self) -> Counter[str]:
        """Pod -> how many are connected to it now."""
        return Counter(one["pod"] for one in self.connections if one["opened_at"] and not one["closed_at"])

    def leave(self, count: int | None = None) -> None:
        """So many, or all, close their connections and do not come back."""
        self._traffic.order("POST", "leave", {"group": self.name, "count": count or len(self.connections)})

    def shown(self) -> str:
        """For the table: codes and how many."""
        return ", ".join(f"{code}: {number}" for code, number in sorted(self.codes.items())) or "none closed"
