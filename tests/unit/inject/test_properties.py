"""inject∘inject = inject and uninject∘inject = nothing, on the text, however a manifest is made and written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from drainer.commands.asked import Options
from drainer.commands.manifests import parse, rewritten
from drainer.commands.patch import inject, uninject
from drainer.commands.rbac import needs
from drainer.errors import ConfigError
from drainer.keys import SERVING

NAMES = ("app", "nginx", "istio-proxy", "x-1")
words = st.sampled_from(["a", "on", "8080", "a: b", "{", "- x", "null", "ünï", "#", 'say "hi"', "two\nlines\n", ""])
foreign = st.recursive(
    words | st.integers(-9, 99) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def containers(draw: DrawFn, name: str) -> dict[str, Any]:
    container: dict[str, Any] = {"image": f"registry.example/{name}"}
    if draw(st.booleans()):
        container["ports"] = [{"containerPort": draw(st.integers(1, 3))}]
    if draw(st.booleans()):
        container["lifecycle"] = draw(
            st.sampled_from(
                [
                    {"postStart": {"exec": {"command": ["a"]}}},
                    {"preStop": {"sleep": {"seconds": 5}}},
                    {"preStop": {"httpGet": {"path": "/drain", "port": 1}}},
                ]
            )
        )
    container |= draw(st.dictionaries(st.sampled_from(["args", "env", "x"]), foreign, max_size=2))
    return draw(shuffled({"name": name, **container}))


def shuffled(mapping: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.permutations(list(mapping.items())).map(dict)


@st.composite
def pods(draw: DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "containers": [
            draw(containers(name)) for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
        ]
    }
    if draw(st.booleans()):
        spec["initContainers"] = [draw(containers("init"))]
    if draw(st.booleans()):
        spec["terminationGracePeriodSeconds"] = draw(st.sampled_from([0, 1, 30, 45, 600]))
    if draw(st.booleans()):
        spec["readinessGates"] = [{"conditionType": draw(st.sampled_from(["x", SERVING]))}]
    if draw(st.booleans()):
        spec["hostNetwork"] = draw(st.booleans())
    metadata: dict[str, Any] = {}
    labels = draw(
        st.dictionaries(
            st.sampled_from(["app", SERVING, "drainer.dev/inject"]), st.sampled_from(["true", "x", "false"])
        )
    )
    annotations = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "linkerd.io/inject": st.just("enabled"),
                "config.linkerd.io/skip-inbound-ports": st.sampled_from(["1", "9808", "9000-9999", "1, 2", ""]),
                "drainer.dev/settle": st.just("1s"),
                "example.org/x": words,
            },
        )
    )
    metadata |= {"labels": labels} if labels else {}
    metadata |= {"annotations": annotations} if annotations else {}
    pod = {"spec": draw(shuffled(spec))} | ({"metadata": metadata} if metadata else {})
    return draw(shuffled(pod))


@st.composite
def manifests(draw: DrawFn) -> dict[str, Any]:
    workload = draw(
        shuffled(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web"},
                "spec": draw(shuffled({"replicas": 1, "template": draw(pods()), "x": draw(foreign)})),
                "status": draw(foreign),
            }
        )
    )
    if draw(st.booleans()):
        return workload
    return {"apiVersion": "v1", "kind": "List", "items": [{"kind": "Service", "spec": draw(foreign)}, workload]}


_KEYWORDS = ("true", "false", "null", "on")


class Hand:
    """Writes a value as YAML as people do: never twice in the same way."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def chance(self) -> bool:
        return self._draw(st.integers(0, 4)) == 0

    def block(self, value: dict[str, Any], column: int) -> list[str]:
        lines: list[str] = []
        for key, item in value.items():
            if self.chance():
                lines += [f"{' ' * column}# of {key}", ""]
            lines += self._pair(key, item, column)
        return lines

    def _pair(self, key: str, value: Any, column: int) -> list[str]:
        head = f"{' ' * column}{self._word(key)}:{' ' * self._draw(st.integers(1, 3))}"
        tail = "   # so" if self.chance() else ""
        if not isinstance(value, (dict, list)) or not value or self.chance():
            if isinstance(value, str) and value.endswith("lines\n"):
                return [f"{head}|", *(" " * (column + 3) + line for line in value.splitlines())]
            return [f"{head}{self._flow(value)}{tail}"]
        if isinstance(value, dict):
            return [head.rstrip() + tail, *self.block(value, column + self._draw(st.integers(1, 4)))]
        offset = column + self._draw(st.integers(0, 3))
        return [head.rstrip() + tail, *(line for item in value for line in self._item(item, offset))]

    def _item(self, value: Any, column: int) -> list[str]:
        dash = "-" + " " * self._draw(st.integers(1, 3))
        above = [f"{' ' * column}# an item"] if self.chance() else []
        if isinstance(value, dict) and value and not self.chance():
            inner = column + len(dash)
            first, *others = self.block(value, inner)
            while not first.strip() or first.strip().startswith("#"):
                first, *others = others
            return [*above, " " * column + dash + first.strip(), *others]
        return [*above, f"{' ' * column}{dash}{self._flow(value)}"]

    def _flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{self._word(key)}: {self._flow(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",  ".join(map(self._flow, value)) + " ]"
        return self._word(value) if isinstance(value, str) else json.dumps(value)

    def _word(self, text: str) -> str:
        if "\n" in text or "ü" in text:
            return json.dumps(text, ensure_ascii=self.chance())
        return "'" + text.replace("'", "''") + "'" if self.chance() or text in _KEYWORDS or not text.isalpha() else text


@st.composite
def texts(draw: DrawFn) -> str:
    data = draw(manifests())
    way = draw(st.sampled_from(["json", "yaml", "yaml", "yaml"]))
    if way == "json":
        return json.dumps(data, indent=draw(st.sampled_from([None, 2, 4])), ensure_ascii=False)
    text = "\n".join([*draw(st.sampled_from([[], ["---"], ["# top", "---"]])), *Hand(draw).block(data, 0), "# the end"])
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))) + draw(st.sampled_from(["", "\n"]))


@st.composite
def option_sets(draw: DrawFn) -> Options:
    api = {"kubernetes": "on", "serving_label": "true", "readiness_gate": "true"}
    return Options(
        image=draw(st.sampled_from(["registry.example/drainer", "registry.example/drainer@sha256:0"])),
        app_ports=draw(st.sampled_from(["", "8080", "8080,9000-9010"])),
        grace_period=draw(st.sampled_from([None, 20, 60, 900])),
        settings=draw(st.sampled_from([{}, {"port": "9900"}, {"settle": "8s", "close": "reset"}, api])),
        native=draw(st.booleans()),
        containers=draw(st.sampled_from([(), ("app",), ("app", "nginx")])),
        mesh=draw(st.sampled_from(["auto", "istio", "linkerd", "none"])),
    )


def put_in(text: str, options: Options) -> str:
    return "".join(
        document.text if document.data is None else rewritten(document, inject(document.data, options).manifest)
        for document in parse(text, "-")
    )


def taken_out(text: str) -> str:
    return "".join(
        document.text if document.data is None else rewritten(document, uninject(document.data).manifest)
        for document in parse(text, "-")
    )


@st.composite
def spoilt(draw: DrawFn) -> dict[str, Any]:
    """A manifest in which something is not what Kubernetes takes."""
    manifest = draw(manifests())
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            walk(value[key])

    walk(manifest)
    for parent, key in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique_by=id)):
        parent[key] = draw(foreign)
    return manifest


@settings(max_examples=150, deadline=None)
@given(spoilt(), option_sets())
def test_what_is_no_manifest_is_left_or_refused_and_nothing_else(manifest: dict[str, Any], options: Options) -> None:
    try:
        injection = inject(manifest, options)
    except ConfigError as error:
        mistakes = error.mistakes
    else:
        mistakes = ()
        assert uninject(injection.manifest).manifest.keys() == manifest.keys()
        needs(injection.manifest)
    assert all("; allowed: " in mistake for mistake in mistakes)


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith("#")]


@settings(max_examples=50, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(texts(), option_sets(), option_sets())
def test_once_is_as_good_as_twice_and_out_again_is_what_was(text: str, first: Options, second: Options) -> None:
    once = put_in(text, first)
    assert put_in(once, first) == once
    assert taken_out(once) == text
    assert taken_out(text) == text
    assert comments(once) == comments(text)
    # The way there does not matter, only the last options do.
    other = put_in(once, second)
    assert taken_out(other) == text
    if put_in(text, second) != text:
        assert said(other) == said(put_in(text, second))


def said(text: str) -> list[object]:
    return [document.data for document in parse(text, "-")]
