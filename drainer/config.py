"""Settings from the environment and flags -> one frozen Config, or one error with all mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from drainer.callers import CallerPolicy
from drainer.cap import LONGEST_GAP, CapPlan, Signal, signal_of
from drainer.closing import LAST_MOMENT, ClosePlan
from drainer.contradictions import contradictions
from drainer.deletion import Pod
from drainer.errors import ConfigError
from drainer.given import own_pod, read_token, unknown, values_given
from drainer.phases import Rung
from drainer.plan import DrainPlan, usable
from drainer.settings import BY_NAME, SETTINGS
from drainer.target import HealthPlan, health_in_vain, health_mistakes, health_plan

DEFAULT_GRACE = 30.0
"""Seconds: terminationGracePeriodSeconds where a pod says nothing (pkg/apis/core/v1/defaults.go)."""
STOP_MARGIN = 10.0
"""Seconds beyond the grace period in which the kubelet and the runtime have certainly ended a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the settings say, checked. Lengths in seconds."""

    app_ports: tuple[int, ...]
    host: str
    port: int
    container: str
    grace_period: float | None
    app_reserve: float
    timeout: float | None
    settle: float
    readiness: str
    max_remaining: int
    flush: float
    close: tuple[str, ...]
    close_code: int
    close_reason: str
    patience: float
    straggler_time: float | None
    escalate_after: float
    close_rate: float | None
    notify_url: str
    notify_mode: str
    notify_remote: bool
    websocket_ports: tuple[int, ...]
    websocket_unproven: bool
    ignore_peers: tuple[str, ...]
    idle_after: float | None
    min_age: float
    interval: float
    max_connections: int | None
    resume_below: int | None
    max_rate: float | None
    full: str
    never_last: bool
    health: str
    health_port: int | None
    health_path: str
    health_host: str
    health_origin: str
    health_subprotocols: tuple[str, ...]
    health_headers: tuple[tuple[str, str], ...] = field(repr=False)
    health_tls: bool
    health_interval: float
    health_latency: float
    health_misses: int
    health_max_connections: int | None
    health_max_memory: float | None
    health_max_cpu: float | None
    health_max_descriptors: int | None
    usage: str
    usage_interval: float
    callers: str
    trusted_sources: tuple[str, ...]
    node_ip: tuple[str, ...]
    token: str = field(repr=False)
    kubernetes: str
    restart_timeout: float
    serving_label: bool
    readiness_gate: bool
    condition: bool
    events: bool
    deletion_cost: bool
    service_account: str
    page: bool
    log_level: str
    log_format: str
    pod: Pod | None = None
    """Which pod this is, if the API is to be used."""
    warnings: tuple[str, ...] = ()
    """What was bent or not understood, in sentences."""

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str],
        flags: Mapping[str, str] | None = None,
        read: Callable[[str], str] = str,
    ) -> Config:
        """Settings by environment variable; a flag (by setting name) wins. `read` gives a file's text.

        Raises ConfigError with every mistake. An empty variable is as good as none.
        """
        mistakes: list[str] = []
        warnings: list[str] = []
        values = dict(values_given(SETTINGS, environ, flags or {}, mistakes, warnings))
        if values.pop("token_file", ""):
            read_token(environ, flags or {}, read, values, mistakes)
        if values.get("port") in values.get("app_ports", ()):
            mistakes.append(
                f"{BY_NAME['port'].env}={values['port']}: is one of the app's ports too; allowed: a port of its own"
            )
        mistakes += [*contradictions(values), *health_mistakes(values)]
        pod = own_pod(environ, values.get("kubernetes", "off"), mistakes, warnings)
        warnings += unknown(environ)
        if mistakes:
            raise ConfigError(mistakes)
        config = cls(**values, pod=pod)
        return replace(config, warnings=(*warnings, *config._bent(), *config._vain()))

    def plan(self, grace: float | None = None) -> DrainPlan:
        """The lengths of a drain; `grace` is the pod's grace period as the API says it, for grace_period=auto.

        What contradicts each other is made to fit.
        """
        whole = self._wished(grace)
        return whole.within(whole.window)

    def _wished(self, grace: float | None = None) -> DrainPlan:
        grace = self.grace_period or grace or DEFAULT_GRACE
        window = usable(grace, self.app_reserve)
        return DrainPlan(
            window=window if self.timeout is None else min(window, self.timeout),
            settle=self.settle,
            flush=self.flush,
            max_remaining=self.max_remaining,
            stopped_after=grace + STOP_MARGIN,
            reserve=self.app_reserve,
            restart_timeout=self.restart_timeout,
            closing=self._close_plan() if self.close else None,
        )

    def cap(self, *, uses_api: bool) -> CapPlan | None:
        """What the pod wants at the most; None where nothing is limited."""
        if self.max_connections is None and self.max_rate is None:
            return None
        signal = signal_of(self.full, has_label=self.serving_label and uses_api)
        resume_below = self.resume_below
        if self.max_connections is not None and resume_below is None:
            resume_below = max(1, self.max_connections * 9 // 10)
        return CapPlan(
            max_connections=self.max_connections,
            resume_below=resume_below if self.max_connections is not None else None,
            max_rate=self.max_rate,
            signal=signal,
            never_last=self.never_last and uses_api and signal is not Signal.METRIC,
        )

    @property
    def longest_gap(self) -> float:
        """Seconds between two censuses at rest, at the most."""
        return math.inf if self.max_rate is None else LONGEST_GAP

    def health_plan(self) -> HealthPlan | None:
        """How the app is looked at; None where it is not."""
        return health_plan(self._values)

    @property
    def _values(self) -> dict[str, Any]:
        return {row.name: getattr(self, row.name) for row in fields(self) if row.name in BY_NAME}

    def _bent(self) -> Iterable[str]:
        """What contradicts each other, and how it is made to fit."""
        if self.interval > self.longest_gap:
            yield f"interval {self.interval:g}s is too long to see max_rate: {self.longest_gap:g}s is used"
        grace = self.grace_period or DEFAULT_GRACE
        wished, plan = self._wished(), self.plan()
        if self.app_reserve >= grace:
            yield (
                f"app_reserve {self.app_reserve:g}s leaves nothing of the grace period of {grace:g}s: "
                f"{grace / 2:g}s is used"
            )
        if plan.settle < wished.settle:
            yield (
                f"settle {wished.settle:g}s leaves nothing of the {plan.window:g}s of a drain: {plan.settle:g}s is used"
            )
        if wished.closing is None or plan.closing is None:
            return
        if plan.closing.patience < wished.closing.patience:
            yield (
                f"patience {wished.closing.patience:g}s leaves no time for closing: {plan.closing.patience:g}s is used"
            )
        if plan.closing.straggler_time < wished.closing.straggler_time:
            yield (
                f"straggler_time {wished.closing.straggler_time:g}s leaves nothing of the "
                f"{plan.window - plan.settle - plan.closing.patience:g}s for closing: "
                f"{plan.closing.straggler_time:g}s is used"
            )

    def _vain(self) -> Iterable[str]:
        """Settings that have no effect beside the others."""
        if self.notify_url and "notify" not in self.close:
            yield f"notify_url has no effect: {BY_NAME['close'].env} does not name notify"
        if self.token and self.callers == "all":
            yield "callers=all has no effect while a token is set: only who sends the token is trusted"
        yield from health_in_vain(self._values, uses_api=self.pod is not None)
        cap = self.cap(uses_api=self.pod is not None)
        if cap is None:
            yield from (
                f"{name} has no effect: nothing is limited by max_connections or max_rate"
                for name, is_given in (("resume_below", self.resume_below), ("full", self.full != "auto"))
                if is_given
            )
        elif self.max_connections is None and self.resume_below is not None:
            yield "resume_below has no effect without max_connections"
        elif cap.signal is Signal.READINESS and self.never_last and not cap.never_last:
            yield (
                "never_last has no effect: the API is not used, so when all pods are full none of them is ready, and "
                "the Service refuses everybody"
            )
        for name in ("serving_label", "readiness_gate", "deletion_cost"):
            if getattr(self, name) and self.pod is None:
                yield (
                    f"{name} has no effect: the API is not used (kubernetes={self.kubernetes}; it needs POD_NAME, "
                    "POD_NAMESPACE and POD_UID)"
                )

    def _close_plan(self) -> ClosePlan:
        return ClosePlan(
            rungs=tuple(
                Rung(name, name == "notify", name == "notify" and self.notify_mode == "announce") for name in self.close
            ),
            patience=self.patience,
            straggler_time=self._straggler_time(),
            escalate_after=self.escalate_after,
            rate=self.close_rate,
        )

    def _straggler_time(self) -> float:
        if self.straggler_time is not None:
            return self.straggler_time
        return len(self.close) * self.escalate_after + LAST_MOMENT

    def caller_policy(self, gateways: Iterable[str] = ()) -> CallerPolicy:
        """Who may drain, with the pod's default gateways."""
        return CallerPolicy(
            token=self.token or None,
            trust_all=self.callers == "all",
            sources=(*self.trusted_sources, *self.node_ip),
            gateways=tuple(gateways),
        )

    def shown(self) -> dict[str, Any]:
        """The settings without secrets, for the log."""
        values = {name: value for name, value in self._values.items() if not BY_NAME[name].secret}
        # What follows a question mark may be a password.
        return values | {name: values[name].partition("?")[0] for name in ("notify_url", "health_path")}


def some_settings(names: Iterable[str], environ: Mapping[str, str], flags: Mapping[str, str]) -> dict[str, Any]:
    """The values of just these settings, for a command that needs no others. Raises ConfigError."""
    mistakes: list[str] = []
    values = dict(values_given([BY_NAME[name] for name in names], environ, flags, mistakes, []))
    if mistakes:
        raise ConfigError(mistakes)
    return values
