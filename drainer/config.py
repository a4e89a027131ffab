"""Settings from the environment and flags -> one frozen Config, or one error with all mistakes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from drainer.addresses import parse_address
from drainer.callers import CallerPolicy
from drainer.closing import LAST_MOMENT, ClosePlan
from drainer.drain import DrainPlan
from drainer.errors import ConfigError
from drainer.phases import Rung
from drainer.settings import BY_NAME, PREFIX, SETTINGS, Setting

_SERVICE_LINK = re.compile(r"_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_|$)")
"""Variables that the kubelet makes for each Service of the namespace (pkg/kubelet/envvars/envvars.go)."""

STOP_MARGIN = 10.0
"""Seconds beyond the grace period in which the kubelet and the runtime have certainly ended a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the settings say, checked and made to fit. Lengths in seconds."""

    app_ports: tuple[int, ...]
    host: str
    port: int
    container: str
    grace_period: float
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
    service_account: str
    log_level: str
    log_format: str
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
        values = dict(_values(SETTINGS, environ, flags or {}, mistakes, warnings))
        if values.pop("token_file", ""):
            _read_token(environ, flags or {}, read, values, mistakes)
        if values.get("port") in values.get("app_ports", ()):
            mistakes.append(
                f"{BY_NAME['port'].env}={values['port']}: is one of the app's ports too; allowed: a port of its own"
            )
        mistakes += _contradictions(values)
        warnings += _unknown(environ)
        if mistakes:
            raise ConfigError(mistakes)
        _bend(values, warnings)
        return cls(**values, warnings=tuple(warnings))

    def plan(self) -> DrainPlan:
        """The lengths of a drain."""
        return DrainPlan(
            window=_window(self.grace_period, self.app_reserve, self.timeout),
            settle=self.settle,
            flush=self.flush,
            max_remaining=self.max_remaining,
            stopped_after=self.grace_period + STOP_MARGIN,
            closing=self._close_plan() if self.close else None,
        )

    def _close_plan(self) -> ClosePlan:
        return ClosePlan(
            rungs=tuple(
                Rung(name, name == "notify", name == "notify" and self.notify_mode == "announce") for name in self.close
            ),
            patience=self.patience,
            straggler_time=_straggler_time(self.straggler_time, self.close, self.escalate_after),
            escalate_after=self.escalate_after,
            rate=self.close_rate,
        )

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
        values = {
            row.name: getattr(self, row.name)
            for row in fields(self)
            if row.name in BY_NAME and not BY_NAME[row.name].secret
        }
        # What follows a question mark may be a password.
        return values | {"notify_url": self.notify_url.partition("?")[0]}


def some_settings(names: Iterable[str], environ: Mapping[str, str], flags: Mapping[str, str]) -> dict[str, Any]:
    """The values of just these settings, for a command that needs no others. Raises ConfigError."""
    mistakes: list[str] = []
    values = dict(_values([BY_NAME[name] for name in names], environ, flags, mistakes, []))
    if mistakes:
        raise ConfigError(mistakes)
    return values


def _values(
    settings: Iterable[Setting],
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    mistakes: list[str],
    warnings: list[str],
) -> Iterable[tuple[str, Any]]:
    for setting in settings:
        spelled, text = _given(setting, environ, flags)
        if spelled == BY_NAME["port"].env and text is not None and text.startswith(("tcp://", "udp://")):
            # The kubelet sets <SERVICE>_PORT for every Service of the namespace, also for one named "drainer".
            warnings.append(f"{spelled} is the variable that Kubernetes makes for a Service of that name: not used")
            text = None
        if text is None:
            text = setting.default
        if text is None:
            mistakes.append(f"{setting.env} is not set; allowed: {setting.kind.allowed}")
            continue
        try:
            yield setting.name, setting.kind.parse(text)
        except ValueError:
            shown = "(not shown)" if setting.secret else repr(text)
            mistakes.append(f"{spelled}={shown} cannot be used; allowed: {setting.kind.allowed}")


def _given(setting: Setting, environ: Mapping[str, str], flags: Mapping[str, str]) -> tuple[str, str | None]:
    """How the setting was spelled, and the text that was given for it."""
    if flags.get(setting.name) is not None:
        return setting.flag, flags[setting.name].strip()
    return setting.env, environ.get(setting.env, "").strip() or None


def _read_token(
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    read: Callable[[str], str],
    values: dict[str, Any],
    mistakes: list[str],
) -> None:
    spelled, path = _given(BY_NAME["token_file"], environ, flags)
    if values.get("token"):
        mistakes.append(f"{spelled}={path!r} cannot be used together with {BY_NAME['token'].env}; allowed: one of them")
        return
    try:
        values["token"] = BY_NAME["token"].kind.parse(read(path or "").strip())
    except OSError as error:
        mistakes.append(f"{spelled}={path!r} cannot be read ({error.strerror}); allowed: the path of a readable file")
    except ValueError:
        mistakes.append(f"{spelled}={path!r} holds no usable token; allowed: {BY_NAME['token'].kind.allowed}")
    else:
        if not values["token"]:
            mistakes.append(f"{spelled}={path!r} is empty; allowed: a file with a token in it")


def _window(grace_period: float, app_reserve: float, timeout: float | None) -> float:
    window = grace_period - app_reserve
    return window if timeout is None else min(window, timeout)


def _contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    """Settings that cannot both be meant, as far as each could be read."""
    url = values.get("notify_url")
    if url == "" and "notify" in values.get("close", ()):
        yield (
            f"{BY_NAME['notify_url'].env} is not set, and {BY_NAME['close'].env} names notify; "
            "allowed: where the app listens, like http://127.0.0.1:9809/drain"
        )
    if url and values.get("notify_remote") is False and not _is_loopback(urlsplit(url).hostname or ""):
        yield (
            f"{BY_NAME['notify_url'].env}={url!r} leads to another host; allowed: loopback, like "
            f"http://127.0.0.1:9809/drain, or any host with {BY_NAME['notify_remote'].env}=true"
        )
    elif url and urlsplit(url).port in (*values.get("app_ports", ()), values.get("port")):
        # There the agent's own connection would be counted, and wait for itself to leave.
        yield (
            f"{BY_NAME['notify_url'].env}={url!r} is on one of the app's counted ports or the agent's own; "
            "allowed: a port of its own, like http://127.0.0.1:9809/drain"
        )
    foreign = sorted({*values.get("websocket_ports", ())}.difference(values.get("app_ports", ())))
    if foreign and "app_ports" in values:
        yield f"{BY_NAME['websocket_ports'].env}={foreign[0]}: is not a port of the app; allowed: ports of app_ports"


def _is_loopback(host: str) -> bool:
    address = parse_address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _straggler_time(chosen: float | None, closers: Sequence[str], escalate_after: float) -> float:
    return chosen if chosen is not None else len(closers) * escalate_after + LAST_MOMENT


def _bend(values: dict[str, Any], warnings: list[str]) -> None:
    """Make settings that contradict each other fit, and say how."""
    grace, reserve = values["grace_period"], values["app_reserve"]
    if reserve >= grace:
        values["app_reserve"] = grace / 2
        warnings.append(
            f"app_reserve {reserve:g}s leaves nothing of the grace period of {grace:g}s: {grace / 2:g}s is used"
        )
    window = _window(grace, values["app_reserve"], values["timeout"])
    settle = values["settle"]
    if settle >= window:
        values["settle"] = window / 2
        warnings.append(f"settle {settle:g}s leaves nothing of the {window:g}s of a drain: {window / 2:g}s is used")
    if values["close"]:
        _bend_closing(values, window - values["settle"], warnings)
    if values["token"] and values["callers"] == "all":
        warnings.append("callers=all has no effect while a token is set: only who sends the token is trusted")


def _bend_closing(values: dict[str, Any], room: float, warnings: list[str]) -> None:
    """`room`: seconds from the end of the settle time to the deadline."""
    if values["patience"] >= room:
        warnings.append(f"patience {values['patience']:g}s leaves no time for closing: {room / 2:g}s is used")
        values["patience"] = room / 2
    room -= values["patience"]
    straggler_time = _straggler_time(values["straggler_time"], values["close"], values["escalate_after"])
    if straggler_time >= room:
        values["straggler_time"] = room / 2
        warnings.append(
            f"straggler_time {straggler_time:g}s leaves nothing of the {room:g}s for closing: {room / 2:g}s is used"
        )
    if values["notify_url"] and "notify" not in values["close"]:
        warnings.append(f"notify_url has no effect: {BY_NAME['close'].env} does not name notify")


def _unknown(environ: Mapping[str, str]) -> Iterable[str]:
    known = [setting.env for setting in SETTINGS]
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known:
            continue
        if _SERVICE_LINK.search(name) or environ[name].startswith(("tcp://", "udp://")):
            continue  # Made by Kubernetes for a Service named "drainer", or "drainer-..." something.
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
        yield f"{name} is not a setting and has no effect; the nearest is {nearest[0]}"
