"""The settings that a container of the agent is given: by variables and flags, as far as a manifest shows them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drainer.commands.doctor.findings import Found, Path
from drainer.commands.doctor.shapes import Node
from drainer.config import Config
from drainer.errors import ConfigError
from drainer.settings import BY_NAME, PREFIX, SETTINGS, Setting

IDENTITY = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_UID": "metadata.uid"}
"""What tells the agent which pod it is in, and where the downward API has it."""

_IN_A_POD = {**IDENTITY, "KUBERNETES_SERVICE_HOST": "192.0.2.1", "KUBERNETES_SERVICE_PORT": "443"}
"""Variables that the agent asks for, and that are there or have a check of their own."""
_BY_ENV = {setting.env: setting for setting in SETTINGS}
_BY_FLAG = {setting.flag: setting for setting in SETTINGS}
_ANNOTATION = re.compile(r"metadata\.annotations\['([^']+)'\]")
"""How the downward API names one; the Kustomize component reads all settings so."""
_HIDDEN = "hidden"
"""Stands for a secret that the manifest does not show."""
_HARMLESS = {
    "app_reserve": "0s",
    "settle": "0s",
    "patience": "0s",
    "straggler_time": "10ms",
    "escalate_after": "10ms",
    "notify_url": "http://127.0.0.1/",
    "max_connections": "1000000",
    "health": "ping",
    "usage": "auto",
    "serving_label": "true",
    "token": _HIDDEN,
    "token_file": "",
}
"""What an unseen setting is taken for when the others are judged: values that contradict nothing."""


@dataclass(frozen=True)
class Given:
    """What is set, where, and what cannot be seen."""

    texts: Mapping[str, str]
    """Setting -> value as it is written, flags before variables."""
    paths: Mapping[str, Path]
    """Setting -> where its value is, for all that are set, unseen ones too; so too variables that are no settings."""
    unseen: frozenset[str]
    """Settings whose value is somewhere else: in a ConfigMap, a Secret, another variable."""
    elsewhere: tuple[Path, ...]
    """Where values come from ConfigMaps and Secrets."""
    identity: Mapping[str, str]
    """The variables of IDENTITY that are set -> the field they are from; empty for a literal."""
    unknown_flags: tuple[Found, ...]
    names: Mapping[str, str]
    """All variables that begin with DRAINER_ and have a literal value."""
    grace: int
    """The pod's terminationGracePeriodSeconds."""
    at: Path
    """The container's env."""

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """All settings as the agent reads them; the default where a value is unseen or cannot be used."""
        return {setting.name: self._value(setting) for setting in SETTINGS}

    def _value(self, setting: Setting) -> Any:
        text = self.texts.get(setting.name) or setting.default
        for candidate in (text, setting.default):
            try:
                return setting.kind.parse(candidate or "")
            except ValueError:
                continue
        return ()  # app_ports: the only one without a default

    def sees(self, *names: str) -> bool:
        """Whether the values of all these settings are known."""
        return self.unseen.isdisjoint(names)

    def has(self, name: str) -> bool:
        """Whether a setting has a value, seen or not."""
        return bool(self.texts.get(name)) or (name in self.unseen and name in self.paths)

    def where(self, name: str) -> Path:
        """The place of a setting's value; where it is not set, the place to set it."""
        return self.paths.get(name, self.at)

    @cached_property
    def judgement(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(mistakes, warnings) as the agent would say them at its start, but for what cannot be seen."""
        environ = {**_IN_A_POD, **self.names, **{BY_NAME[name].env: text for name, text in self.texts.items()}}
        for name in self.unseen:
            environ[BY_NAME[name].env] = self._stand_in(name)
        if self.values["kubernetes"] != "auto":
            # What the API needs has checks of its own.
            environ[BY_NAME["kubernetes"].env] = "auto"
        try:
            return (), Config.from_env(environ, read=lambda _: _HIDDEN).warnings
        except ConfigError as error:
            return error.mistakes, ()

    def _stand_in(self, name: str) -> str:
        if name == "app_ports":
            named = (self.texts.get(other) for other in ("websocket_ports", "health_port"))
            return ",".join(filter(None, named)) or "1"
        if name == "websocket_ports":
            return ""
        if name == "close":
            return "notify" if self.has("notify_url") else ""
        if name == "notify_url" and not self.has("close"):
            return ""
        if name == "token" and not self.has("token"):
            return ""
        if name == "grace_period":
            return f"{max(self.grace, 1)}s"
        return _HARMLESS.get(name, BY_NAME[name].default or "")


def given(container: Node, grace: int, annotations: Mapping[str, str]) -> Given:
    """The settings of one container, in a pod with these annotations."""
    texts: dict[str, str] = {}
    paths: dict[str, Path] = {}
    unseen: set[str] = set()
    elsewhere: list[Path] = [source.path for source in container["envFrom"]]
    identity: dict[str, str] = {}
    names: dict[str, str] = {}
    if "-c" in container["command"].texts + container["args"].texts:
        # A shell: what it passes on is its own affair.
        elsewhere.append(container["args"].path)
    if elsewhere:
        unseen.update(BY_NAME)
    for variable in container["env"]:
        name = variable["name"].text
        source = variable["valueFrom"]
        if name in IDENTITY and (source or variable["value"].text):
            identity[name] = source["fieldRef"]["fieldPath"].text
        if not name.startswith(PREFIX):
            continue
        if set(source.keys) & {"configMapKeyRef", "secretKeyRef"}:
            elsewhere.append(source.path)
        text = variable["value"].text.strip()
        annotation = _ANNOTATION.fullmatch(source["fieldRef"]["fieldPath"].text)
        if annotation is not None:
            # One that is not there is an empty variable, which is as good as none.
            text = annotations.get(annotation[1], "").strip()
        setting = _BY_ENV.get(name)
        if setting is None:
            names[name] = text
            paths[name] = variable["name"].path
            continue
        # Of two variables with one name the later one counts.
        unseen.discard(setting.name)
        texts.pop(setting.name, None)
        paths[setting.name] = variable["value"].path if not source else source.path
        if annotation is None and (source or "$(" in text):
            unseen.add(setting.name)
        else:
            texts[setting.name] = text
    unknown = _flags(container, texts, paths, unseen)
    return Given(
        texts, paths, frozenset(unseen), tuple(elsewhere), identity, unknown, names, grace, container["env"].path
    )


def _flags(container: Node, texts: dict[str, str], paths: dict[str, Path], unseen: set[str]) -> tuple[Found, ...]:
    """The flags after `run`: `--name value` or `--name=value`. They win over variables."""
    words = [*container["command"], *container["args"]]
    texts_of_words = [word.text for word in words]
    unknown = []
    index = texts_of_words.index("run") + 1 if "run" in texts_of_words else len(words)
    while index < len(words):
        flag, equals, text = words[index].text.partition("=")
        at = words[index].path
        index += 1
        if not flag.startswith("--"):
            continue
        setting = _BY_FLAG.get(flag)
        if setting is None:
            unknown.append(_unknown(flag, at))
            continue
        if not equals:
            text = words[index].text if index < len(words) else ""
            index += 1
        paths[setting.name] = at
        unseen.discard(setting.name)
        texts.pop(setting.name, None)
        if "$(" in text:
            unseen.add(setting.name)
        else:
            texts[setting.name] = text.strip()
    return tuple(unknown)


def _unknown(flag: str, at: Path) -> Found:
    nearest = difflib.get_close_matches(flag, _BY_FLAG, n=1, cutoff=0)[0]
    return Found(
        at, f"{flag} is no flag of `drainer run`, which ends with exit code 2", f"write {nearest}, or take {flag} out"
    )
