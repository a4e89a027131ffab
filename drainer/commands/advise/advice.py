"""From an agent's /status and a wish to numbers for a manifest, each with its arithmetic. Nothing is asked here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drainer.cost import Fit
from drainer.errors import AdviceError

ERRORS = 2.0
"""Standard errors that are reckoned with on top of a slope: it is no more than that in 39 of 40 cases."""
LEAST_SAMPLES = 10.0
LEAST_CERTAINTY = 4.0
"""So many times its standard error a slope must be."""
FURTHEST = 10.0
"""So many times the most connections that were seen a straight line may be followed."""
_KIB, _MIB = 2**10, 2**20


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted."""

    headroom: float = 0.25
    """0..: what stays free beside a full pod, as a part of it."""
    connections: int | None = None
    """How many a pod shall carry..."""
    memory: float | None = None
    """... or how many bytes it may take, its limit. With neither: the most connections that were seen."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Numbers as they stand in a manifest, and sentences."""

    max_connections: int
    target: int
    """Connections of a pod that an HPA should aim at (averageValue)."""
    memory_request: int
    """MiB."""
    memory_limit: int
    """MiB."""
    cpu_request: int | None
    """Millicores; None where CPU does not follow the connections, or is not known."""
    because: tuple[str, ...]
    unknown: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs: fields are only ever added."""
        cpu = {} if self.cpu_request is None else {"cpu": f"{self.cpu_request}m"}
        return {
            "max_connections": self.max_connections,
            "hpa_target": self.target,
            "requests": {**cpu, "memory": f"{self.memory_request}Mi"},
            "limits": {"memory": f"{self.memory_limit}Mi"},
            "because": list(self.because),
            "unknown": list(self.unknown),
        }

    def as_text(self) -> str:
        """For people."""
        cpu = "" if self.cpu_request is None else f"cpu {self.cpu_request}m, "
        lines = [
            f"max_connections  {self.max_connections}",
            f"HPA target       {self.target} (averageValue of connections)",
            f"requests         {cpu}memory {self.memory_request}Mi",
            f"limits           memory {self.memory_limit}Mi",
            "",
            "Why",
            *(f"- {sentence}" for sentence in self.because),
            "",
            "What it cannot know",
            *(f"- {sentence}" for sentence in self.unknown),
        ]
        return "\n".join(lines) + "\n"


def advise(status: Mapping[str, Any], wish: Wish) -> Advice:
    """The advice. Raises AdviceError with the one reason why there is none."""
    memory, cpu = _fits(status)
    careful = memory.slope + ERRORS * memory.error
    base = max(0.0, memory.base)
    number, why = _number(wish, memory, base, careful)
    if number > FURTHEST * memory.most:
        raise AdviceError(
            f"{number} connections are {number / memory.most:.0f} times the {memory.most:g} that were seen at most; "
            f"a straight line is not followed further than {FURTHEST:g} times"
        )
    full = base + number * careful
    limit = full * (1 + wish.headroom)
    target = max(1, math.floor(number / (1 + wish.headroom)))
    millicores, reckoned = _cpu(cpu, number)
    percent = f"{100 * wish.headroom:g} %"
    because = (
        (
            f"A connection takes {_kib(memory.slope)} +- {_kib(memory.error)} of memory ({_certainty(memory)}); "
            f"{_kib(careful)} are reckoned with, {ERRORS:g} standard errors more."
        ),
        why,
        f"requests.memory: {_mib(base)} without connections + {number} x {_kib(careful)} = {_mib(full)}.",
        f"limits.memory: {percent} above that = {_mib(limit)}.",
        reckoned,
        (
            f"HPA target: a pod at the target can take {percent} more before it is full: "
            f"{number} / {1 + wish.headroom:g} = {target}."
        ),
    )
    return Advice(
        max_connections=number,
        target=target,
        memory_request=_up(full / _MIB),
        memory_limit=_up(limit / _MIB),
        cpu_request=millicores,
        because=because,
        unknown=tuple(_unknown(memory, cpu, number)),
    )


def _fits(status: Mapping[str, Any]) -> tuple[Fit, Fit | None]:
    """Memory and CPU over connections."""
    usage = status.get("usage")
    if usage is None:
        raise AdviceError("the agent does not know what the app takes: DRAINER_USAGE=auto, and some hours of traffic")
    try:
        per_connection = usage["per_connection"]
        memory, cpu = (_fit(per_connection[name]) for name in ("memory", "cpu"))
        missing = usage["missing"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AdviceError("the agent's /status cannot be read: it has another version") from error
    if memory is None:
        raise AdviceError(
            f"the app's memory cannot be seen: {missing}"
            if missing
            else "too little is known: the number of connections has not varied yet, or the agent has only begun"
        )
    if memory.samples < LEAST_SAMPLES:
        raise AdviceError(
            f"too little is known: {memory.samples:.1f} independent samples, and {LEAST_SAMPLES:g} are the least"
        )
    if not _is_sure(memory):
        raise AdviceError(
            f"memory does not follow the connections: {_kib(memory.slope)} +- {_kib(memory.error)} each "
            f"({_certainty(memory)}); more traffic that rises and falls, or another reason than connections"
        )
    return memory, cpu


def _fit(data: Mapping[str, Any] | None) -> Fit | None:
    if data is None:
        return None
    connections = data["connections"]
    values = [
        float(one)
        for one in (
            data["slope"], data["standard_error"], data["base"], data["r_squared"], data["samples"],
            connections["least"], connections["most"],
        )
    ]  # fmt: skip
    if not all(map(math.isfinite, values)):
        raise ValueError("not a number")
    return Fit(*values)


def _is_sure(fit: Fit) -> bool:
    return fit.slope > 0 and fit.slope >= LEAST_CERTAINTY * fit.error


def _number(wish: Wish, memory: Fit, base: float, careful: float) -> tuple[int, str]:
    """max_connections, and why so many."""
    if wish.connections is not None:
        return wish.connections, f"max_connections: {wish.connections}, as wished."
    if wish.memory is None:
        return max(
            1, math.floor(memory.most)
        ), f"max_connections: {memory.most:g} were seen at the most; none was wished."
    room = wish.memory / (1 + wish.headroom) - base
    number = math.floor(room / careful)
    if number < 1:
        raise AdviceError(
            f"a limit of {_mib(wish.memory)} leaves no room for a connection: the app takes {_mib(base)} without any"
        )
    return number, (
        f"max_connections: of a limit of {_mib(wish.memory)} {_mib(wish.memory / (1 + wish.headroom))} are left beside "
        f"the headroom, less {_mib(base)} without connections, for {_kib(careful)} each: {number}."
    )


def _cpu(fit: Fit | None, number: int) -> tuple[int | None, str]:
    """Millicores of a full pod, and the arithmetic."""
    if fit is None or fit.samples < LEAST_SAMPLES or not _is_sure(fit):
        return None, "requests.cpu: not known; what the app uses does not follow its connections so far."
    careful, base = fit.slope + ERRORS * fit.error, max(0.0, fit.base)
    cores = base + number * careful
    return _up(1000 * cores), (
        f"requests.cpu: {1000 * base:.0f}m without connections + {number} x {1e6 * careful:.1f} millionths of a core "
        f"({_certainty(fit)}) = {1000 * cores:.0f}m. No limit: it would hold the app up whenever all clients are "
        "busy at once."
    )


def _unknown(memory: Fit, cpu: Fit | None, number: int) -> Iterator[str]:
    if number > memory.most:
        yield (
            f"Whether the line goes on: {number} connections are {number / memory.most:.1f} times the {memory.most:g} "
            "that were seen."
        )
    yield "What a storm of new connections takes for a moment (TLS, first messages): a rollout shows it."
    yield "Whether the app leaks: the line is through the connections, not through time."
    yield "Memory that the app keeps after clients have left: it makes a connection look cheaper than it is."
    if cpu is not None:
        yield "How busy clients will be: CPU is what those of the last hours have used."


def _up(amount: float) -> int:
    """The next whole number; what is above one by rounding alone is that one."""
    return math.ceil(round(amount, 6))


def _certainty(fit: Fit) -> str:
    return f"{fit.samples:.0f} independent samples, {fit.least:g} to {fit.most:g} connections, r2 {fit.r_squared:.2f}"


def _kib(amount: float) -> str:
    return f"{amount / _KIB:.1f} KiB"


def _mib(amount: float) -> str:
    return f"{amount / _MIB:.1f} MiB"
