"""XEP-0106: the table of the specification, its examples, and back again for any name. J-032."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinglebridge.errors import BadRequest
from jinglebridge.jid import escape, unescape


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("space cadet", r"space\20cadet"),
        ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
        ("at&t guy", r"at\26t\20guy"),
        ("d'artagnan", r"d\27artagnan"),
        ("/.fanboy", r"\2f.fanboy"),
        ("::foo::", r"\3a\3afoo\3a\3a"),
        ("<foo>", r"\3cfoo\3e"),
        ("user@host", r"user\40host"),
        (r"c:\net", r"c\3a\net"),
        (r"c:\\net", r"c\3a\\net"),
        (r"c:\cool stuff", r"c\3a\cool\20stuff"),
        (r"c:\5commas", r"c\3a\5c5commas"),
        (r"back\20slash", r"back\5c20slash"),
        ("plain", "plain"),
    ],
)
def test_the_examples_of_the_specification(name, local):
    assert escape(name) == local and unescape(local) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\x00b", "x" * 257, "\ud800"])
def test_what_is_no_user_name(name):
    with pytest.raises(BadRequest):
        escape(name)


@pytest.mark.no_cover
@given(st.text(min_size=1, max_size=40))
def test_any_name_comes_back(name):
    try:
        local = escape(name)
    except BadRequest:
        return
    assert unescape(local) == name and not set(local) & set(" \"&'/:<>@")


@given(st.text(alphabet="\\0245abcdef @", max_size=12))
def test_unescaping_never_fails(local):
    assert len(unescape(local)) <= len(local)
