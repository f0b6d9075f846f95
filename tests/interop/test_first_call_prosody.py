"""The same as test_first_call.py, with Prosody. A file of its own, so that another process can run it."""

from __future__ import annotations

import pytest

from jinglebridge.demo.lab import Prosody

from .test_first_call import (
    alice_page,
    bridge,
    contact,
    playwright,
    test_bridge_restarts_under_an_idle_page,
    test_caller_gives_up,
    test_contact_calls_page,
    test_contact_declines,
    test_contact_offline_is_said_before_and_during_the_call,
    test_mute_silences_and_is_told,
    test_nobody_answers_and_the_call_is_retracted,
    test_page_calls_contact,
    test_page_declines,
)

__all__ = [
    "alice_page",
    "bridge",
    "contact",
    "playwright",
    "server",
    "test_bridge_restarts_under_an_idle_page",
    "test_caller_gives_up",
    "test_contact_calls_page",
    "test_contact_declines",
    "test_contact_offline_is_said_before_and_during_the_call",
    "test_mute_silences_and_is_told",
    "test_nobody_answers_and_the_call_is_retracted",
    "test_page_calls_contact",
    "test_page_declines",
]


@pytest.fixture(scope="module")
def server(prosody: Prosody) -> Prosody:
    return prosody
