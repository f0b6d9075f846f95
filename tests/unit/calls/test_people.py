"""Subscriptions in the JSON protocol's words. J-036."""

from __future__ import annotations

from itertools import product

import pytest

from jinglebridge.calls.people import Contact


@pytest.mark.parametrize(("to", "from_", "asked", "asking"), list(product((False, True), repeat=4)))
def test_word(to, from_, asked, asking):
    expected = {(True, True): "both", (True, False): "to", (False, True): "from"}.get((to, from_))
    if expected is None:
        expected = "pending-in" if asking else "pending-out" if asked else "none"
    assert Contact("anna@call.test", "bob@im.test", to, from_, asked, asking).word == expected


def test_an_empty_row_holds_nothing():
    assert Contact("a", "b").empty and Contact("a", "b", name="Bob", audio=True).empty
    for flag in ("to", "from_", "asked", "asking", "wanted", "added"):
        assert not Contact("a", "b", **{flag: True}).empty
