"""Subscriptions in the JSON protocol's words. J-036."""

from __future__ import annotations

from itertools import product

import pytest

from jinglebridge.calls.people import Subscription


@pytest.mark.parametrize(("to", "from_", "asked", "asking"), list(product((False, True), repeat=4)))
def test_word(to, from_, asked, asking):
    expected = {(True, True): "both", (True, False): "to", (False, True): "from"}.get((to, from_))
    if expected is None:
        expected = "pending-in" if asking else "pending-out" if asked else "none"
    assert Subscription(to, from_, asked, asking).word == expected
