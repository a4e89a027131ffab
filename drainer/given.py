"""What was given for the settings, by the environment and by flags: values, and sentences about what is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drainer.deletion import Pod
from drainer.settings import BY_NAME, PREFIX, SETTINGS, Setting

_SERVICE_LINK = re.compile(r"_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_|$)")
"""Variables that the kubelet makes for each Service of the namespace (pkg/kubelet/envvars/envvars.go)."""

_LINKED = (BY_NAME["port"].env, BY_NAME["health_port"].env)
"""Settings that are named like one of them."""


def values_given(
    settings: Iterable[Setting],
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    mistakes: list[str],
    warnings: list[str],
) -> Iterable[tuple[str, Any]]:
    """(name, value) of each setting that could be understood; of the others `mistakes` has a sentence."""
    for setting in settings:
        spelled, text = given(setting, environ, flags)
        if spelled in _LINKED and text is not None and text.startswith(("tcp://", "udp://")):
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


def given(setting: Setting, environ: Mapping[str, str], flags: Mapping[str, str]) -> tuple[str, str | None]:
    """How the setting was spelled, and the text that was given for it."""
    if flags.get(setting.name) is not None:
        return setting.flag, flags[setting.name].strip()
    return setting.env, environ.get(setting.env, "").strip() or None


def read_token(
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    read: Callable[[str], str],
    values: dict[str, Any],
    mistakes: list[str],
) -> None:
    """The token of `token_file` into `values`, or a sentence into `mistakes`; `read` gives a file's text."""
    spelled, path = given(BY_NAME["token_file"], environ, flags)
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


_POD = ("POD_NAME", "POD_NAMESPACE", "POD_UID")
_SERVER = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
"""What the kubelet sets in every container (pkg/kubelet/kubelet_pods.go)."""


def own_pod(environ: Mapping[str, str], wanted: str, mistakes: list[str], warnings: list[str]) -> Pod | None:
    """The own pod, where the API is wanted and everything that it takes is there."""
    if wanted == "off":
        return None
    names = {name: environ.get(name, "").strip() for name in (*_POD, *_SERVER)}
    absent = [name for name, text in names.items() if not text]
    spelled = f"{BY_NAME['kubernetes'].env}={wanted}"
    if absent:
        if wanted == "on":
            mistakes.append(
                f"{spelled} needs {', '.join(absent)}; allowed: auto, off, or these variables by the downward API"
            )
        elif any(names[name] for name in _POD):
            warnings.append(f"the API is not used: {', '.join(absent)} not set")
        return None
    port = names["KUBERNETES_SERVICE_PORT"]
    try:
        server = names["KUBERNETES_SERVICE_HOST"], BY_NAME["port"].kind.parse(port)
    except ValueError:
        mistakes.append(f"KUBERNETES_SERVICE_PORT={port!r} cannot be used; allowed: {BY_NAME['port'].kind.allowed}")
        return None
    return Pod(names[_POD[0]], names[_POD[1]], names[_POD[2]], server)


def unknown(environ: Mapping[str, str]) -> Iterable[str]:
    """A sentence for each variable that looks like a setting and is none."""
    known = [setting.env for setting in SETTINGS]
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known:
            continue
        if _SERVICE_LINK.search(name) or environ[name].startswith(("tcp://", "udp://")):
            continue  # Made by Kubernetes for a Service named "drainer", or "drainer-..." something.
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
        yield f"{name} is not a setting and has no effect; the nearest is {nearest[0]}"
