"""The pods with an agent, and what each has said last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drainer.adapter.pods import Pod
from drainer.adapter.readings import Reading
from drainer.adapter.selectors import Selector

FRESH = 10.0
"""Seconds that a reading counts; a pod without a fresh one is missing, not empty."""


class Fleet:
    """Told of pods by the watch, and of readings by the sweep."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, Pod]] = {}
        self._readings: dict[str, Reading] = {}
        self.is_known = False
        """Whether the pods have been listed once."""

    def __iter__(self) -> Iterator[Pod]:
        for pods in self._pods.values():
            yield from pods.values()

    def __len__(self) -> int:
        return sum(map(len, self._pods.values()))

    def replace(self, pods: Iterable[Pod]) -> None:
        """These are all pods."""
        self._pods.clear()
        for pod in pods:
            self._pods.setdefault(pod.namespace, {})[pod.name] = pod
        there = {pod.uid for pod in self}
        self._readings = {uid: reading for uid, reading in self._readings.items() if uid in there}
        self.is_known = True

    def put(self, pod: Pod) -> None:
        """A pod is new, or has changed. One of the same name and another uid is gone then."""
        before = self._pods.setdefault(pod.namespace, {}).get(pod.name)
        if before is not None and before.uid != pod.uid:
            self._readings.pop(before.uid, None)
        self._pods[pod.namespace][pod.name] = pod

    def remove(self, namespace: str, name: str) -> None:
        """A pod is gone, or has no agent any more."""
        pods = self._pods.get(namespace, {})
        pod = pods.pop(name, None)
        if pod is not None:
            self._readings.pop(pod.uid, None)
        if not pods:
            self._pods.pop(namespace, None)

    def read(self, pod: Pod, reading: Reading) -> None:
        """An agent has answered. Its pod may have gone since it was asked."""
        now = self._pods.get(pod.namespace, {}).get(pod.name)
        if now is not None and now.uid == pod.uid:
            self._readings[pod.uid] = reading

    def reading(self, pod: Pod, now: float) -> Reading | None:
        """The last one, while it is fresh."""
        found = self._readings.get(pod.uid)
        return found if found is not None and now - found.taken_at <= FRESH else None

    def last(self, pod: Pod) -> Reading | None:
        """The last one, however old: a pod that has fallen silent has most likely not lost its clients."""
        return self._readings.get(pod.uid)

    def named(self, namespace: str, name: str) -> Pod | None:
        """One pod."""
        return self._pods.get(namespace, {}).get(name)

    def selected(self, namespace: str, selector: Selector) -> list[Pod]:
        """The pods of a namespace that a selector selects, by name."""
        pods = self._pods.get(namespace, {})
        return [pods[name] for name in sorted(pods) if selector.matches(pods[name].labels)]
