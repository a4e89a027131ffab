"""Streams of manifests: how they are cut into documents, and what is said of those that cannot be read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from drainer.commands.manifests import parse, read, rewritten
from drainer.errors import ManifestError

STREAM = """# before everything
---
kind: A   # a comment
---
---
# nothing
--- # the marker has a comment
kind: B
text: |
  --- not a marker
  ----
...
"""


def test_the_documents_put_together_are_the_stream() -> None:
    documents = parse(STREAM, "-")
    assert "".join(document.text for document in documents) == STREAM
    assert [(document.line, document.data and document.data["kind"]) for document in documents] == [
        (1, None),
        (2, "A"),
        (4, None),
        (5, None),
        (7, "B"),
    ]
    assert documents[-1].data["text"] == "--- not a marker\n----\n"
    assert not any(document.is_json for document in documents)


@pytest.mark.parametrize("text", ["", "\n", "# only this\n", "---\n---\n"])
def test_a_stream_may_say_nothing(text: str) -> None:
    documents = parse(text, "-")
    assert "".join(document.text for document in documents) == text
    assert [document.data for document in documents] == [None] * len(documents)


def test_json_comes_one_object_after_another_as_kubectl_and_jq_write_it() -> None:
    text = ' {"kind": "A"}\n{"kind":"B"}{"kind": "C"} \n'
    documents = parse(text, "-")
    assert [(document.data["kind"], document.line, document.is_json) for document in documents] == [
        ("A", 1, True),
        ("B", 2, True),
        ("C", 2, True),
    ]
    assert "".join(document.text for document in documents) == text


def test_what_begins_like_json_and_is_not_is_yaml() -> None:
    (document,) = parse("{kind: A}\n", "-")
    assert (document.data, document.is_json) == ({"kind": "A"}, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b\n---\nc: [\n", "f.yaml:4:1: is not YAML: expected the node content, but found '<stream end>'"),
        ("---\na: 1\nb: 2\na: hunter2\n", 'f.yaml:4:1: is not YAML: found duplicate key "a"'),
        (
            "a: {{ .Values.x }}\n",
            "f.yaml:1:5: is not YAML: found unhashable key; it looks like a template, which has to be rendered first",
        ),
        ("a: *b\n", "f.yaml:1:4: is not YAML: found undefined alias 'b'"),
        ("a: !secret x\n", "f.yaml:1:4: is not YAML: could not determine a constructor for the tag '!secret'"),
        ("---\na: 1\n\tb: 2\n", "f.yaml:3:1: is not YAML: found character '\\t' that cannot start any token"),
        (
            "---\na: 1\n...\nb: 2\n",
            "f.yaml:4:1: is not YAML: expected a single document in the stream, but found another document",
        ),
        ("a: 1\n---\nb: \x07\n", "f.yaml:2: is not YAML: unacceptable character #x0007"),
        ("---\n- a\n", "f.yaml:1: is not a mapping, as every Kubernetes object is"),
        ("{a: b}\n[]\n", "f.yaml:2:1: is not YAML: expected '<document start>', but found"),
        ('{"a": 1}\n"b"\n', "f.yaml:2: is not a mapping"),
    ],
)
def test_what_cannot_be_read_is_said_with_file_line_and_column(text: str, said: str) -> None:
    with pytest.raises(ManifestError) as raised:
        parse(text, "f.yaml")
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_files_folders_and_standard_input_are_read_in_their_order_and_each_once(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.yml", "a.yaml", "c.json", "notes.txt", "deeper/d.yaml"):
        (folder / name).write_text('{"kind": "A"}')
    single = tmp_path / "single"
    single.write_bytes("\ufeffkind: größer\n".encode())
    sources = [str(single), "-", str(folder), str(folder / "b.yml")]
    documents = read(sources, io.BytesIO(b"kind: In\n"))
    assert [document.origin for document in documents if document.data] == [
        str(single),
        "-",
        *(str(folder / name) for name in ("a.yaml", "b.yml", "c.json")),
    ]
    assert (documents[0].data, documents[1].data) == (None, {"kind": "größer"})


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_a_file_that_powershell_has_written_is_said_to_be_utf_16(mark: bytes, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_bytes(mark + "kind: A".encode("utf-16-le"))
    with pytest.raises(ManifestError, match=r"pod\.yaml: is UTF-16; allowed: UTF-8"):
        read([str(tmp_path)], io.BytesIO())


def test_a_source_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"/nowhere\.yaml: cannot be read \(No such file or directory\)"):
        read([str(tmp_path / "nowhere.yaml")], io.BytesIO())
    with pytest.raises(ManifestError, match=r"has no files that end in \.yaml, \.yml, \.json"):
        read([str(tmp_path)], io.BytesIO())
    with pytest.raises(ManifestError, match="-: is not UTF-8 at byte 2"):
        read(["-"], io.BytesIO(b"a:\xff"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', '{"a": 2, "ü": [3]}'),
        ('{"a":1}\n', '{"a":2,"ü":[3]}\n'),
        ('\n{\n    "a": 1\n}\n\n', '\n{\n    "a": 2,\n    "ü": [\n        3\n    ]\n}\n\n'),
        ('{\n\t"a": 1\n}', '{\n\t"a": 2,\n\t"ü": [\n\t\t3\n\t]\n}'),
    ],
)
def test_json_is_written_as_it_was_indented(text: str, expected: str) -> None:
    (document,) = parse(text, "-")
    assert rewritten(document, {"a": 2, "ü": [3]}) == expected


def test_a_document_that_is_not_changed_is_its_own_text() -> None:
    text = "a:    {b: 'c' }   # d\n"
    (document,) = parse(text, "-")
    assert rewritten(document, {"a": {"b": "c"}}) is document.text


@pytest.mark.parametrize("wanted", [{"b": 2}, "z"])
def test_what_cannot_be_changed_in_place_is_refused(wanted: object) -> None:
    (document,) = parse("kind: A\n---\na: &x {b: 1}\nc: *x\n", "f.yaml")[1:]
    with pytest.raises(ManifestError, match=r"f\.yaml:2: cannot be changed in place, because of anchors and aliases"):
        rewritten(document, {"a": wanted, "c": {"b": 1}})


@pytest.mark.parametrize("beginning", ["", "---\n", "# a comment\n---\n"])
def test_a_byte_order_mark_stays_where_it_was(beginning: str) -> None:
    text = f"\ufeff{beginning}kind: A\n\ufeff---\nkind: B\n"
    documents = parse(text, "-")
    assert "".join(document.text for document in documents) == text
    assert [document.data for document in documents if document.data] == [{"kind": "A"}, {"kind": "B"}]
    assert "".join(rewritten(one, {**one.data, "x": 1}) if one.data else one.text for one in documents) == (
        f"\ufeff{beginning}kind: A\nx: 1\n\ufeff---\nkind: B\nx: 1\n"
    )
    assert documents[-1].line == text.count("\n", 0, text.index("B"))


def test_json_may_have_a_byte_order_mark_too() -> None:
    mark, document = parse('\ufeff{"kind": "A"}', "-")
    assert (mark.text, mark.data) == ("\ufeff", None)
    assert (document.is_json, document.line) == (True, 1)
    assert [document.data for document in parse("\ufeff", "-")] == [None, None]


def test_a_file_is_read_with_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "pod.yaml"
    path.write_bytes(b"\xef\xbb\xbfkind: A\r\n")
    assert "".join(one.text for one in read([str(path)], io.BytesIO())) == "\ufeffkind: A\r\n"


@pytest.mark.parametrize("text", ['{"kind": "A", "x": "\\ud83d"}', 'kind: A\nx: "\\ud83d"\n'])
def test_half_a_letter_stays_an_escape(text: str) -> None:
    (document,) = parse(text, "-")
    for changed in ({**document.data, "y": "\ud83d"}, {**document.data, "x": "\ud83d\ud83d"}):
        again = rewritten(document, changed)
        assert again.isascii()
        assert parse(again, "-")[0].data == changed


def test_line_ends_that_cannot_be_kept_are_named() -> None:
    (document,) = parse("kind: A\rx:\r  y: 1\rz: 1\r", "f.yaml")
    with pytest.raises(ManifestError, match=r"f.yaml:1: cannot be changed in place, because of line ends that are a c"):
        rewritten(document, {**document.data, "x": {"y": 1, "b": 2}})
