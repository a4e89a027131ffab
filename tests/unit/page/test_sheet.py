"""The document: whole, small, and held by headers that name exactly what is in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from drainer.model import Reason
from drainer.page.sheet import FOLDER, read
from drainer.phases import Phase, Result

STATE = {"phase": "</script><script>alert(1)</script><!--", "n": 1}


class Elements(HTMLParser):
    """The names of all elements, and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.names: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]


def policy() -> dict[str, str]:
    pieces = read().headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (piece.partition(" ") for piece in pieces)}


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_this_script_and_this_style_and_nothing_else() -> None:
    html = read().html(STATE)
    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    [script] = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert policy() == {
        "default-src": "'none'", "style-src": hashed(style), "script-src": hashed(script), "img-src": "data:",
        "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'", "trusted-types": "'none'",
    }  # fmt: skip


def test_the_other_headers_keep_it_out_of_frames_and_other_origins() -> None:
    headers = dict(read().headers)
    del headers["Content-Security-Policy"]
    assert headers == {
        "Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }  # fmt: skip


def test_the_state_cannot_break_out_of_its_place() -> None:
    html = read().html(STATE)
    assert html.count("<script") == 2
    [state] = re.findall(r'<script type="application/json" id="state">(.*?)</script>', html, re.DOTALL)
    assert json.loads(state) == STATE


def test_nothing_in_it_comes_from_elsewhere_and_no_attribute_has_code_or_style() -> None:
    elements = Elements(read().html({}))
    for tag, name, value in elements.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("style", "src", "srcset", "action"), (tag, name, value)
        if name == "href":
            assert value is not None
            assert value.startswith(("/", "data:")), value
    assert not {"form", "button", "input", "iframe", "object"} & set(elements.names)
    assert "url(" not in read().html({})
    assert "@import" not in read().html({})


def test_it_is_one_document_of_less_than_forty_kilobytes() -> None:
    html = read().html({})
    assert "here:" not in html
    assert len(html.encode()) < 40_000


@pytest.mark.parametrize("name", ["page.html", "page.css", "words.js", "charts.js", "page.js"])
def test_each_of_its_files_is_one_that_a_reader_can_hold(name: str) -> None:
    assert len((FOLDER / name).read_text().splitlines()) <= 300


def test_every_word_of_the_agent_has_its_meaning_on_the_page() -> None:
    words = (FOLDER / "words.js").read_text()
    for word in (*Phase, *Reason, *Result):
        assert re.search(rf"^  {word}: ", words, re.MULTILINE), word


def test_without_its_files_it_says_which_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"page\.html"):
        read(tmp_path)
