"""Label selectors, as labels.Parse of Kubernetes has them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.adapter.selectors import MAX_LENGTH, SelectorError, parse

WS = {"app": "ws", "tier": "chat", "size": "12", "empty": "", "a.b/c_d": "x"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("  ", True),
        ("app=ws", True),
        ("app==ws", True),
        ("app=feed", False),
        ("nothing=ws", False),
        ("empty=", True),
        ("app=", False),
        ("app!=ws", False),
        ("app!=feed", True),
        ("nothing!=ws", True),
        ("app in (ws, feed)", True),
        ("app in (feed)", False),
        ("nothing in (ws)", False),
        ("empty in ()", True),
        ("app in (,ws)", True),
        ("app notin (ws)", False),
        ("app notin (feed,other)", True),
        ("nothing notin (ws)", True),
        ("app", True),
        ("nothing", False),
        ("!app", False),
        ("! nothing", True),
        ("size>11", True),
        ("size > 12", False),
        ("size<13", True),
        ("size < -1", False),
        ("app>1", False),
        ("nothing<1", False),
        ("app=ws,tier in (chat),!nothing,size>1", True),
        ("app=ws,tier=feed", False),
        (" app = ws , tier ", True),
        ("a.b/c_d=x", True),
        ("app=ws,empty=,tier", True),
        ("notin notin (in)", True),
        ("in", False),
    ],
)
def test_what_is_selected(text: str, *, selected: bool) -> None:
    assert parse(text).matches(WS) is selected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (",", "expected: a label's key"),
        ("app=ws,", "found '', expected: a label's key"),
        ("!", "expected: a label's key"),
        ("!app=ws", "found '=', expected: ','"),
        ("app ws", "found 'ws', expected: one of in, notin"),
        ("app in ws", "expected: '('"),
        ("app in (ws", "expected: ',' or ')'"),
        ("app in (ws tier)", "expected: ',' or ')'"),
        ("app=ws tier=chat", "found 'tier', expected: ','"),
        ("app=(ws)", "found '(', expected: ','"),
        ("=ws", "expected: a label's key"),
        ("app(", "found '(', expected: one of"),
        ("-app=ws", "'-app' is no label's key"),
        ("a/b/c=ws", "'a/b/c' is no label's key"),
        ("A.B/c=ws", "is no label's key"),
        ("/c=ws", "is no label's key"),
        ("a/", "is no label's key"),
        (f"{'a' * 64}=ws", "is no label's key"),
        (f"{'a' * 254}/b", "is no label's key"),
        ("app=-ws", "'-ws' is no label's value"),
        (f"app={'a' * 64}", "is no label's value"),
        ("app in (a*b)", "is no label's value"),
        ("app=é", "is no label's value"),
        ("size>ten", "must be an integer, and it is 'ten'"),
        ("size>", "must be an integer, and it is ''"),
        ("a," * MAX_LENGTH, "more than 16384 characters"),
    ],
)
def test_what_is_no_selector_says_why(text: str, part: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse(text)

    assert part in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_selector_or_is_refused(text: str) -> None:
    with contextlib.suppress(SelectorError):
        parse(text).matches(WS)
