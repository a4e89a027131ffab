"""Changes in the text of a YAML document: only what is meant changes, in blocks and in braces."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.commands.manifests import load
from drainer.commands.splice import splice
from drainer.commands.written import Style, flow, mapping, pair

CASES: dict[str, tuple[str, Any, str]] = {
    "a scalar": ("a: 1   # one\nb: 2\n", {"a": 3, "b": 2}, "a: 3   # one\nb: 2\n"),
    "a text in quotes": ("a: 'x' # x\n", {"a": "y z"}, "a: 'y z' # x\n"),
    "a text in double quotes": ('a: "x"\n', {"a": "y"}, 'a: "y"\n'),
    "a text that cannot have its quotes": ("a: 'x'\n", {"a": "it's"}, 'a: "it\'s"\n'),
    "a text of two lines": ("a: |\n  x\n  y\nb: 2\n", {"a": "z", "b": 2}, "a: z\nb: 2\n"),
    "a key after lines that are kept": (
        "a: |+\n  x\n\nc: 3\n",
        {"a": "x\n\n", "b": 2, "c": 3},
        "a: |+\n  x\n\nb: 2\nc: 3\n",
    ),
    "a key after lines that are not": (
        "a: >\n  x\n\nc: 3\n",
        {"a": "x\n", "b": 2, "c": 3},
        "a: >\n  x\nb: 2\n\nc: 3\n",
    ),
    "a key at the end": ("a: 1\n# the end\n", {"a": 1, "b": 2}, "a: 1\nb: 2\n# the end\n"),
    "a key in the middle": ("a: 1\n# of c\nc: 3\n", {"a": 1, "b": 2, "c": 3}, "a: 1\nb: 2\n# of c\nc: 3\n"),
    "a key at the start": ("x:\n  # of c\n  c: 3\n", {"x": {"b": 2, "c": 3}}, "x:\n  b: 2\n  # of c\n  c: 3\n"),
    "a key at the very start": ("c: 3\n", {"b": 2, "c": 3}, "c: 3\nb: 2\n"),
    "a key goes": ("a: 1\n# of b\nb:\n- 1\n- 2\n# of c\nc: 3\n", {"a": 1, "c": 3}, "a: 1\n# of b\n# of c\nc: 3\n"),
    "the first key of an item goes": ("- b: 2\n  c: 3\n", [{"c": 3}], "- c: 3\n"),
    "the only key of an item goes": ("x:\n- b: 2\n", {"x": [{"c": 3}]}, "x:\n- c: 3\n"),
    "nothing becomes a mapping": ("a:   # none\nb: 2\n", {"a": {"c": 1}, "b": 2}, "a:\n  c: 1\nb: 2\n"),
    "an empty mapping is filled": ("a: {}\nb: 2\n", {"a": {"c": 1}, "b": 2}, "a:\n  c: 1\nb: 2\n"),
    "an empty list is filled": ("a: []\nb: 2\n", {"a": [{"c": 1}], "b": 2}, "a:\n  - c: 1\nb: 2\n"),
    "a mapping becomes a scalar": ("a:\n  b: 1\n", {"a": "x"}, "a: x\n"),
    "a list becomes empty": ("a:\n- 1\n", {"a": []}, "a: []\n"),
    "an item at the start": (
        "a: # as\n# of 2\n- name: 2\n",
        {"a": [{"name": 1}, {"name": 2}]},
        "a: # as\n- name: 1\n# of 2\n- name: 2\n",
    ),
    "an item at the end": ("a:\n  - x\n  # end\n", {"a": ["x", "z"]}, "a:\n  - x\n  - z\n  # end\n"),
    "an item goes": ("a:\n- x\n- y # y\n- z\n", {"a": ["x", "z"]}, "a:\n- x\n- z\n"),
    "the first item goes": ("a:\n- x\n- y\n", {"a": ["y"]}, "a:\n- y\n"),
    "an item becomes something else": ("a:\n- {name: x, b: 1}\n", {"a": [{"name": "x"}]}, "a:\n- {name: x}\n"),
    "an empty item is filled": ("a:\n- {}\n- 2\n", {"a": [{"b": 1}, 2]}, "a:\n- b: 1\n- 2\n"),
    "a list at the top": ("- 1\n- 2\n", [1, 3], "- 1\n- 3\n"),
    "a key in braces": ("a: { b: 1 }  # c\n", {"a": {"b": 1, "c": 2}}, "a: { b: 1, c: 2 }  # c\n"),
    "two keys in braces": ("a: {b: 1}\n", {"a": {"b": 1, "c": 2, "d": [3]}}, "a: {b: 1, c: 2, d: [3]}\n"),
    "a value in braces": ("a: { b: 1 }\n", {"a": {"b": {"c": 2}}}, "a: { b: {c: 2} }\n"),
    "another mapping in braces": ("a: { b: {c: 1} }\n", {"a": {"b": {"d": 1}}}, "a: { b: {d: 1} }\n"),
    "no mapping any more in braces": ("a: { b: {c: 1} }\n", {"a": {"b": [1]}}, "a: { b: [1] }\n"),
    "another list in brackets": (
        "a: [ {name: x, b: [1]} ]\n",
        {"a": [{"name": "x", "b": []}]},
        "a: [ {name: x, b: []} ]\n",
    ),
    "a merged key in braces is kept": (
        "a: &a {b: 1}\nc: {<<: *a, e: 1}\n",
        {"a": {"b": 1}, "c": {"b": 1, "e": 1, "f": 2}},
        "a: &a {b: 1}\nc: {<<: *a, e: 1, f: 2}\n",
    ),
    "a key in braces goes": ("a: { b: 1, c: 2, d: 3 }\n", {"a": {"b": 1, "d": 3}}, "a: { b: 1, d: 3 }\n"),
    "the first in braces goes": ("a: { b: 1, c: 2 }\n", {"a": {"c": 2}}, "a: { c: 2 }\n"),
    "an item in brackets at the start": ("a: [ 2 ]\n", {"a": [1, 2]}, "a: [ 1, 2 ]\n"),
    "an item in brackets at the end": ("a: [ 2 ]\n", {"a": [2, 3]}, "a: [ 2, 3 ]\n"),
    "the first in brackets goes": ("a: [ 1, 2 ]\n", {"a": [2]}, "a: [ 2 ]\n"),
    "an item in brackets goes": ("a: [ 1, 2 ]\n", {"a": [1]}, "a: [ 1 ]\n"),
    "an item in brackets is changed": (
        "a: [ {name: x} ]\n",
        {"a": [{"name": "x", "b": 1}]},
        "a: [ {name: x, b: 1} ]\n",
    ),
    "braces over lines": ("a: {\n  b: 1, # c\n}\n", {"a": {"b": 1, "c": 2}}, "a: {\n  b: 1, c: 2, # c\n}\n"),
    "no newline at the end": ("a: 1", {"a": 1, "b": 2}, "a: 1\nb: 2"),
    "the newlines of Windows": (
        "a: 1\r\nc: 3\r\n",
        {"a": 1, "b": [{"x": 1}], "c": 3},
        "a: 1\r\nb:\r\n  - x: 1\r\nc: 3\r\n",
    ),
    "Windows without the last": ("a: 1\r\nc: 3", {"a": 1, "c": 3, "d": 4}, "a: 1\r\nc: 3\r\nd: 4"),
    "wide steps": (
        "a:\n    b:\n        c: 1\n",
        {"a": {"b": {"c": 1}, "d": {"e": 1}}},
        "a:\n    b:\n        c: 1\n    d:\n        e: 1\n",
    ),
    "a merged key is kept": (
        "a: &a {b: 1}\nc:\n  <<: *a\n",
        {"a": {"b": 1}, "c": {"b": 1, "d": 2}},
        "a: &a {b: 1}\nc:\n  d: 2\n  <<: *a\n",
    ),
    "a merged key is overridden": (
        "a: &a {b: 1}\nc:\n  <<: *a\n",
        {"a": {"b": 1}, "c": {"b": 2}},
        "a: &a {b: 1}\nc:\n  b: 2\n  <<: *a\n",
    ),
    "an alias is written out": (
        "a: &a {b: 1}\nc: *a\n",
        {"a": {"b": 1}, "c": {"b": 1, "d": 2}},
        "a: &a {b: 1}\nc:\n  b: 1\n  d: 2\n",
    ),
    "merged in braces": (
        "a: &a {b: 1}\nc: {<<: *a, e: 1}\n",
        {"a": {"b": 1}, "c": {"b": 2, "e": 1}},
        "a: &a {b: 1}\nc: {<<: *a, e: 1, b: 2}\n",
    ),
    "a key of another word": ("{a: 1}\n", {"a": 1, "yes": 2}, '{a: 1, "yes": 2}\n'),
}


@pytest.mark.parametrize(("text", "wanted", "expected"), CASES.values(), ids=CASES.keys())
def test_an_edit(text: str, wanted: Any, expected: str) -> None:
    result = splice(text, load(text), wanted)
    assert result == expected
    assert load(result) == wanted


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        ("app", "app"),
        ("/livez", "/livez"),
        ("ghcr.io/drainer/drainer:0.1.0", "ghcr.io/drainer/drainer:0.1.0"),
        ("10m", "10m"),
        ("60s", "60s"),
        ("on", '"on"'),
        ("Yes", '"Yes"'),
        ("null", '"null"'),
        ("8080", '"8080"'),
        ("0o17", '"0o17"'),
        ("12:30", '"12:30"'),
        ("1e3", '"1e3"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("- a", '"- a"'),
        ('{"a":null}', "'{\"a\":null}'"),
        ('it\'s "it"', '"it\'s \\"it\\""'),
        ("a\nb", '"a\\nb"'),
        ("ü", '"ü"'),
        ({}, "{}"),
        ({"a": [1, "b"]}, "{a: [1, b]}"),
    ],
)
def test_a_value_on_one_line_means_the_same_to_every_reader(value: Any, written: str) -> None:
    assert flow(value) == written
    assert load(f"x: {written}") == {"x": value}
    # It reads YAML 1.1, as kubectl does.
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the group chart in pyproject.toml brings")
    assert yaml.safe_load(f"x: {written}") == {"x": value}


def test_blocks_are_indented_as_asked_and_long_words_folded() -> None:
    expression = "variables.one == variables.other && " * 6 + "true"
    value = {"spec": {"list": [{"a": 1, "b": {}}, [], "x"], "long": expression, "words": ["a", "b"]}}
    for style in (Style(), Style(4, 0), Style(2, 0)):
        lines = mapping(value, 0, style)
        assert load("\n".join(lines)) == value
        assert max(map(len, lines)) < 120
    assert pair("a", {"b": [{"c": 1}]}, 2, Style(4, 1)) == ["  a:", "      b:", "       - c: 1"]
